"""Is a slice worse than its rest, and surely so: effect size and Welch's t test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def welch(sums: Array, whole: Array) -> tuple[Array, Array, Array]:
    """Effect size, t and one-sided p of Welch's test of slices against their rests.

    Args:
        sums: float array (3, slices): rows, sum and sum of squares of the loss about any one value.
        whole: float array (3,): the same of all rows.
    """
    import numpy as np
    from scipy import stats

    inside, outside = _mean_and_variance(sums), _mean_and_variance(whole[:, None] - sums)
    # a handful of equal losses has no variance and proves nothing: at least that of all rows is taken
    least = float(_mean_and_variance(whole[:, None])[1][0]) + 1e-100
    variance, spread = np.maximum(np.maximum(inside[1], outside[1]), least), np.maximum(outside[1], least)
    rows, others = sums[0], whole[0] - sums[0]
    one, other = variance / rows, spread / others
    t = (inside[0] - outside[0]) / np.sqrt(one + other)
    freedom = (one + other) ** 2 / (one**2 / (rows - 1) + other**2 / (others - 1))
    effect = (inside[0] - outside[0]) / np.sqrt((variance + spread) / 2)
    return effect, t, np.asarray(stats.t.sf(t, freedom))


def _mean_and_variance(sums: Array) -> tuple[Array, Array]:
    import numpy as np

    rows, total, squares = sums
    mean = total / rows
    return mean, np.maximum(squares - rows * mean**2, 0.0) / (rows - 1)


def sums_of(loss: Array) -> tuple[float, float, float]:
    """Rows, sum and sum of squares of losses."""
    return float(len(loss)), float(loss.sum()), float((loss**2).sum())
