"""How often a class that is so is foretold.

Use it where missing one is what costs. Not alone: always saying yes is perfect. Its macro average is the balanced
accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._classes import Average, averaged, counts

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of recall."""

    kind: Literal["recall"] = Field(default="recall", description="recall")
    threshold: float = Field(default=0.5, ge=0, le=1, description="of yes or no: scores from here on say yes, 0 to 1")
    average: Average = Field(
        default="macro",
        description="of several classes: macro, every class alike; weighted, by how often it is; micro, all rows alike",
    )
    of: int | None = Field(default=None, ge=0, description="of several classes: this one alone, by its place from 0")


EXAMPLE: Final[dict[str, object]] = {"kind": "recall"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The recall of the positive class, or the average over classes.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    found = counts(truth, score, weight, options.threshold)
    if found is None:
        return float("nan")
    top, bottom, true = found.right, found.true, found.true
    if options.of is not None and score.ndim > 1:
        chosen = slice(options.of, options.of + 1)
        top, bottom, true = top[chosen], bottom[chosen], true[chosen]
        if not len(true) or not (true.sum() or bottom.sum()):
            return float("nan")
    return averaged(top, bottom, true, options.average)
