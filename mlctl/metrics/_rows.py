"""Rows as every metric wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Rows(NamedTuple):
    """Rows of both classes; each is a float64 array (rows,)."""

    truth: np.ndarray[Any, Any]
    score: np.ndarray[Any, Any]
    weight: np.ndarray[Any, Any]


class Tally(NamedTuple):
    """Running totals after each distinct score, from the highest score down; float64 arrays (distinct scores + 1,).

    The first element is 0. Rows with the same score enter together, so the order of rows has no effect.
    """

    positives: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]


def usable(truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> Rows | None:
    """The rows in float64; None where no metric is defined: one class, no weight, or a score that is not finite."""
    import numpy as np

    rows = Rows(*(np.asarray(array, dtype=np.float64) for array in (truth, score, weight)))
    positives, total = float(rows.truth @ rows.weight), float(rows.weight.sum())
    if not 0.0 < positives < total or not np.isfinite(rows.score).all():
        return None
    return rows


def tally(rows: Rows) -> Tally:
    """The running totals; rows that already ascend by score are not sorted again."""
    import numpy as np

    truth, score, weight = rows
    if (score[1:] < score[:-1]).any():
        order = np.argsort(score, kind="stable")
        truth, score, weight = truth[order], score[order], weight[order]
    firsts = np.concatenate(([0], np.flatnonzero(score[1:] != score[:-1]) + 1))
    below_positives, below_rows = (np.concatenate(([0.0], np.cumsum(part))) for part in (truth * weight, weight))
    return Tally(
        *(np.concatenate(([0.0], (below[-1] - below[firsts])[::-1])) for below in (below_positives, below_rows))
    )
