"""A mean that may be looked at after every observation: intervals that hold all of them at once.

The interval is the predictable plug-in empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas, "Estimating
means of bounded random variables by betting", Journal of the Royal Statistical Society B 2024, theorem 2): with
probability 1 - error the mean lies in it at every time, so that looking often, and stopping when it says enough, costs
nothing. A usual interval, looked at every day, is wrong far more often than it says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_BOLDEST: Final = 0.5
"""The largest bet; below 1, or one observation could lose everything."""
_MOST: Final = 1_000_000


class Interval(NamedTuple):
    """What is known about a mean after some observations."""

    size: int
    mean: float
    low: float
    high: float


def intervals(differences: np.ndarray[Any, Any], error: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Lower and upper ends after each observation, float64 (observations,) each.

    Args:
        differences: Of [-1, 1], float64 (observations,), in the order in which they became known.
        error: Probability that the mean ever lies outside.
    """
    import numpy as np

    values = (np.asarray(differences, np.float64) + 1) / 2
    number = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (number + 1)
    spreads = (0.25 + np.cumsum((values - means) ** 2)) / (number + 1)
    # what a bet rests on was known before the observation that it is about
    mean_before, spread_before = np.r_[0.5, means[:-1]], np.r_[0.25, spreads[:-1]]
    bets = np.sqrt(2 * math.log(2 / error) / (spread_before * number * np.log1p(number)))
    bets = np.minimum(bets, _BOLDEST)
    risks = (values - mean_before) ** 2 * (-np.log1p(-bets) - bets)
    staked = np.cumsum(bets)
    centres = np.cumsum(bets * values) / staked
    widths = (math.log(2 / error) + np.cumsum(risks)) / staked
    low = np.maximum.accumulate(np.maximum(centres - widths, 0.0))
    high = np.minimum.accumulate(np.minimum(centres + widths, 1.0))
    return 2 * low - 1, 2 * high - 1


def interval(differences: np.ndarray[Any, Any], error: float) -> Interval:
    """What is known after all of them; -1 to 1 while there is none.

    >>> import numpy as np
    >>> found = interval(np.full(400, 0.1), 0.05)
    >>> found.size, round(found.mean, 3), found.low > 0
    (400, 0.1, True)
    """
    if not len(differences):
        return Interval(0, 0.0, -1.0, 1.0)
    low, high = intervals(differences, error)
    return Interval(len(differences), float(differences.mean()), float(low[-1]), float(high[-1]))


def needed(differences: np.ndarray[Any, Any], error: float, limit: float) -> int | None:
    """How many observations will tell the mean from a limit, if what comes is like what came; None: over a million.

    Args:
        differences: As of `intervals`; at least one.
        error: As of `intervals`.
        limit: What the mean is to be told from.

    >>> import numpy as np
    >>> needed(np.array([0.3, -0.1]), 0.05, 0.0)
    159
    """
    import numpy as np

    most = 4 * len(differences)
    while most < 4 * _MOST and len(differences):
        low, high = intervals(np.resize(differences, min(most, _MOST)), error)
        told = (low > limit) | (high < limit)
        if told.any():
            return int(np.argmax(told)) + 1
        most *= 4
    return None
