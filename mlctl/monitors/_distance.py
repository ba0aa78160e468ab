"""What the monitors that hold whole histograms against training's share: a distance, its limit, and its noise.

A distance between two samples of the same world is never 0, and is larger the fewer rows a day has. A column speaks up
only where its distance is beyond `limit`, beyond what the training days reached (three deviations above their mean),
and too large for chance at so many rows (a chi-square or Kolmogorov test, Benjamini-Hochberg over the columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._daily import DailyOptions, Shift, false_share, number, told, unjudged, watched
from mlctl.sketches import Baseline, Sketch
from mlctl.sketches.sheet import DIRECTION, WORDS
from mlctl.sketches.statistics import distances

Chosen = Callable[[str], bool]
_SIGMA: Final = 3.0
_FEWEST_IN_BIN: Final = 10
"""Expected rows from which a bin counts by itself, so that chi-square holds."""
_TOGETHER: Final = 4
"""Words of one text come together, so that they are worth fewer rows than there are words."""


class DistanceOptions(DailyOptions):
    """Options of a distance between histograms."""

    limit: float = Field(default=0.1, gt=0, description="distance from which a shift matters")


def measured(
    options: DistanceOptions, window: Window, baseline: Baseline | None, what: str, chosen: Chosen = lambda name: True
) -> list[Measured]:
    """The distance of every watched column that has one."""
    if baseline is None or window.sheet is None:
        return []
    found = []
    for column in filter(chosen, watched(options, baseline)):
        value = _distance(window.sheet.columns.get(column), baseline, column, what)
        if value is not None:
            norm = baseline.norms.get(column, {}).get(what)
            usual = None if norm is None else norm.middle
            found.append(Measured(what, column, value, usual, high=_allowed(options, window, baseline, column, what)))
    return found


def observed(
    options: DistanceOptions, window: Window, baseline: Baseline | None, what: str, chosen: Chosen = lambda name: True
) -> list[Finding]:
    """The columns whose histogram left training's, by importance times distance."""
    if baseline is None or window.sheet is None or unjudged(options, window, baseline):
        return unjudged(options, window, baseline)
    shifts = {}
    for column in filter(chosen, watched(options, baseline)):
        sketch = window.sheet.columns.get(column)
        value = _distance(sketch, baseline, column, what)
        if sketch is not None and value is not None:
            allowed = _allowed(options, window, baseline, column, what)
            likely = _chance(what, sketch, baseline, column)
            looks = _moved(sketch, baseline, column)
            shift = Shift(column, what, likely, value, f"{what} {number(value)}", number(allowed), looks)
            shifts[column] = (shift, value > allowed)
    return told(options, window, baseline, shifts, false_share(_SIGMA))


def _distance(sketch: Sketch | None, baseline: Baseline, column: str, what: str) -> float | None:
    if sketch is None:
        return None
    return distances(sketch, baseline.whole.columns[column], baseline.shapes[column]).get(what)


def _allowed(options: DistanceOptions, window: Window, baseline: Baseline, column: str, what: str) -> float:
    norm = baseline.norms.get(column, {}).get(what)
    if norm is None or window.sheet is None:
        return options.limit
    # the noise of psi falls with the rows, that of the others with their root
    fewer = max(norm.rows / max(window.sheet.rows, 1), 1.0)
    of_weekday = norm.middle + (norm.weekdays[window.day.weekday()] if norm.weekdays else 0.0)
    return max(options.limit, (of_weekday + _SIGMA * norm.spread) * (fewer if what == "psi" else math.sqrt(fewer)))


def _chance(what: str, sketch: Sketch, baseline: Baseline, column: str) -> float:
    """The chance of so large a distance between two samples of one world: by ranks where the distance hangs on them."""
    from scipy.special import chdtrc, kolmogorov

    whole = baseline.whole.columns[column]
    found = distances(sketch, whole, baseline.shapes[column])
    rows = 1 / (1 / sketch.known + 1 / whole.known)
    if column.endswith(WORDS):
        rows /= _TOGETHER
    if what in ("ks", "wasserstein"):
        by_ranks = float(kolmogorov(found["ks"] * math.sqrt(rows)))
        # a projection of a vector is a sum of many numbers, whose mean tells more than ranks do
        return min(1.0, 2 * min(by_ranks, _by_mean(sketch, baseline, column))) if DIRECTION in column else by_ranks
    statistic, bins = _pooled(sketch, whole, rows)
    return float(chdtrc(max(bins - 1, 1), statistic))


def _by_mean(sketch: Sketch, baseline: Baseline, column: str) -> float:
    """The chance that two means lie as far apart, by a normal distribution."""
    from scipy.special import ndtr

    whole, shape = baseline.whole.columns[column], baseline.shapes[column]
    ours, theirs = sketch.mean(shape), whole.mean(shape)
    deviations = (sketch.deviation(shape) or 0.0, whole.deviation(shape) or 0.0)
    error = math.hypot(deviations[0] / math.sqrt(sketch.known), deviations[1] / math.sqrt(whole.known))
    if ours is None or theirs is None or not error:
        return 1.0
    return 2 * float(ndtr(-abs(ours - theirs) / error))


def _pooled(sketch: Sketch, whole: Sketch, rows: float) -> tuple[float, int]:
    """Pearson's chi-square of both histograms, and over how many bins: sparse ones count together.

    Which ones do must not hang on the day itself: bins that few rows left empty by chance would stand together.
    """
    statistic, bins, ours, theirs = 0.0, 0, 0.0, 0.0
    for a, b in sorted(zip(sketch.shares(), whole.shares(), strict=True), key=lambda pair: pair[1]):
        ours, theirs = ours + a, theirs + b
        if (ours + theirs) / 2 * rows >= _FEWEST_IN_BIN:
            statistic += (ours - theirs) ** 2 / ((ours + theirs) / 2) * rows
            bins, ours, theirs = bins + 1, 0.0, 0.0
    if ours + theirs:
        statistic, bins = statistic + (ours - theirs) ** 2 / ((ours + theirs) / 2) * rows, bins + 1
    return statistic, bins


def _moved(sketch: Sketch, baseline: Baseline, column: str) -> str:
    """The bin whose share changed most, in words."""
    shape, ours, theirs = baseline.shapes[column], sketch.shares(), baseline.whole.columns[column].shares()
    place = max(range(len(ours)), key=lambda index: abs(ours[index] - theirs[index]))
    if shape.kind == "category":
        name = repr(shape.categories[place]) if place < len(shape.categories) else "other values"
    else:
        low = f"from {number(shape.edges[place - 1])}" if place else ""
        high = f"below {number(shape.edges[place])}" if place < len(shape.edges) else ""
        name = " ".join(filter(None, ("values", low, high)))
    return f"{name}: {theirs[place]:.1%} in training, {ours[place]:.1%} now"
