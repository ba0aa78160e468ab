"""The features of a project compiled to one plan: which columns come out, in which order they can be computed.

`compile_plan` holds every expression against the columns that are really there. `compute.py` computes a plan: the
same code for one row, a training table and a whole history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mlctl.errors import DataError, first_line
from mlctl.features import row_expression
from mlctl.plan.events import Columns
from mlctl.spec import Entity, Project

AS_OF: Final = "as_of"


@dataclass(frozen=True)
class Column:
    """One feature column.

    Attributes:
        feature: The feature that makes it.
        name: Its name.
        part: Its window, or the looked-up column.
        value: The value of `by` that its events have; None where events are not told apart.
    """

    feature: str
    name: str
    part: str = ""
    value: str | None = None


@dataclass(frozen=True)
class Plan:
    """The compiled features of a project.

    Attributes:
        entity: Whom the rows are about.
        options: Typed options of each feature, in the order they are computed.
        columns: The feature columns, in the order they come out.
        places: For each source the columns of key, event time and knowledge time.
    """

    entity: Entity
    options: Mapping[str, Any]
    columns: tuple[Column, ...]
    places: Mapping[str, Columns]

    @property
    def names(self) -> list[str]:
        """The feature columns' names."""
        return [column.name for column in self.columns]

    def reads(self, column: Column) -> list[str]:
        """The feature columns that a column is derived from."""
        options = self.options[column.feature]
        return _roots(options.sql, f"features.{column.feature}.sql") if options.form == "expression" else []

    def sources(self) -> dict[str, list[str]]:
        """The sources that features read, and the columns that are needed of each."""
        needed: dict[str, set[str]] = {}
        for column in self.columns:
            options = self.options[column.feature]
            if options.form == "expression":
                continue
            place = self.places[options.source]
            read = needed.setdefault(options.source, {place.key, *filter(None, (place.time, place.known))})
            read |= {column.part} if options.form == "lookup" else _columns_read(options)
        return {source: sorted(columns) for source, columns in needed.items()}


def compile_plan(project: Project, schemas: Mapping[str, Sequence[str]]) -> Plan:
    """Orders the features, names their columns and proves that all they read is there.

    Args:
        project: The valid project.
        schemas: Column names of each source's table.

    Raises:
        DataError: A column or feature that is named does not exist, two features make the same name, or expressions
            wait for each other.
    """
    places = {
        name: Columns(project.entity.key, source.time_column(), source.knowledge_time)
        for name, source in project.sources.items()
    }
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
    return Plan(project.entity, ordered, tuple(columns), places)


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
    wanted = [project.entity.key, *_named_columns(options)]
    for column in wanted:
        if column is not None and column not in schema:
            wanted_by = "entity.key" if column == project.entity.key else f"features.{name}"
            raise DataError.missing_column(options.source, column, schema, wanted_by)
    if options.form == "aggregate":
        for place, condition in _conditions(options).items():
            for column in _roots(condition, f"features.{name}.{place}"):
                if column not in schema:
                    raise DataError.missing_column(options.source, column, schema, f"features.{name}.{place}")
        return _aggregate_columns(name, options)
    if options.column:
        return [Column(name, name, options.column)]
    if options.columns == "all":
        left_out = {project.entity.key, source.time_column(), source.knowledge_time, *options.exclude}
        if options.source == project.label.source:
            left_out.add(label_column)
        return [Column(name, snake_case(column), column) for column in schema if column not in left_out]
    return [Column(name, snake_case(column), column) for column in options.columns]


def _aggregate_columns(name: str, options: Any) -> list[Column]:
    columns = []
    for value in options.values or (None,):
        stem = name if value is None else f"{name}_{snake_case(value)}"
        for window in options.windows:
            columns.append(Column(name, stem if len(options.windows) == 1 else f"{stem}_{window}", window, value))
    return columns


def _named_columns(options: Any) -> list[str]:
    """The columns that the options name outside SQL."""
    named = getattr(options, "columns", None)
    single = [getattr(options, name, None) for name in ("column", "per", "by")]
    listed = [*(named if isinstance(named, tuple) else ()), *getattr(options, "exclude", ())]
    return [*[name for name in single if name is not None], *listed]


def _columns_read(options: Any) -> set[str]:
    """All columns of the source that an aggregate reads."""
    roots = [root for condition in _conditions(options).values() for root in _roots(condition, "features")]
    return {*_named_columns(options), *roots}


def _conditions(options: Any) -> dict[str, str]:
    return {name: text for name in ("where", "that") if (text := getattr(options, name, None)) is not None}


def _roots(sql: str, key: str) -> list[str]:
    """The columns that an SQL expression reads."""
    import polars as pl

    try:
        return list(row_expression(sql).meta.root_names())
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(key, sql, first_line(error)) from error


def _ordered(features: Mapping[str, Any], columns: Sequence[Column]) -> dict[str, Any]:
    """Features in the order they can be computed: expressions behind what they read."""
    made = {column.name for column in columns if features[column.feature].form != "expression"}
    ordered = {name: options for name, options in features.items() if options.form != "expression"}
    waiting = {name: options for name, options in features.items() if options.form == "expression"}
    every = [column.name for column in columns]
    while waiting:
        ready = []
        for name, options in waiting.items():
            needs = set(_roots(options.sql, f"features.{name}.sql"))
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


def narrowed(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan of some columns, and of what these are derived from or looked up together with."""
    needed = _needed_columns(plan, names)
    columns = tuple(column for column in plan.columns if column.name in needed)
    features = {column.feature for column in columns}
    return replace(
        plan, options={name: value for name, value in plan.options.items() if name in features}, columns=columns
    )


def _needed_columns(plan: Plan, names: Sequence[str]) -> set[str]:
    needed: set[str] = set()
    waiting = list(names)
    by_name = {column.name: column for column in plan.columns}
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        options = plan.options[by_name[name].feature]
        if options.form == "expression":
            waiting += _roots(options.sql, f"features.{by_name[name].feature}.sql")
        if options.form == "lookup":
            waiting += [column.name for column in plan.columns if column.feature == by_name[name].feature]
    return needed
