"""Randomness without a state: a number is a hash of (seed, stream, who, which), so any part of the world stands alone.

Only whole numbers are used, and tables of whole numbers: floating-point logarithms may differ in the last bit from one
processor to the next, and a snapshot taken on another machine must hash to the same bytes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

    Whole = np.ndarray[Any, Any]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = 0xFFFFFFFFFFFFFFFF
MILLION: Final = 1_000_000
_STEPS: Final = 4096


def bits(seed: int, stream: str, *keys: Whole | int) -> Whole:
    """64 random bits for each combination of keys: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) over their values.

    Args:
        seed: The world's seed.
        stream: What the bits are for; other streams give other bits.
        keys: Arrays of the same length, or whole numbers.
    """
    import numpy as np

    start = seed & _MASK
    for letter in stream.encode():
        start = (start * 1_099_511_628_211 ^ letter) & _MASK
    state: Whole = np.uint64(start) + np.zeros(1, dtype=np.uint64)
    for key in keys:
        state = _mixed(state ^ _mixed(np.asarray(key, dtype=np.uint64)))
    return state


def below(random: Whole, limit: int) -> Whole:
    """Whole numbers 0 .. limit - 1 from 64 random bits; `limit` is at most 2**32."""
    import numpy as np

    return ((random >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)


def waiting(random: Whole) -> Whole:
    """Exponential waiting times with a mean of one, in whole millionths, from 64 random bits."""
    import numpy as np

    return np.asarray(_exponential(), dtype=np.int64)[below(random, _STEPS)]


def chosen(random: Whole, values: tuple[int, ...]) -> Whole:
    """One of the whole numbers, each as likely as any other."""
    import numpy as np

    return np.asarray(values, dtype=np.int64)[below(random, len(values))]


@cache
def _exponential() -> tuple[int, ...]:
    """The quantiles of an exponential with mean one, rounded to millionths: far coarser than any last bit."""
    return tuple(round(-math.log1p(-(step + 0.5) / _STEPS) * MILLION) for step in range(_STEPS))


def _mixed(value: Whole) -> Whole:
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = np.atleast_1d(value) + np.uint64(_GOLDEN)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        result: Whole = mixed ^ (mixed >> np.uint64(31))
    return result
