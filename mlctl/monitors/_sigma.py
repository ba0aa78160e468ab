"""The daily statistics of one column against its training days: what is measured, and the most surprising of them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mlctl.monitors import Measured
from mlctl.monitors._daily import Shift, number
from mlctl.monitors._looks import looks_like
from mlctl.sketches import Baseline, Shape, Sketch
from mlctl.sketches.norms import Norm
from mlctl.sketches.statistics import DEVIATION, HIGH, LOW, MEAN, Scale, back, statistics


@dataclass(frozen=True)
class Column:
    """A column of one day, and what training says of it.

    Attributes:
        name: Its name.
        sketch: Its day.
        whole: The training rows.
        shape: What both count.
        norms: By statistic, what it is like on usual days.
        rows: Rows of the day.
        day: Which day.
    """

    name: str
    sketch: Sketch
    whole: Sketch
    shape: Shape
    norms: Mapping[str, Norm]
    rows: int
    day: date

    @classmethod
    def of(cls, name: str, sketch: Sketch, baseline: Baseline, day: date) -> Column:
        """The column of a feature or output."""
        norms = baseline.norms.get(name, {})
        return cls(name, sketch, baseline.whole.columns[name], baseline.shapes[name], norms, sketch.rows, day)

    @property
    def scale(self) -> Scale:
        """The unit of its statistics."""
        return Scale.of(self.whole, self.shape)

    def expected(self, what: str, sigma: float) -> tuple[float, float, float]:
        """Middle, low and high of one statistic, for people."""
        norm = self.norms[what]
        low, high = norm.limits(self.rows, self.day, sigma)
        middle = norm.expected(self.rows, self.day)[0]
        return back(what, middle, self.scale), back(what, low, self.scale), back(what, high, self.scale)


def measured(column: Column, sigma: float) -> list[Measured]:
    """Every statistic with its limits; without limits where no training day tells them."""
    found = []
    for what, (value, _) in statistics(column.sketch, column.shape, column.scale).items():
        ends = column.expected(what, sigma) if what in column.norms else (None, None, None)
        found.append(Measured(what, column.name, value, *ends))
    return found


def most_surprising(column: Column, sigma: float, min_shift: float) -> tuple[Shift, bool] | None:
    """The most surprising statistic, among those that moved by `min_shift` if any did, and whether it did."""
    if column.shape.kind == "number" and not column.scale.deviation:
        return _constant(column)
    found = statistics(column.sketch, column.shape, column.scale)
    without = statistics(column.sketch.without_farthest(column.shape), column.shape, column.scale)
    judged = []
    for what in found:
        norm = column.norms.get(what)
        if norm is not None:
            size = abs(found[what][1] - norm.expected(column.rows, column.day)[0])
            chance = norm.surprise(found[what][1], column.rows, column.day)
            chance = max(chance, _by_luck(column, what))
            if what in (MEAN, DEVIATION) and what in without:
                # where tails are long one row may carry the whole moment: how far it lies is the extremes' to tell
                chance = max(chance, norm.surprise(without[what][1], column.rows, column.day))
            judged.append((size >= min_shift, -chance, size, what))
    if not judged:
        return None
    matters, likely, size, what = max(judged)
    _, low, high = column.expected(what, sigma)
    value, limit = f"{what} {number(found[what][0])}", f"{number(low)} to {number(high)}"
    looks = looks_like(what, column.sketch, column.whole, column.shape, found)
    return Shift(column.name, what, min(1.0, -likely * len(found)), size, value, limit, looks), matters


def _by_luck(column: Column, what: str) -> float:
    """The chance that so few rows as the day's reach no farther than they do; 0 for all but extremes inside training's.

    Rows of the extreme's own bin may lie on either side of it and are not held against it.
    """
    ends = (column.sketch.low, column.sketch.high, column.whole.low, column.whole.high)
    low, high, least, most = (math.nan if end is None else end for end in ends)
    if what == HIGH and high < most:
        beyond = sum(column.whole.bins[bisect.bisect_right(column.shape.edges, high) + 1 :])
    elif what == LOW and low > least:
        beyond = sum(column.whole.bins[: bisect.bisect_right(column.shape.edges, low)])
    else:
        return 0.0
    return (1 - beyond / column.whole.known) ** column.sketch.known


def _constant(column: Column) -> tuple[Shift, bool] | None:
    """Another value than the one that all training rows had, or none at all."""
    low, high, only = column.sketch.low, column.sketch.high, column.whole.low
    if only is None:
        return None
    if low is None or high is None:
        return Shift(column.name, "null_share", 0.0, 1.0, "null_share 1", "0", "the column came empty"), True
    if math.isclose(low, only, rel_tol=1e-6) and math.isclose(high, only, rel_tol=1e-6):
        return None
    value = f"values from {number(low)} to {number(high)}"
    return Shift(column.name, "constant", 0.0, 10.0, value, f"{number(only)} alone, as in every training row"), True
