"""The share of positives among the top share of rows by score.

Use it when there is room to act on so many and no more, such as a call list. Not to compare data sets of different base
rates: `lift_at` divides it out.

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
    """Options of precision at a share."""

    kind: Literal["precision_at"] = Field(default="precision_at", description="precision_at")
    share: float = Field(
        default=0.1, gt=0, le=1, description="share of the rows that is looked at, highest scores first, above 0 to 1"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "precision_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of positives among the rows that are looked at.

    Returns:
        0 to 1, where the base rate is chance; NaN when the rows hold one class only,
        no weight or a score that is not finite.
    """
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    looked_at, found = top(rows, options.share)
    return found / looked_at
