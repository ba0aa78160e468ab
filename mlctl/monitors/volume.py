"""Are as many rows scored as usual, and was anything scored at all when it was due?

The day's count is held against the days before (on a logarithmic scale, by their median and its deviation, against the
same weekday where there are enough of them; counts scatter at least as Poisson's do), so that a year of usual days has
the chance of a false alarm that `sigma` deviations have. A day without rows is judged by the usual distance between
days that have some: nightly batches are missed after one night, weekly ones after two weeks.

Use it always. Not for the volume of sources, which a check of kind `volume` counts before anything is scored.
"""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window
from mlctl.monitors._daily import SIGMA, day_sigma, false_share

if TYPE_CHECKING:
    from mlctl.sketches import Baseline

_LEAST_SPREAD: Final = 0.05
_FEWEST_OF_WEEKDAY: Final = 3
_AS_DEVIATION: Final = 1.4826
"""From a median of absolute differences to a normal's deviation."""


class Options(MonitorOptions):
    """Options of volume."""

    kind: Literal["volume"] = Field(default="volume", description="volume")
    max_change: float = Field(
        default=0.3, gt=0, description="smallest change that matters: share by which rows fall, or rise the other way"
    )
    sigma: float = Field(default=3.0, gt=0, le=20, description=SIGMA)
    fewest_days: int = Field(default=7, ge=3, description="days before that are needed to judge a count")
    min_rows: int = Field(default=1, ge=0, description="fewer rows are always told, on any day that has some")


EXAMPLE: Final[dict[str, object]] = {"kind": "volume", "max_change": 0.3}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The count of rows, and between which counts it is usual."""
    rows = 0 if window.sheet is None else window.sheet.rows
    usual = _usual(options, window)
    if usual is None:
        return [Measured("count", "rows", float(rows))]
    middle, low, high = usual
    return [Measured("count", "rows", float(rows), middle, low, high)]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """Too few rows, too many, or none on a day that was due."""
    if window.sheet is None or not window.sheet.rows:
        return _missed(options, window)
    rows, usual = window.sheet.rows, _usual(options, window)
    causes = "; ".join(window.causes)
    if rows < options.min_rows:
        return [
            Finding(options.severity, "rows.few", "rows", f"{rows:,}", f"at least {options.min_rows:,}", cause=causes)
        ]
    if usual is None:
        value = f"{len(_counts(window))} days before it with rows"
        return [Finding("note", "rows.days", f"{window.day}", value, f"at least {options.fewest_days}")]
    middle, low, high = usual
    if low <= rows <= high:
        return []
    which = "few" if rows < low else "many"
    limit = f"{low:,.0f} to {high:,.0f}, usually {middle:,.0f}"
    return [Finding(options.severity, f"rows.{which}", "rows", f"{rows:,} scored", limit, cause=causes)]


def _counts(window: Window) -> dict[date, int]:
    return {day: rows for day, rows in window.earlier.items() if rows}


def _usual(options: Options, window: Window) -> tuple[float, float, float] | None:
    """The usual count, and between which counts a day is usual; None where too few days are known."""
    counts = _counts(window)
    if len(counts) < options.fewest_days:
        return None
    of_weekdays = _logs_by_weekday(counts)
    alike, everybody = of_weekdays.get(window.day.weekday(), []), [math.log(rows) for rows in counts.values()]
    if len(alike) >= _FEWEST_OF_WEEKDAY:
        return _between(options, alike, _scatter(list(of_weekdays.values())))
    middle, low, high = _between(options, everybody, _scatter([everybody]))
    # of a weekday that is hardly known, what it was like before is usual too
    usual = [1.0, *(math.exp(value) / middle for value in alike)]
    return middle, low * min(usual), high * max(usual)


def _between(options: Options, logs: list[float], scatter: float) -> tuple[float, float, float]:
    """Middle, low and high of counts that are alike; never narrower than what comes by chance (Anscombe's root)."""
    middle = _median(logs)
    # the middle of few days is not well known either
    deviations = day_sigma(options.sigma) * math.sqrt(1 + math.pi / 2 / len(logs))
    reach = max(deviations * max(scatter, _LEAST_SPREAD), -math.log(max(1 - options.max_change, 1e-9)))
    root = 2 * math.sqrt(math.exp(middle) + 0.375)
    low, high = ((max(root + off, 0.0) / 2) ** 2 - 0.375 for off in (-deviations, deviations))
    return math.exp(middle), max(min(math.exp(middle - reach), low), 0.0), max(math.exp(middle + reach), high)


def _logs_by_weekday(counts: dict[date, int]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for day, rows in counts.items():
        found.setdefault(day.weekday(), []).append(math.log(rows))
    return found


def _scatter(groups: list[list[float]]) -> float:
    """The deviation of counts around the median of their group, over all groups large enough to have one."""
    off = [
        # a median of few lies nearer to them than the truth does
        abs(value - _median(group)) * math.sqrt(len(group) / (len(group) - 1))
        for group in groups
        if len(group) >= _FEWEST_OF_WEEKDAY
        for value in group
    ]
    return _AS_DEVIATION * _median(off)


def _missed(options: Options, window: Window) -> list[Finding]:
    """Nothing was scored: told once the usual distance is over, unless so few rows stay away by chance now and then."""
    days = sorted(_counts(window))
    if len(days) < options.fewest_days:
        return [Finding("note", "rows.none", f"{window.day}", "nothing scored", "some rows, if it was due")]
    usual = _median([(later - earlier).days for earlier, later in pairwise(days)])
    waited = (window.day - days[-1]).days
    by_chance = math.exp(-_median(list(_counts(window).values())) * waited / max(usual, 1))
    if waited <= usual or by_chance > false_share(options.sigma):
        return []
    value = f"nothing scored for {waited} days"
    limit = f"every {usual:g} days as before"
    return [Finding(options.severity, "rows.none", "rows", value, limit, cause="; ".join(window.causes))]


def _median(values: list[float] | list[int]) -> float:
    ordered = sorted(values)
    return (ordered[len(ordered) // 2] + ordered[(len(ordered) - 1) // 2]) / 2
