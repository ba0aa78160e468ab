"""How the values of a column lie now, beside how they lay in training: what an alarm of drift is about.

Training's bins of a number hold equally many rows, so neighbouring ones are put together until few are left: each bar
of training is then about as high as the others, whatever the tails, and what moved stands out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final

from mlctl.report.words import number
from mlctl.sketches import DECISION, SCORE, Baseline, Shape, Sketch, shelf
from mlctl.sketches.sheet import OUTPUTS
from mlctl.sketches.statistics import distances
from mlctl.workspace import Places

MOST: Final = 12
"""Columns whose values are told, those that moved farthest first."""
_BARS: Final = 8


def shapes(places: Places, day: date) -> list[dict[str, Any]]:
    """The values of a day's columns beside training's, those that moved farthest first; empty where nothing was scored.

    Raises:
        IntegrityError: Sketches or baseline are damaged.
    """
    watched = shelf.read(places, day, day).get(day)
    if watched is None:
        return []
    baseline = shelf.baseline(places, watched.baseline)
    found = []
    for column, shape in baseline.shapes.items():
        now = watched.sheet.columns.get(column)
        if now is not None and now.known and (column not in OUTPUTS or column in (SCORE, DECISION)):
            found.append(_told(column, shape, now, baseline))
    return sorted(found, key=lambda one: (-one["distance"], one["column"]))[:MOST]


def _told(column: str, shape: Shape, now: Sketch, baseline: Baseline) -> dict[str, Any]:
    before = baseline.whole.columns[column]
    bars = _numbers(shape, before, now) if shape.kind == "number" else _categories(shape, before, now)
    return {
        "column": column,
        "rows": now.rows,
        "missing": {"training": before.null_share, "now": now.null_share},
        "distance": round(distances(now, before, shape).get("jensen_shannon", 0.0), 4),
        "bars": [{"values": name, "training": theirs, "now": ours} for name, theirs, ours in bars],
    }


def _categories(shape: Shape, before: Sketch, now: Sketch) -> list[tuple[str, float, float]]:
    """The commonest values, and all others together."""
    theirs, ours = before.shares(), now.shares()
    shown = [(name, theirs[place], ours[place]) for place, name in enumerate(shape.categories[: _BARS - 1])]
    return [*shown, ("others", sum(theirs[len(shown) :]), sum(ours[len(shown) :]))]


def _numbers(shape: Shape, before: Sketch, now: Sketch) -> list[tuple[str, float, float]]:
    """Neighbouring bins together, until each holds about as many training rows as the others.

    What lies outside training (the first and the last bin) stands by itself where there is any.
    """
    theirs, ours = before.shares(), now.shares()
    last = len(theirs) - 1
    ends, reached = [min(1, last)], 0.0
    for place in range(1, last):
        reached += theirs[place]
        if reached >= len(ends) / _BARS - 1e-9 or place == last - 1:
            ends.append(place + 1)
    outside = [0, *ends, last + 1] if last else [0, 1]
    return [
        (_between(shape.edges, start, end), sum(theirs[start:end]), sum(ours[start:end]))
        for start, end in pairwise(dict.fromkeys(outside))
        if sum(theirs[start:end]) or sum(ours[start:end])
    ]


def _between(edges: Sequence[float], first: int, last: int) -> str:
    """The values from one bin to before another one, for people."""
    low = number(edges[first - 1]) if first else ""
    high = number(edges[last - 1]) if last - 1 < len(edges) else ""
    if low and high:
        return f"{low} to {high}"
    return f"below {high}" if high else f"from {low}" if low else "any"
