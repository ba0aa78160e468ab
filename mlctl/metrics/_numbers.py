"""Foretold numbers against true ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Numbers(NamedTuple):
    """Rows of finite numbers; each is a float64 array (rows,)."""

    truth: np.ndarray[Any, Any]
    error: np.ndarray[Any, Any]
    weight: np.ndarray[Any, Any]

    def mean(self, values: np.ndarray[Any, Any]) -> float:
        """The weighted mean of a value of each row."""
        return float(self.weight @ values) / float(self.weight.sum())


def measured(
    truth: np.ndarray[Any, Any],
    score: np.ndarray[Any, Any],
    weight: np.ndarray[Any, Any],
    of: Callable[[Numbers], float],
) -> float:
    """A measure of rows of finite numbers; NaN without weight or with a value that is not finite."""
    rows = numbers(truth, score, weight)
    return float("nan") if rows is None else of(rows)


def numbers(truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> Numbers | None:
    """The rows in float64, `error` being truth minus score; None without weight or with a value that is not finite."""
    import numpy as np

    known, foretold, heavy = (np.asarray(array, dtype=np.float64) for array in (truth, score, weight))
    if not heavy.sum() > 0 or not np.isfinite(known).all() or not np.isfinite(foretold).all():
        return None
    return Numbers(known, known - foretold, heavy)
