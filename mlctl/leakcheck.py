"""Plants rows that were not known at a moment and looks whether any feature of that moment moves.

Two kinds of canaries, for every source with a time: *future* rows (the source's own rows again, at the moment, with
larger numbers) and, where the source has a knowledge time, *late* rows (from before the moment, but known only at
or after it). No feature may move by a bit. So that the check can fail, the same rows are planted once more just before
the moment: there some feature of each source must move, or nothing was proved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import ConfigError, DataError
from mlctl.files import write_json
from mlctl.judging.splits import moments
from mlctl.plan import Plan, compile_plan
from mlctl.plan.compute import compute, outcomes, population
from mlctl.spec import Project
from mlctl.stages.features import checked_tables
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_INSTANT: Final = timedelta(microseconds=1)
_FACTOR: Final = 1000
_ROWS_MOST: Final = 200_000
_ENTITIES_MOST: Final = 5_000


@dataclass(frozen=True)
class Planted:
    """What one kind of canary did.

    Attributes:
        source: The source they were planted in.
        kind: `future`, `late`, `outcome` (for the label), or `known` for the control.
        as_of: The moment whose features were looked at.
        rows: How many canaries.
        moved: The columns that moved.
    """

    source: str
    kind: str
    as_of: str
    rows: int
    moved: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The outcome: every planting, and what cannot be proved.

    Attributes:
        planted: Every planting, controls among them.
        leaks: Columns that moved and may not.
        unproved: What no canary can prove, and why.
        entities: Entities whose features were compared.
    """

    planted: tuple[Planted, ...]
    leaks: tuple[str, ...]
    unproved: tuple[str, ...]
    entities: int

    def record(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self)}


def leakcheck(places: Places, project: Project, tell: Callable[[str, str], None]) -> Report:
    """Plants canaries at the moments of training and test.

    Raises:
        ConfigError: The project recommends items, and has no features.
        DataError: A feature or the label moved; the report is written all the same.
        IntegrityError: The checked tables are missing.
    """
    if project.ranks():
        raise ConfigError.no_features("mlctl leakcheck", places.name)
    as_of, tables = checked_tables(places, project)
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    train, test = moments(project, as_of)
    planted: list[Planted] = []
    compared = 0
    for moment in sorted({*train[:1], *test[-1:]} or {as_of}):
        spine = population(plan, tables, moment)
        spine = spine.gather_every(-(-spine.height // _ENTITIES_MOST)) if spine.height else spine
        compared += spine.height
        planted += _at(project, plan, tables, spine, moment)
        tell("leakcheck", f"{moment_text(moment)}: {spine.height:,} entities compared after each planting")
    unproved = _unproved(project, plan, planted)
    leaks = {(mark.kind, mark.source): mark.moved for mark in planted if mark.kind != "known" and mark.moved}
    columns = tuple(dict.fromkeys(column for moved in leaks.values() for column in moved))
    report = Report(tuple(planted), columns, unproved, compared)
    path = places.state / "leakcheck.json"
    write_json(path, report.record())
    if columns:
        kinds_told = ", ".join(f"{kind} rows of {source}" for kind, source in leaks)
        raise DataError.leak(columns, kinds_told, str(path))
    return report


def _at(
    project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame, moment: datetime
) -> list[Planted]:
    before = compute(plan, tables, spine)
    found = []
    for source in plan.sources():
        place = plan.places[source]
        if place.time is None:
            continue
        canaries = {"future": _moved(tables[source], plan, source, moment, moment)}
        if place.known is not None:
            canaries["late"] = _moved(tables[source], plan, source, moment - timedelta(hours=1), moment)
        canaries["known"] = _moved(tables[source], plan, source, moment - _INSTANT, moment - _INSTANT)
        for kind, rows in canaries.items():
            after = compute(plan, {**tables, source: _with(tables[source], rows)}, spine)
            moved = tuple(name for name in plan.names if not before[name].equals(after[name], null_equal=True))
            found.append(Planted(source, kind, moment_text(moment), rows.height, moved))
    if project.label.horizon is not None:
        found.append(_label(project, plan, tables, spine, moment))
    return found


def _label(
    project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame, moment: datetime
) -> Planted:
    """The label may look at its horizon only: rows before the moment and behind the horizon move nothing."""
    source = project.label.source
    end = moment + duration(project.label.horizon or "1d")
    before = outcomes(project.label, plan, tables, spine)
    rows = _moved(tables[source], plan, source, moment - _INSTANT, moment - _INSTANT)
    rows = rows.vstack(_moved(tables[source], plan, source, end, end))
    after = outcomes(project.label, plan, {**tables, source: _with(tables[source], rows)}, spine)
    moved = () if before.equals(after, null_equal=True) else ("label",)
    return Planted(source, "outcome", moment_text(moment), rows.height, moved)


def _moved(table: pl.DataFrame, plan: Plan, source: str, time: datetime, known: datetime) -> pl.DataFrame:
    """The source's rows again, at other times and with larger numbers."""
    import polars as pl

    place = plan.places[source]
    rows = table.gather_every(-(-table.height // _ROWS_MOST)) if table.height else table
    times = {name: when for name, when in ((place.time, time), (place.known, known)) if name is not None}
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_float() and name not in times]
    return rows.with_columns(
        *[pl.lit(when).cast(rows.schema[name]).alias(name) for name, when in times.items()],
        *[(pl.col(name) * _FACTOR + 1) for name in numbers],
    )


def _with(table: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return table.vstack(rows.select(table.columns))


def _unproved(project: Project, plan: Plan, planted: list[Planted]) -> tuple[str, ...]:
    told = []
    for source in plan.sources():
        place = plan.places[source]
        if place.time is None:
            told.append(f"{source}: it has no time, so its rows count at every moment, past ones too")
            continue
        if place.known is None:
            told.append(f"{source}: it has no knowledge_time, so a row that arrived late counts from its event time")
        moved = [mark for mark in planted if mark.source == source and mark.kind == "known" and mark.moved]
        if not moved:
            told.append(f"{source}: rows planted just before the moment moved no feature, so the others prove nothing")
    if project.label.horizon is None:
        told.append(f"label: {project.label.source} tells it without a time")
    return tuple(told)
