"""How many times more positives the top share of rows by score holds than a random pick of as many.

Use it to say in one plain number what a ranked list is worth. Not to compare data sets of very different base rates: it
cannot exceed one over the base rate.

Rows that tie at the edge of the share count by the part of the tie that fits, so the order of rows has no effect; the
share of an odd number of rows may be a fraction of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import top, usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of lift at a share."""

    kind: Literal["lift_at"] = Field(default="lift_at", description="lift_at")
    share: float = Field(
        default=0.1, gt=0, le=1, description="share of the rows that is looked at, highest scores first, above 0 to 1"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "lift_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The precision at the share, over the base rate.

    Returns:
        0 to 1 / share, where 1 is chance; NaN when the rows hold one class only,
        no weight or a score that is not finite.
    """
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    looked_at, found = top(rows, options.share)
    base_rate = float(rows.truth @ rows.weight) / float(rows.weight.sum())
    return found / looked_at / base_rate
