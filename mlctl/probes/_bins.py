"""A column in bins, and how well the bins alone foretell something; learnt on one half and judged on the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

EDGES: Final = 64
_EDGE_ROWS: Final = 20_000
_NOWHERE: Final = 0.5


class Binned(NamedTuple):
    """A column as small whole numbers.

    Attributes:
        codes: int64 array (rows,); the last bin is "missing".
        bins: How many bins there are.
        missing: bool array (rows,).
    """

    codes: Array
    bins: int
    missing: Array


def binned(values: pl.Series) -> Binned:
    """Numbers in quantile bins, in which a value that many rows hold (such as 0) has its own; texts by value."""
    import numpy as np
    import polars as pl

    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean or values.dtype.is_temporal()):
        plain = values.hash(seed=7) if values.dtype.is_nested() else values.cast(pl.String)
        ranks = plain.rank("dense").cast(pl.Float64).to_numpy()
        missing = values.is_null().to_numpy()
        codes = np.where(missing, 0, np.nan_to_num(ranks)).astype(np.int64) - 1
        bins = int(codes.max(initial=-1)) + 2
        return Binned(np.where(missing, bins - 1, codes), bins, missing)
    numbers = (
        (values.to_physical() if values.dtype.is_temporal() else values)
        .cast(pl.Float64)
        .fill_null(float("nan"))
        .to_numpy()
    )
    missing = np.isnan(numbers)
    some = numbers[:: max(1, len(numbers) // _EDGE_ROWS)]
    some = np.sort(some[~np.isnan(some)])
    # values that are there, never between two of them: an edge has to be able to equal a value
    quantiles = some[np.linspace(0, len(some) - 1, EDGES).astype(np.int64)] if len(some) else np.zeros(1)
    edges, times = np.unique(quantiles, return_counts=True)
    left = np.searchsorted(edges, numbers, side="left")
    nearest = np.minimum(left, len(edges) - 1)
    codes = 2 * left + ((edges[nearest] == numbers) & (times[nearest] > 1))
    bins = 2 * len(edges) + 2
    return Binned(np.where(missing, bins - 1, codes).astype(np.int64), bins, missing)


def halves(rows: int) -> Array:
    """Bool array (rows,): a fixed half of the rows, mixed so that no order of the table decides it."""
    import numpy as np

    return np.asarray(np.random.Generator(np.random.PCG64(11)).random(rows) < 0.5)


def auc_of_bins(codes: Array, bins: int, positive: Array, half: Array) -> float:
    """ROC AUC of P(positive) by bin, learnt on one half of the rows and judged on the other, the mean of both ways.

    >>> import numpy as np
    >>> codes, positive = np.array([0, 1] * 8), np.array([False, True] * 8)
    >>> auc_of_bins(codes, 2, positive, np.arange(16) < 8)
    1.0
    """
    import numpy as np

    counts = [np.bincount(codes[side & who], minlength=bins) for side in (half, ~half) for who in (positive, ~positive)]
    return (_judged(counts[:2], counts[2:]) + _judged(counts[2:], counts[:2])) / 2


def _judged(learn: list[Array], judge: list[Array]) -> float:
    import numpy as np

    (ones, others), (there, else_) = learn, judge
    if min(ones.sum(), others.sum(), there.sum(), else_.sum()) == 0:
        return _NOWHERE
    prior = ones.sum() / (ones.sum() + others.sum())
    # a bin that was not learnt says nothing, and a thin one little
    rates = (ones + prior) / (ones + others + 1.0)
    _, level = np.unique(rates, return_inverse=True)
    ups, downs = np.bincount(level, weights=there), np.bincount(level, weights=else_)
    below = np.cumsum(downs) - downs
    return float((ups * (below + downs / 2)).sum() / (there.sum() * else_.sum()))


def r2_of_bins(codes: Array, bins: int, values: Array, half: Array) -> float:
    """The share of the variance of `values` that the mean of each bin explains, learnt and judged on other rows."""
    import numpy as np

    explained = []
    for learn, judge in ((half, ~half), (~half, half)):
        rows = np.bincount(codes[learn], minlength=bins)
        sums = np.bincount(codes[learn], weights=values[learn], minlength=bins)
        mean = float(values[learn].mean()) if learn.any() else 0.0
        means = (sums + mean) / (rows + 1.0)
        left = float(((values[judge] - means[codes[judge]]) ** 2).sum())
        whole = float(((values[judge] - mean) ** 2).sum())
        explained.append(1.0 - left / whole if whole > 0 else 0.0)
    return max(0.0, sum(explained) / 2)


def auc_error(auc: float, ones: int, others: int) -> float:
    """Standard error of a ROC AUC (Hanley and McNeil 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (ones - 1) * (q1 - auc * auc) + (others - 1) * (q2 - auc * auc)
    return math.sqrt(max(variance, 0.0) / (ones * others))
