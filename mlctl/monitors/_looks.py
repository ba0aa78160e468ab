"""What the shift of a column looks like, in words: another unit, an empty column, a lost or a new value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from mlctl.sketches import Shape, Sketch
from mlctl.sketches.statistics import DEVIATION, HIGH, MEAN, NULLS, OTHERS

_UNITS: Final = {
    **dict.fromkeys((10.0, 100.0, 1000.0, 1e6), 0.15),
    **dict.fromkeys((24.0, 60.0, 3600.0), 0.08),
    **dict.fromkeys((1.609344, 2.20462, 2.54, 3.28084), 0.03),
}
"""Ratios between units, and how far the logarithm of a ratio may lie from them."""


_FAR: Final = 5.0
"""A largest value that is so many times training's comes from no tail."""


def looks_like(what: str, sketch: Sketch, whole: Sketch, shape: Shape, found: Mapping[str, tuple[float, float]]) -> str:
    """What it looks like; empty where it looks like nothing known.

    Args:
        what: The statistic that moved.
        sketch: The column's day.
        whole: The training rows.
        shape: What both count.
        found: Every statistic of the day.
    """
    if not sketch.known:
        return "the column came empty"
    if shape.kind == "category":
        return _value(what, sketch)
    return "" if what == NULLS else _unit(whole, shape, found)


def _value(what: str, sketch: Sketch) -> str:
    if what == OTHERS and sketch.new:
        return f"values that training did not tell apart: {', '.join(list(sketch.new)[:3])}"
    return ""


def _unit(whole: Sketch, shape: Shape, found: Mapping[str, tuple[float, float]]) -> str:
    before, deviation = whole.mean(shape), whole.deviation(shape)
    if MEAN not in found or DEVIATION not in found or not before or not deviation:
        return ""
    grown = found[MEAN][0] / before
    if grown <= 0:
        return ""
    for unit, near in _UNITS.items():
        for ratio, words in ((unit, f"times {unit:g}"), (1 / unit, f"divided by {unit:g}")):
            of_spread = abs(math.log(found[DEVIATION][0] / deviation / ratio))
            if abs(math.log(grown / ratio)) < near and of_spread < 2 * near:
                return f"all values look {words}: another unit?"
    farther = found[HIGH][0] / whole.high if HIGH in found and whole.high else 0.0
    return f"the largest value is {farther:,.0f} times training's: some rows in another unit?" if farther > _FAR else ""
