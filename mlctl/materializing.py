"""`mlctl materialize`: the features of everybody at the snapshot's moment, where servers look them up.

They are computed by the plan of the release that answers, as training and batch scoring compute them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlctl import online, releases, snapshot
from mlctl.compute import compute, population
from mlctl.errors import ConfigError, DataError
from mlctl.files import canonical_json, lock, sha256_of
from mlctl.online import Served
from mlctl.plan import AS_OF, Plan, compile_plan
from mlctl.release import open_release
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.stages.features import checked_tables
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Materialized:
    """What can be looked up now: the generation, its entities and features; `already` when it answered before."""

    id: str
    as_of: str
    release: str
    rows: int
    features: int
    bytes: int
    already: bool

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}


def materialize(places: Places, as_of: datetime | None, tell: Tell) -> Materialized:
    """Computes everybody's features and lets servers look them up. The same again changes nothing.

    Args:
        places: The project's paths.
        as_of: A moment of the snapshot; None: its end.
        tell: Hears what happens.

    Raises:
        ConfigError: The moment lies behind the snapshot.
        DataError: Nobody is known, or a feature cannot be computed.
        IntegrityError: Release or tables are missing or damaged.
        ConflictError: Another command works on the project.
        ExternalError: The disk.
    """
    tell("materialize", "")
    with lock(places.lock, f"projects/{places.name}"):
        release = open_release(releases.to_serve(places), f"mlctl run projects/{places.name}")
        end, tables = checked_tables(places, release.project)
        moment = as_of or end
        if moment > end:
            why = f"the snapshot ends at {moment_text(end)}; mlctl ingest projects/{places.name} --latest"
            raise ConfigError.bad_override(f"--as-of {moment_text(moment)}", why)
        taken = snapshot.read(places)
        dataset = "" if taken is None else taken.version
        identity = sha256_of(canonical_json([dataset, moment_text(moment), release.id]))[:16]
        if online.current(places.online) == identity:
            found = online.open_store(places.online, f"rm -r {places.online}, then mlctl materialize again")
            if found is not None:
                tell("materialize", f"{len(found):,} entities of this release and snapshot can be looked up already")
                return Materialized(identity, moment_text(moment), release.id, len(found), len(found.features), 0, True)
        plan = compile_plan(release.project, {name: table.columns for name, table in tables.items()})
        rows = features_at(plan, tables, moment)
        about = {"as_of": moment_text(moment), "dataset": dataset, "release": release.id, "key": plan.entity.key}
        size = online.write(places.online, identity, rows, about, _served(release.project, plan, tables, moment))
    told = f"{rows.height:,} entities x {len(plan.names)} features as of {moment_text(moment)}"
    tell("materialize", f"{told}, {size / 2**20:.1f} MiB, can be looked up (generation {identity})")
    return Materialized(identity, moment_text(moment), release.id, rows.height, len(plan.names), size, False)


def features_at(plan: Plan, tables: Mapping[str, pl.DataFrame], moment: datetime) -> pl.DataFrame:
    """The features of everybody who is known before a moment.

    Grain: one entity, sorted by key: the key as text, then the features; a number that is not one is missing.

    Raises:
        DataError: Nobody is known, or a feature cannot be computed.
    """
    import polars as pl

    spine = population(plan, tables, moment)
    if spine.height == 0:
        why = f"no entity is known before {moment_text(moment)}"
        raise DataError.no_rows("the population", why, "look at entity: and at the as_of of the snapshot")
    rows = compute(plan, tables, spine).drop(AS_OF).with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    return rows.select(plan.entity.key, *plan.names)


def _served(project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], moment: datetime) -> list[Served]:
    """Of each column, how new what it rests on is and how old that may be; an expression is as old as what it reads."""
    import polars as pl

    newest = dict.fromkeys(tables, moment)
    for name, table in tables.items():
        time = plan.places[name].time
        if time is not None:
            last: Any = table.filter(pl.col(time) < moment)[time].max()
            newest[name] = moment if last is None else last
    found: dict[str, Served] = {}
    for feature, options in plan.options.items():
        limits = [options.max_age]
        if options.form != "expression":
            limits.append(project.sources[options.source].max_age)
        own = [duration(limit) for limit in limits if limit is not None]
        for column in (column for column in plan.columns if column.feature == feature):
            read = [found[name] for name in plan.reads(column) if name in found]
            ages = [*own, *[served.max_age for served in read if served.max_age is not None]]
            since = (
                newest[options.source]
                if options.form != "expression"
                else min((served.newest for served in read), default=moment)
            )
            found[column.name] = Served(column.name, since, min(ages, default=None), options.when_stale)
    return [found[name] for name in plan.names]
