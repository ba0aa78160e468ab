"""Has an input left what is usual? Five statistics a day of every feature, three deviations of the daily statistic.

Mean, stddev, min, max and null share of numbers, null share and the share of each value of categories (the count of
rows is `volume`) are held against the training days: beyond three deviations *of the daily statistic* it speaks up,
which over thousands of rows is far earlier than three deviations of a row. All statistics, all features and all days of
a year make one family: three deviations is the chance of a false alarm of the family, not of each one. A shift smaller
than `min_shift` is no alarm, however sure it is.

Use it for every model. Not for whole distributions whose moments stay: `psi`, `ks`, `jensen_shannon`, `wasserstein`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._daily import DailyOptions, Shift, SigmaOptions, false_share, told, unjudged, watched
from mlctl.monitors._sigma import Column, measured, most_surprising

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(SigmaOptions, DailyOptions):
    """Options of the five daily statistics."""

    kind: Literal["three_sigma"] = Field(default="three_sigma", description="three_sigma")


EXAMPLE: Final[dict[str, object]] = {"kind": "three_sigma", "min_shift": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """Every statistic of every watched feature, with its three-sigma limits."""
    if baseline is None or window.sheet is None:
        return []
    return [one for column in _columns(options, window, baseline) for one in measured(column, options.sigma)]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that left what is usual, by importance times shift."""
    if baseline is None or window.sheet is None or unjudged(options, window, baseline):
        return unjudged(options, window, baseline)
    columns = window.sheet.columns
    suspects = baseline.screen.suspects(columns, window.day, options.sigma, options.min_shift)
    shifts = {}
    for name in watched(options, baseline):
        shifts[name] = (Shift.none(name), False)
        if name in suspects:
            column = Column.of(name, columns[name], baseline, window.day)
            shifts[name] = most_surprising(column, options.sigma, options.min_shift) or shifts[name]
    return told(options, window, baseline, shifts, false_share(options.sigma))


def _columns(options: Options, window: Window, baseline: Baseline) -> list[Column]:
    columns = {} if window.sheet is None else window.sheet.columns
    return [
        Column.of(name, columns[name], baseline, window.day) for name in watched(options, baseline) if name in columns
    ]
