"""The features of a project compiled to one plan, the same in training and in scoring.

`compile_plan` holds every expression against the columns that are really there. `compute` gives the features of
entities at moments: an aggregate sees the events of `[as_of - window, as_of)`, a lookup the row in force at `as_of`,
an expression the features before it. `outcomes` is the label: the same aggregates over `[as_of, as_of + horizon)`.

Words: a *spine* is a table of (entity, as_of), the rows asked for; a *tile* is the state of an entity's events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.errors import DataError, first_line
from mlctl.features import row_expression
from mlctl.spec import Entity, Label, Project, label_options
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl

AS_OF: Final = "as_of"
EVENT_TIME: Final = "event_time"


@dataclass(frozen=True)
class Column:
    """One feature column: the feature that makes it, its window or looked-up column, and its name."""

    feature: str
    name: str
    part: str = ""


@dataclass(frozen=True)
class Plan:
    """The compiled features of a project.

    Attributes:
        entity: Whom the rows are about.
        options: Typed options of each feature, in the order they are computed.
        columns: The feature columns, in the order they come out.
        times: Event time column of each source, or None.
    """

    entity: Entity
    options: Mapping[str, Any]
    columns: tuple[Column, ...]
    times: Mapping[str, str | None]

    @property
    def names(self) -> list[str]:
        """The feature columns' names."""
        return [column.name for column in self.columns]


def compile_plan(project: Project, schemas: Mapping[str, Sequence[str]]) -> Plan:
    """Orders the features, names their columns and proves that all they read is there.

    Args:
        project: The valid project.
        schemas: Column names of each source's table.

    Raises:
        DataError: A column or feature that is named does not exist, two features make the same name, or expressions
            wait for each other.
    """
    times = {name: source.time_column() for name, source in project.sources.items()}
    label_column = project.label.column if project.label.kind == "lookup" else None
    columns: list[Column] = []
    for name, options in project.features.items():
        columns += _columns_of(project, name, options, schemas, label_column)
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DataError.bad_expression(
                f"features.{column.feature}", column.name, "another feature has this name already"
            )
        seen.add(column.name)
    ordered = _ordered(project.features, columns)
    return Plan(project.entity, ordered, tuple(columns), times)


def population(plan: Plan, tables: Mapping[str, pl.DataFrame], as_of: datetime) -> pl.DataFrame:
    """Everybody who is known strictly before a moment.

    Grain: one row per entity, sorted by key. Time: `as_of`, the same in every row.

    Raises:
        DataError: No table holds the entity's key.
    """
    import polars as pl

    key = plan.entity.key
    names = [plan.entity.source] if plan.entity.source else [name for name in tables if key in tables[name].columns]
    if not names:
        raise DataError.missing_column(
            "(any)", key, sorted({c for table in tables.values() for c in table.columns}), "entity.key"
        )
    known = []
    for name in names:
        if key not in tables[name].columns:
            raise DataError.missing_column(name, key, tables[name].columns, "entity.key")
        known.append(_before(tables[name], plan.times[name], as_of).select(pl.col(key).cast(pl.String)))
    everybody = pl.concat(known).drop_nulls().unique().sort(key)
    return everybody.with_columns(pl.lit(as_of).cast(pl.Datetime("us", "UTC")).alias(AS_OF))


def compute(plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame) -> pl.DataFrame:
    """The features of every row of a spine.

    Grain: one row per (entity, as_of), in the spine's order: key, as_of, then the feature columns. Time: nothing at or
    after `as_of` is looked at.

    Raises:
        DataError: An expression cannot be computed, or a lookup finds two rows for one entity.
    """
    import polars as pl

    parts = []
    for rows in spine.partition_by(AS_OF, maintain_order=True):
        parts.append(_at(plan, tables, rows, rows[AS_OF][0]))
    if not parts:
        empty = [pl.lit(None, dtype=pl.Float64).alias(name) for name in plan.names]
        return spine.with_columns(empty)
    return pl.concat(parts)[_as_asked(spine)]


def outcomes(label: Label, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame) -> pl.Series:
    """The label of every row of a spine: 1.0, 0.0, or null where the source does not tell.

    Raises:
        DataError: The label's source lacks a column, or the outcome lies beyond the data.
    """
    import polars as pl

    options = label_options(label)
    table = tables[label.source]
    for column in (plan.entity.key, label.column):
        if column is not None and column not in table.columns:
            raise DataError.missing_column(label.source, column, table.columns, "label")
    values = []
    for rows in spine.partition_by(AS_OF, maintain_order=True):
        as_of = rows[AS_OF][0]
        if label.horizon is None:
            found = _look_up(plan, label.source, table, [Column("label", "outcome", label.column or "")], rows)
        else:
            end = as_of + duration(label.horizon)
            time = plan.times[label.source] or ""
            events = _before(table, time, end).filter(pl.col(time) >= as_of)
            found = _aggregate(plan, [(Column("label", "outcome", "all"), options)], events, rows)
        outcome = found["outcome"]
        same = outcome == (str(label.is_) if outcome.dtype == pl.String else label.is_)
        values.append(same.cast(pl.Float64))
    return pl.concat(values)[_as_asked(spine)].alias("label") if values else pl.Series("label", [], dtype=pl.Float64)


def select(table: pl.DataFrame, condition: str, key: str) -> pl.Series:
    """Which rows fulfil an SQL condition; a missing value does not.

    Raises:
        DataError: The condition cannot be computed on this table; `key` names it.
    """
    import polars as pl

    try:
        found = table.select(row_expression(condition).cast(pl.Boolean).fill_null(False)).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(key, condition, first_line(error)) from error
    return found if len(found) == table.height else pl.Series([bool(found[0])] * table.height, dtype=pl.Boolean)


def snake_case(text: str) -> str:
    """A column's name as a feature's name.

    >>> snake_case("MonthlyCharges"), snake_case("education-num"), snake_case("customerID")
    ('monthly_charges', 'education_num', 'customer_id')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return f"_{name}" if not name or name[0].isdigit() else name


def _columns_of(
    project: Project, name: str, options: Any, schemas: Mapping[str, Sequence[str]], label_column: str | None
) -> list[Column]:
    if options.form == "expression":
        return [Column(name, name)]
    schema, source = schemas[options.source], project.sources[options.source]
    wanted = [project.entity.key, getattr(options, "column", None), *_named_columns(options)]
    for column in wanted:
        if column is not None and column not in schema:
            wanted_by = "entity.key" if column == project.entity.key else f"features.{name}"
            raise DataError.missing_column(options.source, column, schema, wanted_by)
    if options.form == "aggregate":
        if len(options.windows) == 1:
            return [Column(name, name, options.windows[0])]
        return [Column(name, f"{name}_{window}", window) for window in options.windows]
    if options.column:
        return [Column(name, name, options.column)]
    if options.columns == "all":
        left_out = {project.entity.key, source.time_column(), *options.exclude}
        if options.source == project.label.source:
            left_out.add(label_column)
        return [Column(name, snake_case(column), column) for column in schema if column not in left_out]
    return [Column(name, snake_case(column), column) for column in options.columns]


def _named_columns(options: Any) -> list[str]:
    named = getattr(options, "columns", None)
    return [*(named if isinstance(named, tuple) else ()), *getattr(options, "exclude", ())]


def _ordered(features: Mapping[str, Any], columns: Sequence[Column]) -> dict[str, Any]:
    """Features in the order they can be computed: expressions behind what they read."""
    import polars as pl

    made = {column.name for column in columns if features[column.feature].form != "expression"}
    ordered = {name: options for name, options in features.items() if options.form != "expression"}
    waiting = {name: options for name, options in features.items() if options.form == "expression"}
    every = [column.name for column in columns]
    while waiting:
        ready = []
        for name, options in waiting.items():
            try:
                needs = set(row_expression(options.sql).meta.root_names())
            except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
                raise DataError.bad_expression(f"features.{name}.sql", options.sql, first_line(error)) from error
            for unknown in sorted(needs - set(every)):
                raise DataError.missing_column("features", unknown, every, f"features.{name}.sql")
            if needs <= made:
                ready.append(name)
        if not ready:
            raise DataError.bad_expression(
                f"features.{min(waiting)}.sql", "", f"these wait for each other: {', '.join(waiting)}"
            )
        for name in ready:
            ordered[name] = waiting.pop(name)
            made.add(name)
    return ordered


def _at(plan: Plan, tables: Mapping[str, pl.DataFrame], rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The features of one moment's entities."""
    import polars as pl

    result = rows
    for source in tables:
        aggregates = {
            name: options
            for name, options in plan.options.items()
            if options.form == "aggregate" and options.source == source
        }
        if aggregates:
            events = _before(tables[source], plan.times[source], as_of)
            wanted = [(c, plan.options[c.feature]) for c in plan.columns if c.feature in aggregates]
            found = _aggregate(plan, wanted, events, rows)
            result = pl.concat([result, found], how="horizontal")
    for name, options in plan.options.items():
        if options.form == "lookup":
            looked_up = [column for column in plan.columns if column.feature == name]
            found = _look_up(plan, options.source, tables[options.source], looked_up, rows)
            result = pl.concat([result, found], how="horizontal")
        if options.form == "expression":
            result = result.with_columns(_expression(name, options.sql, result))
    return result.select(*rows.columns, *plan.names)


def _aggregate(
    plan: Plan, wanted: Sequence[tuple[Column, Any]], events: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    """Aggregates of one source at one moment: one group-by for each distinct (window, condition)."""
    import polars as pl

    key, source = plan.entity.key, wanted[0][1].source
    events = events.with_columns(pl.col(key).cast(pl.String), pl.col(plan.times[source] or "").alias(EVENT_TIME))
    as_of = rows[AS_OF][0]
    groups: dict[tuple[str, str | None], list[tuple[Column, Any]]] = {}
    for column, options in wanted:
        groups.setdefault((column.part, options.where), []).append((column, options))
    result = rows
    for (window, where), members in groups.items():
        name = members[0][0].feature if members[0][0].feature == "label" else f"features.{members[0][0].feature}"
        chosen = events if window == "all" else events.filter(pl.col(EVENT_TIME) >= as_of - duration(window))
        if where is not None:
            chosen = chosen.filter(select(chosen, where, f"{name}.where"))
        tiles = {}
        for column, options in members:
            for state, expression in kinds.load("features", options.kind).tile(options).items():
                tiles[f"{column.name}/{state}"] = expression
        try:
            states = chosen.group_by(key).agg(**tiles)
        except pl.exceptions.PolarsError as error:
            raise DataError.bad_expression(name, source, first_line(error)) from error
        joined = rows.join(states, on=key, how="left", maintain_order="left")
        result = result.with_columns(
            **{column.name: _final(joined, options, column.name) for column, options in members}
        )
    return result.drop(rows.columns)


def _final(states: pl.DataFrame, options: Any, column: str) -> pl.Series:
    import polars as pl

    kind = kinds.load("features", options.kind)
    state = {name.rpartition("/")[2]: pl.col(name) for name in states.columns if name.rpartition("/")[0] == column}
    present = pl.all_horizontal([expression.is_not_null() for expression in state.values()])
    value = pl.when(present).then(kind.finalize(options, state)).otherwise(pl.lit(kind.EMPTY, dtype=pl.Float64))
    return _evaluated(states, value.alias(column))


def _look_up(
    plan: Plan, source: str, table: pl.DataFrame, wanted: Sequence[Column], rows: pl.DataFrame
) -> pl.DataFrame:
    """What a table said last about each entity before `as_of`; a table without time says it once."""
    import polars as pl

    key, time = plan.entity.key, plan.times[source]
    for column in wanted:
        if column.part not in table.columns:
            raise DataError.missing_column(source, column.part, table.columns, column.feature)
    said = table.with_columns(pl.col(key).cast(pl.String)).filter(pl.col(key).is_not_null())
    if time is not None:
        said = (
            _before(said, time, rows[AS_OF][0])
            .sort(time, maintain_order=True)
            .unique(key, keep="last", maintain_order=True)
        )
    elif said[key].is_duplicated().any():
        twice = said.filter(pl.col(key).is_duplicated())[key][0]
        why = f"{key} {twice!r} stands in several rows and the source has no time column to order them"
        raise DataError.bad_expression(f"features of {source}", source, why)
    columns = [pl.col(column.part).alias(column.name) for column in wanted]
    found = said.select(pl.col(key), *columns)
    return rows.select(key).join(found, on=key, how="left", maintain_order="left").drop(key)


def _evaluated(table: pl.DataFrame, expression: pl.Expr) -> pl.Series:
    """An expression over a table, with the same bits for one row as for many.

    Polars divides a constant column by a number truly, and others by multiplying with its reciprocal: a last bit
    differs. A table of one row is constant, so it is evaluated with a row of nulls behind it.
    """
    import polars as pl

    if table.height != 1:
        return table.select(expression).to_series()
    return pl.concat([table, table.clear(1)]).select(expression).to_series().head(1)


def _expression(name: str, sql: str, features: pl.DataFrame) -> pl.Series:
    import polars as pl

    try:
        value = _evaluated(features, row_expression(sql).alias(name))
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(f"features.{name}.sql", sql, first_line(error)) from error
    if len(value) != features.height:
        value = value.new_from_index(0, features.height)
    if value.dtype.is_float():
        value = features.select(pl.when(value.is_finite()).then(value).alias(name)).to_series()
    return value


def _as_asked(spine: pl.DataFrame) -> pl.Series:
    """Where each row of the spine lies once its moments have been put behind each other."""
    import polars as pl

    parts = spine.select(AS_OF).with_row_index("row").partition_by(AS_OF, maintain_order=True)
    return pl.concat(part["row"] for part in parts).arg_sort()


def _before(table: pl.DataFrame, time: str | None, end: datetime) -> pl.DataFrame:
    import polars as pl

    return table if time is None else table.filter(pl.col(time) < end)
