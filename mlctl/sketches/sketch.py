"""The sketch of one column over some rows: whole numbers that add up to the same, however the rows are divided.

Sums are whole multiples of the shape's unit, counted from its centre, so that neither the order of rows nor the way
they were split changes a bit (`.github/decisions/0036-sketches-count-in-whole-steps.md`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mlctl.sketches.shapes import Shape

MOST_NEW: Final = 8
"""Names of categories that training did not hold, kept to be told; all are counted."""


@dataclass(frozen=True)
class Sketch:
    """What is known of a column without its rows.

    Attributes:
        rows: How many rows there were.
        nulls: How many had no value.
        odd: How many held NaN or an infinity.
        total: Sum of the others, in units from the centre.
        squares: Sum of the squares, in squared units.
        low: The smallest value; None where there is none.
        high: The largest value.
        bins: Rows by bin.
        new: Some categories that training did not hold, with their rows.
    """

    rows: int = 0
    nulls: int = 0
    odd: int = 0
    total: int = 0
    squares: int = 0
    low: float | None = None
    high: float | None = None
    bins: tuple[int, ...] = ()
    new: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Rows with a usable value."""
        return self.rows - self.nulls - self.odd

    @property
    def null_share(self) -> float:
        """Share of rows without a usable value; 1 where there are no rows."""
        return (self.nulls + self.odd) / self.rows if self.rows else 1.0

    def mean(self, shape: Shape) -> float | None:
        """The mean of the usable values; None where there are none."""
        return shape.centre + shape.unit * (self.total / self.known) if self.known else None

    def deviation(self, shape: Shape) -> float | None:
        """The sample's standard deviation; None below two usable values."""
        if self.known < 2:
            return None
        # exact in whole numbers; only the last division rounds
        spread = self.known * self.squares - self.total * self.total
        return shape.unit * math.sqrt(max(spread, 0) / (self.known * (self.known - 1)))

    def without_farthest(self, shape: Shape) -> Sketch:
        """The moments without the row that lies farthest from the mean; the rest stays as it is.

        >>> Sketch(rows=3, total=12, squares=102, low=1.0, high=10.0).without_farthest(Shape(kind="number")).total
        2
        """
        mean = self.mean(shape)
        if mean is None or self.low is None or self.high is None or self.known < 2:
            return self
        farthest = self.high if self.high - mean >= mean - self.low else self.low
        steps = round((farthest - shape.centre) / shape.unit)
        rows, squares = self.rows - 1, max(self.squares - steps * steps, 0)
        return replace(self, rows=rows, total=self.total - steps, squares=squares)

    def shares(self) -> list[float]:
        """Share of the usable values by bin; all 0 where there are none."""
        return [count / self.known if self.known else 0.0 for count in self.bins]

    def record(self) -> list[Any]:
        """The sketch as JSON-ready data, in the order of the attributes."""
        sums = [self.total, str(self.squares)]  # squares may need more than 64 bits, which not every reader of JSON has
        return [self.rows, self.nulls, self.odd, *sums, self.low, self.high, list(self.bins), dict(self.new)]

    @classmethod
    def of_record(cls, told: list[Any]) -> Sketch:
        """The sketch that `record` gave."""
        rows, nulls, odd, total, squares, low, high, bins, new = told
        return cls(rows, nulls, odd, total, int(squares), low, high, tuple(bins), new)


def together(one: Sketch, other: Sketch) -> Sketch:
    """Both rows' sketch; it is the one that all rows at once would give.

    >>> together(Sketch(rows=2, total=3, bins=(1, 1)), Sketch(rows=1, total=4, bins=(0, 1))).bins
    (1, 2)
    """
    lows = [low for low in (one.low, other.low) if low is not None]
    highs = [high for high in (one.high, other.high) if high is not None]
    longer, shorter = (one.bins, other.bins) if len(one.bins) >= len(other.bins) else (other.bins, one.bins)
    bins = tuple(count + (shorter[place] if place < len(shorter) else 0) for place, count in enumerate(longer))
    new = commonest(Counter(one.new) + Counter(other.new))
    return Sketch(
        one.rows + other.rows,
        one.nulls + other.nulls,
        one.odd + other.odd,
        one.total + other.total,
        one.squares + other.squares,
        min(lows, default=None),
        max(highs, default=None),
        bins,
        new,
    )


def commonest(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent names, those of equal frequency by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_NEW])
