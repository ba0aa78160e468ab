"""The top share of rows by score, as lift_at, precision_at and recall_at look at it.

Rows that tie at the edge of the share count by the part of the tie that fits, which is the mean over every order of the
tied rows, so the order of rows has no effect; the share of an odd number of rows may be a fraction of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import tally, usable

if TYPE_CHECKING:
    import numpy as np


class TopOptions(MetricOptions):
    """What the metrics of a top share say."""

    share: float = Field(
        default=0.1, gt=0, le=1, description="share of the rows that is looked at, highest scores first, above 0 to 1"
    )


class Top(NamedTuple):
    """Weights: of the rows looked at, of the positives among them, and of all positives and all rows."""

    rows: float
    positives: float
    all_positives: float
    all_rows: float


def top(
    options: TopOptions, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> Top | None:
    """The top share; None when the rows hold one class only, no weight or a score that is not finite."""
    import numpy as np

    rows = usable(truth, score, weight)
    if rows is None:
        return None
    totals = tally(rows)
    looked_at = options.share * float(totals.rows[-1])
    positives = float(np.interp(looked_at, totals.rows, totals.positives))
    return Top(looked_at, positives, float(rows.truth @ rows.weight), float(rows.weight.sum()))
