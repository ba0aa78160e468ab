"""Has an input left what is usual? Five statistics a day of every feature, three deviations of the daily statistic.

Mean, stddev, min, max and null share of numbers, null share and the share of each value of categories (the count of
rows is `volume`) are held against the training days: beyond three deviations *of the daily statistic* it speaks up,
which over thousands of rows is far earlier than three deviations of a row. Many features make one family: the share of
false alarms among them is held, not each one's. A shift smaller than `min_shift` is no alarm, however sure it is.

Use it for every model. Not for whole distributions whose moments stay: `psi`, `ks`, `jensen_shannon`, `wasserstein`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._daily import DailyOptions, Shift, number, told, unjudged, watched
from mlctl.monitors._looks import looks_like
from mlctl.sketches.statistics import back, statistics

if TYPE_CHECKING:
    from mlctl.sketches import Baseline, Sketch


class Options(DailyOptions):
    """Options of the five daily statistics."""

    kind: Literal["three_sigma"] = Field(default="three_sigma", description="three_sigma")
    sigma: float = Field(default=3.0, gt=0, le=10, description="deviations of the daily statistic")
    min_shift: float = Field(
        default=0.1,
        ge=0,
        description="smallest shift that matters: of a mean in deviations of a training row; of a stddev as a share of "
        "it; of a share p in units of sqrt(p (1 - p))",
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "three_sigma", "min_shift": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """Every statistic of every watched feature, with its three-sigma limits."""
    if baseline is None or window.sheet is None:
        return []
    found = []
    for column in watched(options, baseline):
        shape, scale = baseline.shapes[column], baseline.scale(column)
        sketch = window.sheet.columns.get(column)
        for what, (value, _) in (statistics(sketch, shape, scale) if sketch else {}).items():
            norm = baseline.norms.get(column, {}).get(what)
            if norm is None:
                found.append(Measured(what, column, value))
                continue
            rows = window.sheet.rows
            low, high = (back(what, end, scale) for end in norm.limits(rows, window.day, options.sigma))
            middle = back(what, norm.expected(rows, window.day)[0], scale)
            found.append(Measured(what, column, value, middle, low, high))
    return found


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that left what is usual, by importance times shift."""
    if baseline is None or window.sheet is None or unjudged(options, window, baseline):
        return unjudged(options, window, baseline)
    from scipy.special import ndtr

    shifts = {}
    for column in watched(options, baseline):
        sketch = window.sheet.columns.get(column)
        if sketch is not None and (found := _shift(options, window, baseline, column, sketch)) is not None:
            shifts[column] = found
    return told(options, window, baseline, shifts, 2 * float(ndtr(-options.sigma)))


def _shift(
    options: Options, window: Window, baseline: Baseline, column: str, sketch: Sketch
) -> tuple[Shift, bool] | None:
    """The most surprising statistic of a column, and whether it matters."""
    shape, scale = baseline.shapes[column], baseline.scale(column)
    if shape.kind == "number" and not scale.deviation and (constant := _constant(baseline, column, sketch)):
        return constant
    rows = window.sheet.rows if window.sheet else 0
    best: tuple[tuple[bool, float, float], str, float] | None = None
    found = statistics(sketch, shape, scale)
    for what, (value, even) in found.items():
        norm = baseline.norms.get(column, {}).get(what)
        if norm is None:
            continue
        chance = norm.surprise(even, rows, window.day)
        size = abs(even - norm.expected(rows, window.day)[0])
        order = (size >= options.min_shift, -chance, size)
        if best is None or order > best[0]:
            best = (order, what, value)
    if best is None:
        return None
    (_, likely, size), what, value = best
    norm = baseline.norms[column][what]
    low, high = (back(what, end, scale) for end in norm.limits(rows, window.day, options.sigma))
    shift = Shift(
        column,
        what,
        min(1.0, -likely * len(found)),
        size,
        f"{what} {number(value)}",
        f"{number(low)} to {number(high)}",
        looks_like(what, sketch, baseline, column, found),
    )
    return shift, size >= options.min_shift


def _constant(baseline: Baseline, column: str, sketch: Sketch) -> tuple[Shift, bool] | None:
    """Another value than the one that all training rows had."""
    whole = baseline.whole.columns[column]
    if whole.low is None or sketch.low is None or sketch.high is None or whole.high is None:
        return None
    same = math.isclose(sketch.low, whole.low, rel_tol=1e-6) and math.isclose(sketch.high, whole.high, rel_tol=1e-6)
    if same:
        return None
    value = f"values from {number(sketch.low)} to {number(sketch.high)}"
    return Shift(column, "constant", 0.0, 10.0, value, f"{number(whole.low)} alone, as in every training row"), True
