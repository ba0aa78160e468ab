"""Are as many rows scored as usual, and was anything scored at all when it was due?

The day's count is held against the days before (on a logarithmic scale, by their median and its deviation, against the
same weekday where there are enough of them). A day without rows is judged by the usual distance between days that have
some: nightly batches are missed after one night, weekly ones after two weeks.

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
    sigma: float = Field(default=3.0, gt=0, le=20, description="deviations of the daily count, on a logarithmic scale")
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
    return {day: sheet.rows for day, sheet in window.earlier.items() if sheet.rows}


def _usual(options: Options, window: Window) -> tuple[float, float, float] | None:
    """The usual count, and between which counts a day is usual; None where too few days are known."""
    counts = _counts(window)
    if len(counts) < options.fewest_days:
        return None
    alike = [rows for day, rows in counts.items() if day.weekday() == window.day.weekday()]
    logs = [math.log(rows) for rows in (alike if len(alike) >= _FEWEST_OF_WEEKDAY else counts.values())]
    middle = _median(logs)
    spread = max(_AS_DEVIATION * _median([abs(value - middle) for value in logs]), _LEAST_SPREAD)
    reach = max(options.sigma * spread, -math.log(max(1 - options.max_change, 1e-9)))
    return math.exp(middle), math.exp(middle - reach), math.exp(middle + reach)


def _missed(options: Options, window: Window) -> list[Finding]:
    """Nothing was scored: told once the usual distance between days is over by as much again."""
    days = sorted(_counts(window))
    if len(days) < options.fewest_days:
        return [Finding("note", "rows.none", f"{window.day}", "nothing scored", "some rows, if it was due")]
    usual = _median([(later - earlier).days for earlier, later in pairwise(days)])
    waited = (window.day - days[-1]).days
    if waited <= usual:
        return []
    value = f"nothing scored for {waited} days"
    limit = f"every {usual:g} days as before"
    return [Finding(options.severity, "rows.none", "rows", value, limit, cause="; ".join(window.causes))]


def _median(values: list[float] | list[int]) -> float:
    ordered = sorted(values)
    return (ordered[len(ordered) // 2] + ordered[(len(ordered) - 1) // 2]) / 2
