"""What a daily statistic is like on the training days, and how surprising another day's value is.

The deviation is that of the *daily statistic*, from the training days, and a few days know it badly: a value is judged
by Student's t of a new observation, whose three-sigma limits are wider the fewer days there were. Where weekdays differ
(an F test at 1 % over three weeks or more), a day is held against its own weekday. A smallest and a largest value
follow Gumbel's distribution on the asinh scale, and so do mean and deviation of a column with long tails. A day
beyond six robust deviations is left out. Where days scatter no more than so many rows do by chance (a chi-square test
at 1 %), chance is what they are judged by: its spread is known, and Student's wide limits are not needed.

Gumbel, "Statistics of Extremes" (1958); Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the
Royal Statistical Society B 57 (1995).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final

from mlctl.sketches.statistics import DEVIATION, HIGH, LOW, MEAN, NULLS

if TYPE_CHECKING:
    from mlctl.sketches.baseline import Day

_WEEK: Final = 7
_FEWEST_FOR_WEEKDAYS: Final = 21
_FAR: Final = 6.0
_LONG: Final = math.asinh(5.0)
"""A day's extreme that lies so many deviations of a row off is that of a long tail."""
_MOST_LEFT_OUT: Final = 0.1
_GUMBEL: Final = math.pi / math.sqrt(6)
_EULER: Final = 0.5772156649015329
_BEYOND_CHANCE: Final = 0.01
_SURE: Final = 1000
"""Degrees of freedom where the spread is known and not estimated."""


@dataclass(frozen=True)
class Norm:
    """One statistic of one column on the training days, on the even scale.

    Attributes:
        what: The statistic.
        middle: Its mean.
        spread: Its deviation from day to day.
        days: How many days that is known from.
        rows: Rows of a usual day.
        weekdays: By weekday from Monday, how far it lies from the middle; empty where weekdays do not differ.
        observed: Whether the days were real ones.
        slack: Spread of one row's part, known without any day; 0 where it is not.
        above: Whether days lie farther above the middle than a normal distribution says: extremes, and whatever hangs
            on the extremes of a long tail.
        below: The same below the middle.
    """

    what: str
    middle: float
    spread: float
    days: int
    rows: float
    weekdays: tuple[float, ...]
    observed: bool
    slack: float
    above: bool = False
    below: bool = False

    @cached_property
    def by_chance(self) -> bool:
        """Whether the days scatter no more than so many rows do by chance alone."""
        from scipy.special import chdtri

        dof = self.days - (_WEEK if self.weekdays else 1)
        # the slack of a deviation is an estimate
        if dof < 1 or not self.slack or self.what == DEVIATION:
            return False
        return dof * self.spread**2 * self.rows <= self.slack**2 * float(chdtri(dof, _BEYOND_CHANCE))

    def expected(self, rows: int, day: date) -> tuple[float, float, int]:
        """Middle and spread of a new day of so many rows, and the degrees of freedom of the spread."""
        ratio = self.rows / max(rows, 1)
        middle = self.middle + (self.weekdays[day.weekday()] if self.weekdays else 0.0)
        spread, dof = self.spread, max(self.days - (_WEEK if self.weekdays else 1), 1)
        if self.what in (LOW, HIGH):
            # more rows reach farther: by the logarithm of their number
            middle += (1 if self.what == HIGH else -1) * spread / _GUMBEL * -math.log(ratio)
        else:
            # real days also differ by what no number of rows evens out
            spread *= math.sqrt(max(ratio, 1.0) if self.observed else ratio)
        # days of all the same entities show no error of sampling, a part of them does (Cochran, Sampling, 1977, 2.6)
        part = 1 / max(rows, 1) - (1 / self.rows if self.what == DEVIATION else 0.0)
        least = self.slack * math.sqrt(max(part, 0.0))
        if least > spread or self.by_chance:
            spread, dof = max(spread, least), _SURE
        return middle, spread * math.sqrt(1 + 1 / max(self.days, 1)), dof

    def limits(self, rows: int, day: date, sigma: float) -> tuple[float, float]:
        """Between which a day's value lies with the chance that `sigma` deviations of a normal have."""
        middle, spread, dof = self.expected(rows, day)
        reach = _deviations(dof, sigma) * spread
        return middle - reach, middle + reach

    def surprise(self, value: float, rows: int, day: date) -> float:
        """The chance that a usual day lies as far off, 0 to 1."""
        from scipy.special import ndtri, stdtr

        middle, spread, dof = self.expected(rows, day)
        if not spread:
            return 1.0 if math.isclose(value, middle, rel_tol=1e-9, abs_tol=1e-12) else 0.0
        off = (value - middle) / spread
        chance = 2 * float(stdtr(dof, -abs(off)))
        if (self.above and off > 0) or (self.below and off < 0):
            deviations = -float(ndtri(max(chance / 2, 1e-300)))
            return -math.expm1(-math.exp(-(deviations * _GUMBEL + _EULER)))
        return min(chance, 1.0)


@cache
def _deviations(dof: int, sigma: float) -> float:
    """How many deviations Student's t leaves the chance outside that so many leave outside a normal."""
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(dof, ndtr(sigma)))


def norms(days: Sequence[Day], observed: bool) -> dict[str, dict[str, Norm]]:
    """By column and statistic what it is like on the training days."""
    found: dict[str, dict[str, Norm]] = {}
    for column in {name: None for day in days for name in day.values}:
        told = [(day, day.values[column]) for day in days if column in day.values]
        for what in {name: None for _, values in told for name in values}:
            some = [(day, values[what]) for day, values in told if what in values]
            found.setdefault(column, {})[what] = _norm(what, some, observed, _tails(what, told))
    return found


def _tails(what: str, told: Sequence[tuple[Day, Mapping[str, float]]]) -> tuple[bool, bool]:
    """Whether a statistic has a long tail above and below: it is an extreme, or days hold rows that lie far out."""
    if what in (LOW, HIGH):
        return what == HIGH, what == LOW
    if what not in (MEAN, DEVIATION):
        return False, False
    high = _median([values.get(HIGH, 0.0) for _, values in told]) > _LONG
    low = _median([values.get(LOW, 0.0) for _, values in told]) < -_LONG
    return (high or (low and what == DEVIATION)), low and what == MEAN


def _norm(what: str, told: Sequence[tuple[Day, float]], observed: bool, tails: tuple[bool, bool]) -> Norm:
    told = _usual(told)
    values = [value for _, value in told]
    middle, spread = _moments(values)
    rows = sum(day.rows for day, _ in told) / len(told)
    weekdays: tuple[float, ...] = ()
    if observed and len(told) >= _FEWEST_FOR_WEEKDAYS:
        weekdays, spread = _by_weekday(told, middle, spread)
    slack = 1.0 if what in (MEAN, NULLS) or what.startswith("share of ") else 0.0
    return Norm(what, middle, spread, len(told), rows, weekdays, observed, slack, *tails)


def _usual(told: Sequence[tuple[Day, float]]) -> Sequence[tuple[Day, float]]:
    """The days without those that lie far off, if they are few."""
    middle = _median([value for _, value in told])
    near = 1.4826 * _median([abs(value - middle) for _, value in told])
    kept = [item for item in told if abs(item[1] - middle) <= _FAR * near]
    return kept if near and len(kept) >= (1 - _MOST_LEFT_OUT) * len(told) else told


def _by_weekday(told: Sequence[tuple[Day, float]], middle: float, spread: float) -> tuple[tuple[float, ...], float]:
    """By weekday how far it lies from the middle, and the spread around it; nothing where they do not differ."""
    from scipy.special import fdtrc

    by: dict[int, list[float]] = {}
    for day, value in told:
        if day.day is not None:
            by.setdefault(day.day.weekday(), []).append(value)
    if len(by) < _WEEK or min(map(len, by.values())) < 2:
        return (), spread
    inside = math.fsum((value - _moments(values)[0]) ** 2 for values in by.values() for value in values)
    whole, left = spread**2 * (len(told) - 1), len(told) - _WEEK
    if inside <= 0 or fdtrc(_WEEK - 1, left, max(whole - inside, 0) / (_WEEK - 1) / (inside / left)) > _BEYOND_CHANCE:
        return (), spread
    return tuple(_moments(by[weekday])[0] - middle for weekday in range(_WEEK)), math.sqrt(inside / left)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1))


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[len(ordered) // 2] + ordered[(len(ordered) - 1) // 2]) / 2


def discovered(chances: Mapping[str, float], level: float) -> set[str]:
    """Which of many tests speak up when the share of false ones among them may be `level` (Benjamini-Hochberg).

    >>> sorted(discovered({"a": 0.001, "b": 0.02, "c": 0.5}, 0.05))
    ['a', 'b']
    """
    ordered = sorted(chances.items(), key=lambda item: item[1])
    last = max(
        (place for place, (_, chance) in enumerate(ordered, 1) if chance <= level * place / len(ordered)), default=0
    )
    return {name for name, _ in ordered[:last]}
