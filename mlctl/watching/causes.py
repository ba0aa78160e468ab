"""What happened on a day and may be why something moved: another release, a changed schema, other volume."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from mlctl import snapshot
from mlctl.errors import listed
from mlctl.sketches.shelf import Watched
from mlctl.workspace import Places

_LOOK_BACK: Final = timedelta(days=7)
_OTHER_VOLUME: Final = 0.2


def causes(places: Places, day: date, watched: Mapping[date, Watched]) -> tuple[str, ...]:
    """Sentences, the likeliest first.

    Args:
        places: The project's paths.
        day: The day that moved.
        watched: What was scored on it and on days before.
    """
    return (*_schema(places, day), *_release(day, watched), *_volume(day, watched))


def _before(day: date, watched: Mapping[date, Watched]) -> Watched | None:
    earlier = [other for other in watched if day - _LOOK_BACK <= other < day]
    return watched[max(earlier)] if earlier else None


def _release(day: date, watched: Mapping[date, Watched]) -> list[str]:
    ours, theirs = watched.get(day), _before(day, watched)
    if ours is None or theirs is None:
        return []
    new = [release for release in ours.scorers if release not in theirs.scorers]
    return [f"release {listed(new)} scores since this day"] if new else []


def _volume(day: date, watched: Mapping[date, Watched]) -> list[str]:
    ours, theirs = watched.get(day), _before(day, watched)
    if ours is None or theirs is None or not theirs.rows:
        return []
    change = ours.rows / theirs.rows - 1
    rows = f"{ours.rows:,} rows were scored, {theirs.rows:,} the day before"
    return [rows] if abs(change) > _OTHER_VOLUME else []


def _schema(places: Places, day: date) -> list[str]:
    """Columns of sources that came or went with the snapshot of this day."""
    pinned = snapshot.pinned(places.name) or {}
    before = (pinned.get("previous") or {}).get("columns") or {}
    if not before or not str(pinned.get("as_of", "")).startswith(
        (day.isoformat(), (day + timedelta(days=1)).isoformat())
    ):
        return []
    found = []
    for source, columns in pinned.get("columns", {}).items():
        changed = sorted(set(dict(columns).items()) ^ set(dict(before.get(source, columns)).items()))
        names = sorted({name for name, _ in changed})
        if names:
            found.append(f"the schema of {source} changed: {listed(names, 4)}")
    return found
