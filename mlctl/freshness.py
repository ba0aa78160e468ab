"""How old the newest row of each source is, against what sources and features declare they need."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from mlctl import snapshot
from mlctl.errors import IntegrityError
from mlctl.plan import compile_plan
from mlctl.spec import Project
from mlctl.times import duration, moment_text
from mlctl.workspace import Places


@dataclass(frozen=True)
class Age:
    """How old a source is.

    Attributes:
        source: Its name.
        newest: The newest event time in the snapshot, or None for a table without time.
        age_hours: Hours from there to the present; of a table without time, from the snapshot's as_of.
        max_age: The strictest limit that holds for it, or None.
        asked_by: Who sets that limit: the source itself, or features.
        stale: Whether it is older than the limit.
        readers: Features and label that read it.
    """

    source: str
    newest: str | None
    age_hours: float
    max_age: str | None
    asked_by: tuple[str, ...]
    stale: bool
    readers: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """The age as JSON-ready data."""
        return asdict(self)


def freshness(places: Places, project: Project, now: datetime) -> list[Age]:
    """The age of every source of the snapshot at the present moment.

    Raises:
        IntegrityError: There is no snapshot, or it was changed.
    """
    taken, tables = snapshot.open_tables(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data), f"mlctl ingest projects/{places.name}")
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    ages = []
    for name, source in project.sources.items():
        time = plan.places[name].time
        # what lies after the snapshot's moment is a wrong clock and no sign of life
        newest: Any = None if time is None else tables[name][time].drop_nulls().max()
        newest = None if newest is None else min(newest, taken.as_of)
        readers = [key for key, options in project.features.items() if getattr(options, "source", None) == name]
        limits = {f"features.{key}": project.features[key].max_age for key in readers}
        limits[f"sources.{name}"] = source.max_age
        told = {key: duration(limit) for key, limit in limits.items() if limit is not None}
        strictest = min(told.values(), default=None)
        age: timedelta = now - (newest or taken.as_of)
        ages.append(
            Age(
                source=name,
                newest=None if newest is None else moment_text(newest),
                age_hours=round(age / timedelta(hours=1), 1),
                max_age=next((limits[key] for key, limit in told.items() if limit == strictest), None),
                asked_by=tuple(sorted(key for key, limit in told.items() if limit < age)) or tuple(sorted(told)),
                stale=strictest is not None and age > strictest,
                readers=(*[f"features.{key}" for key in readers], *(["label"] if project.label.source == name else [])),
            )
        )
    return ages
