"""`mlctl materialize`: the features of everybody at the snapshot's moment, where servers look them up.

They are computed by the plan of the release that answers, as training and batch scoring compute them. Where there is an
earlier generation of the same plan, only who can have moved since is computed again; the others keep their rows, and
the files are the same, byte by byte, as if everybody had been computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl import online, releases, snapshot
from mlctl.errors import ConfigError, DataError, IntegrityError
from mlctl.files import canonical_json, lock, sha256_of
from mlctl.lineage import code
from mlctl.online import Served, Store, Tables, moved
from mlctl.plan import AS_OF, Plan, compile_plan, narrowed
from mlctl.plan.compute import compute, population
from mlctl.release import open_release
from mlctl.release.sealed import must_be_of
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.stages.features import checked_tables
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_MOST_SHARE: Final = 0.5
"""Where more have moved everybody is computed: it costs as much."""


@dataclass(frozen=True)
class Materialized:
    """What can be looked up now: the generation, its entities and features; `already` when it answered before.

    Attributes:
        computed: How many entities were computed; the others kept the row that they had.
    """

    id: str
    as_of: str
    release: str
    rows: int
    computed: int
    features: int
    bytes: int
    already: bool

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}


def materialize(places: Places, as_of: datetime | None, full: bool, tell: Tell) -> Materialized:
    """Computes everybody's features and lets servers look them up. The same again changes nothing.

    Args:
        places: The project's paths.
        as_of: A moment of the snapshot; None: its end.
        full: Whether everybody is computed, whatever is there already.
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
        folder, again = releases.to_serve(places), f"mlctl run projects/{places.name}"
        release = open_release(folder, again)
        must_be_of(places.name, release.manifest, folder)
        end, tables = checked_tables(places, release.project)
        moment = as_of or end
        if moment > end:
            why = f"the snapshot ends at {moment_text(end)}; mlctl ingest projects/{places.name} --latest"
            raise ConfigError.bad_override(f"--as-of {moment_text(moment)}", why)
        taken = snapshot.read(places)
        dataset = "" if taken is None else taken.version
        identity = sha256_of(canonical_json([dataset, moment_text(moment), release.id]))[:16]
        before = _before(places)
        if before is not None and before.id == identity and not full:
            tell("materialize", f"{len(before):,} entities of this release and snapshot can be looked up already")
            about = (identity, moment_text(moment), release.id)
            return Materialized(*about, len(before), 0, len(before.features), 0, True)
        plan = compile_plan(release.project, {name: table.columns for name, table in tables.items()})
        made_by = _plan_id(release.project)
        digests = moved.digests(plan, tables)
        usable = None if full or before is None or before.plan != made_by else before
        if usable is None:
            rows = features_at(plan, tables, moment)
            computed = rows.height
        else:
            earlier = Earlier(usable.rows, usable.as_of, online.read_digests(places.online, usable))
            rows, computed = refreshed(plan, tables, (moment, digests), earlier)
        about_it = {"as_of": moment_text(moment), "dataset": dataset, "release": release.id}
        about_it |= {"plan": made_by, "key": plan.entity.key}
        served = _served(release.project, plan, tables, moment)
        size = online.write(
            places.online, identity, Tables(rows, digests), {**about_it, "key": plan.entity.key}, served
        )
    told = f"{rows.height:,} entities x {len(plan.names)} features as of {moment_text(moment)}"
    again = "" if usable is None else f"; {computed:,} computed anew, the others cannot have moved"
    tell("materialize", f"{told}, {size / 2**20:.1f} MiB, can be looked up (generation {identity}){again}")
    about = (identity, moment_text(moment), release.id)
    return Materialized(*about, rows.height, computed, len(plan.names), size, False)


def _before(places: Places) -> Store | None:
    """The generation that answers; None also where it is of an older format or damaged: it is replaced then."""
    try:
        return online.open_store(places.online, "")
    except IntegrityError:
        return None


def _plan_id(project: Project) -> str:
    """What features are computed by: how they are written down, and the code and library that compute them."""
    written = {section: project.mapping()[section] for section in ("entity", "sources", "features")}
    return sha256_of(canonical_json([written, code(), version("polars")]))[:16]


class Earlier(NamedTuple):
    """What was computed before, by the same plan: everybody's features at a moment, and what their events were."""

    rows: pl.DataFrame
    as_of: datetime
    digests: pl.DataFrame


def refreshed(
    plan: Plan, tables: Mapping[str, pl.DataFrame], now: tuple[datetime, pl.DataFrame], before: Earlier
) -> tuple[pl.DataFrame, int]:
    """Everybody's features as `features_at` gives them, to the bit, and how many entities were computed for it.

    Args:
        plan: The features.
        tables: Each source's checked table.
        now: The moment, and the digests of the tables.
        before: What there is already.

    Raises:
        DataError: Nobody is known, or a feature cannot be computed.
    """
    import polars as pl

    moment, digests = now
    key, same = plan.entity.key, [plan.entity.key, "low", "high"]
    spine = population_at(plan, tables, moment)
    changed = [digests.join(before.digests, on=same, how="anti"), before.digests.join(digests, on=same, how="anti")]
    crossed = moved.crossed(plan, tables, before.as_of, moment)
    differ = pl.concat([*(table[key] for table in changed), crossed]).to_frame(key)
    keeps = spine.join(before.rows, on=key, how="semi").join(differ, on=key, how="anti")
    fresh = spine.join(keeps, on=key, how="anti")
    if fresh.height <= _MOST_SHARE * spine.height:
        kept = before.rows.join(keeps, on=key, how="semi").select(key, *plan.names)
        if names := moved.moving(plan):
            again = features_of(narrowed(plan, names), tables, keeps).select(names)
            kept = kept.with_columns(again.get_columns())
        new = features_of(plan, tables, fresh) if fresh.height else kept.clear()
        if new.schema == kept.schema:
            return pl.concat([kept, new]).sort(key), fresh.height
    return features_of(plan, tables, spine), spine.height


def features_at(plan: Plan, tables: Mapping[str, pl.DataFrame], moment: datetime) -> pl.DataFrame:
    """The features of everybody who is known before a moment.

    Grain: one entity, sorted by key: the key as text, then the features; a number that is not one is missing.

    Raises:
        DataError: Nobody is known, or a feature cannot be computed.
    """
    return features_of(plan, tables, population_at(plan, tables, moment))


def population_at(plan: Plan, tables: Mapping[str, pl.DataFrame], moment: datetime) -> pl.DataFrame:
    """Everybody who is known before a moment, as `mlctl.plan.compute.population`.

    Raises:
        DataError: Nobody is.
    """
    spine = population(plan, tables, moment)
    if spine.height == 0:
        why = f"no entity is known before {moment_text(moment)}"
        raise DataError.no_rows("the population", why, "look at entity: and at the as_of of the snapshot")
    return spine


def features_of(plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame) -> pl.DataFrame:
    """The features of a spine's rows, in its order: the key as text, then the features; what is no number is missing.

    Raises:
        DataError: A feature cannot be computed.
    """
    import polars as pl

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
