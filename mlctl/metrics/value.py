"""What decisions bring, in money (or any unit) a row: each of the four outcomes of a yes or no has its price.

Use it to choose between models by what they are for. Not where nobody can name the prices.

Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the value of decisions."""

    kind: Literal["value"] = Field(default="value", description="value")
    threshold: float = Field(default=0.5, ge=0, le=1, description="of yes or no: scores from here on say yes, 0 to 1")
    tp: float = Field(default=0.0, description="what yes brings where it is so; costs are below 0")
    fp: float = Field(default=0.0, description="what yes brings where it is not so")
    tn: float = Field(default=0.0, description="what no brings where it is not so")
    fn: float = Field(default=0.0, description="what no brings where it is so")


EXAMPLE: Final[dict[str, object]] = {"kind": "value", "tp": 10.0, "fp": -1.0}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """What a row brings on average.

    Returns:
        The unit of the prices; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    import numpy as np

    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    yes, so = rows.score >= options.threshold, rows.truth > 0.5
    brings = np.where(yes, np.where(so, options.tp, options.fp), np.where(so, options.fn, options.tn))
    return float(rows.weight @ brings) / float(rows.weight.sum())
