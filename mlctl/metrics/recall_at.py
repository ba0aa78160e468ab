"""The share of all positives that stands in the top share of rows by score.

Use it when a missed positive is what costs, and so many can be looked at. Not without a look at `precision_at`: a share
of 1 finds everybody.

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
    """Options of recall at a share."""

    kind: Literal["recall_at"] = Field(default="recall_at", description="recall_at")
    share: float = Field(
        default=0.1, gt=0, le=1, description="share of the rows that is looked at, highest scores first, above 0 to 1"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "recall_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of the positives that is found.

    Returns:
        0 to 1, where `share` is chance; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    _, found = top(rows, options.share)
    return found / float(rows.truth @ rows.weight)
