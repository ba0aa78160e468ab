"""Which columns of a day could be surprising at all, told for all columns at once.

A statistic that moved by less than `min_shift`, or by less than `sigma` deviations of its days, can raise no alarm.
Nearly every column of nearly every day is like that. So a year of days is looked through by a few array operations a
day, and only what is left is judged one by one (`monitors/_sigma.py`), by the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from mlctl.sketches.norms import Norm
from mlctl.sketches.shapes import Shape
from mlctl.sketches.sketch import Sketch
from mlctl.sketches.statistics import DEVIATION, HIGH, LOW, MEAN, MOST_SHARES, NULLS, OTHERS, Scale

if TYPE_CHECKING:
    import numpy as np

_NUMBERS: Final = (NULLS, MEAN, DEVIATION, LOW, HIGH)


class Screen:
    """The statistics of some columns as arrays.

    Args:
        columns: By column its shape, its scale, and what its statistics are like on usual days.
    """

    def __init__(self, columns: Mapping[str, tuple[Shape, Scale, Mapping[str, Norm]]]) -> None:
        import numpy as np

        # a column that never varied is judged by its only value, not by statistics
        self._always = {name for name, (shape, scale, _) in columns.items() if _constant(shape, scale)}
        judged = {name: told for name, told in columns.items() if name not in self._always}
        self._numbers = [name for name, (shape, _, _) in judged.items() if shape.kind == "number"]
        self._categories = [name for name, (shape, _, _) in judged.items() if shape.kind == "category"]
        self._centre = np.asarray([judged[name][0].centre for name in self._numbers])
        self._unit = np.asarray([judged[name][0].unit for name in self._numbers])
        self._mean = np.asarray([judged[name][1].mean for name in self._numbers])
        self._deviation = np.asarray([judged[name][1].deviation for name in self._numbers])
        self._of_number = [_Norms([judged[name][2].get(what) for name in self._numbers]) for what in _NUMBERS]
        shares = [(name, what) for name in self._categories for what in _shares(judged[name][0])]
        self._of_share = _Norms([judged[name][2].get(what) for name, what in shares])
        self._owner = np.asarray([self._categories.index(name) for name, _ in shares], dtype=np.int64)

    def suspects(self, columns: Mapping[str, Sketch], day: date, sigma: float, min_shift: float) -> set[str]:
        """The columns whose statistics moved far enough to be judged one by one: by `sigma` and by `min_shift`."""
        import numpy as np

        found = set(self._always)
        gone = [name for name in (*self._numbers, *self._categories) if name not in columns]
        sketches = [columns.get(name, Sketch()) for name in self._numbers]
        if sketches:
            rows, values = self._even(sketches)
            moved = np.zeros(len(sketches), dtype=bool)
            for norms, even in zip(self._of_number, values, strict=True):
                moved |= norms.moved(even, rows, day, (sigma, min_shift))
            found |= {name for name, so in zip(self._numbers, moved.tolist(), strict=True) if so}
        if self._categories:
            moved = self._moved_shares(
                [columns.get(name, Sketch()) for name in self._categories], day, (sigma, min_shift)
            )
            found |= {name for name, so in zip(self._categories, moved.tolist(), strict=True) if so}
        return found - set(gone)

    def _even(self, sketches: list[Sketch]) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
        """Rows, and on the even scale every statistic of `_NUMBERS`; NaN where it cannot be computed."""
        import numpy as np

        rows = np.asarray([sketch.rows for sketch in sketches], dtype=np.float64)
        missing = np.asarray([sketch.nulls + sketch.odd for sketch in sketches], dtype=np.float64)
        total = np.asarray([float(sketch.total) for sketch in sketches])
        squares = np.asarray([float(sketch.squares) for sketch in sketches])
        low = np.asarray([math.nan if sketch.low is None else sketch.low for sketch in sketches])
        high = np.asarray([math.nan if sketch.high is None else sketch.high for sketch in sketches])
        with np.errstate(all="ignore"):
            known = rows - missing
            mean = self._centre + self._unit * (total / known)
            deviation = self._unit * np.sqrt(np.maximum(squares - total * total / known, 0) / (known - 1))
            scaled = [(value - self._mean) / self._deviation for value in (mean, low, high)]
            spread = np.log(deviation / self._deviation)
            nulls = _even(missing, rows)
        return rows, [nulls, scaled[0], spread, np.arcsinh(scaled[1]), np.arcsinh(scaled[2])]

    def _moved_shares(self, sketches: list[Sketch], day: date, least: tuple[float, float]) -> np.ndarray[Any, Any]:
        import numpy as np

        counts: list[int] = []
        totals: list[int] = []
        for sketch in sketches:
            told = sketch.bins[: min(MOST_SHARES, len(sketch.bins) - 1)] if sketch.bins else ()
            counts += [sketch.nulls + sketch.odd, *told, sum(sketch.bins[len(told) :])]
            totals += [sketch.rows, *(sketch.known for _ in told), sketch.known]
        rows = np.asarray(totals, dtype=np.float64)
        moved = self._of_share.moved(_even(np.asarray(counts, dtype=np.float64), rows), rows, day, least)
        found: np.ndarray[Any, Any] = np.bincount(self._owner[moved], minlength=len(sketches)) > 0
        return found


class _Norms:
    """Norms as arrays; where there is none, nothing is ever far off."""

    def __init__(self, norms: list[Norm | None]) -> None:
        import numpy as np

        empty = Norm("", math.nan, 1.0, 1, 1.0, (), True, 0.0)
        told = [norm or empty for norm in norms]
        self._middle = np.asarray([norm.middle for norm in told])
        self._spread = np.asarray([norm.spread for norm in told])
        self._days = np.asarray([max(norm.days, 1) for norm in told], dtype=np.float64)
        self._rows = np.asarray([norm.rows for norm in told])
        self._observed = np.asarray([norm.observed for norm in told], dtype=bool)
        self._slack = np.asarray([norm.slack for norm in told])
        self._weekdays = np.asarray([norm.weekdays or (0.0,) * 7 for norm in told]).reshape(len(told), 7)
        self._reach = np.asarray([{HIGH: 1.0, LOW: -1.0}.get(norm.what, 0.0) for norm in told])

    def moved(
        self, even: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], day: date, least: tuple[float, float]
    ) -> np.ndarray[Any, Any]:
        """[norms] whether a value lies far enough off, as `Norm.expected` says what is usual."""
        import numpy as np

        with np.errstate(all="ignore"):
            ratio = self._rows / np.maximum(rows, 1)
            middle = self._middle + self._weekdays[:, day.weekday()]
            middle = middle - self._reach * self._spread * (math.sqrt(6) / math.pi) * np.log(ratio)
            grown = np.sqrt(np.where(self._observed, np.maximum(ratio, 1.0), ratio))
            spread = self._spread * np.where(self._reach == 0, grown, 1.0)
            spread = np.maximum(spread, self._slack / np.sqrt(np.maximum(rows, 1))) * np.sqrt(1 + 1 / self._days)
            off = np.abs(even - middle)
            moved: np.ndarray[Any, Any] = (off >= least[1]) & (off >= least[0] * spread)
            return moved


def _even(count: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    found: np.ndarray[Any, Any] = 2 * np.arcsin(np.sqrt((count + 0.375) / (rows + 0.75)))
    return found


def _constant(shape: Shape, scale: Scale) -> bool:
    return shape.kind == "number" and not scale.deviation


def _shares(shape: Shape) -> list[str]:
    return [NULLS, *(f"share of {name}" for name in shape.categories[:MOST_SHARES]), OTHERS]
