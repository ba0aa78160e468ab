"""Computes a plan: the features of entities at moments, and the label.

An aggregate sees the events of `[as_of - window, as_of)` that were known before `as_of`, a lookup the row in force at
`as_of`, an expression the features before it. The label is the same aggregates over `[as_of, as_of + horizon)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.costs import ledger
from mlctl.errors import DataError, first_line
from mlctl.features import Most, Seen, row_expression
from mlctl.plan import AS_OF, Column, Plan
from mlctl.plan.events import Columns, Events, events_of
from mlctl.plan.windows import Spine, Windows
from mlctl.spec import Label, label_options
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl

_MICROSECOND: Final = timedelta(microseconds=1)


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
        place, table = plan.places[name], tables[name]
        for time in filter(None, (place.time, place.known)):
            table = table.filter((pl.col(time) < as_of).fill_null(time == place.known))
        known.append(table.select(pl.col(key).cast(pl.String)))
    everybody = pl.concat(known).drop_nulls().unique().sort(key)
    return everybody.with_columns(pl.lit(as_of).cast(pl.Datetime("us", "UTC")).alias(AS_OF))


def compute(plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame) -> pl.DataFrame:
    """The features of every row of a spine.

    Grain: one row per (entity, as_of), in the spine's order: key, as_of, then the feature columns. Time: nothing at or
    after `as_of` is looked at.

    Raises:
        DataError: An expression cannot be computed, a column does not hold what a feature reads, or a lookup finds two
            rows for one entity.
    """
    import polars as pl

    keys, rows, order = _placed(plan, spine)
    histories = {
        source: events_of(source, tables[source].select(columns), plan.places[source], keys)
        for source, columns in plan.sources().items()
    }
    return pl.concat([spine, values(plan, histories, rows)[order]], how="horizontal")


def values(plan: Plan, histories: Mapping[str, Events], rows: Spine) -> pl.DataFrame:
    """The feature columns of a spine's rows, in its order, from the events of its entities.

    Grain: one row of the spine. Time: as `compute`.

    Raises:
        DataError: As `compute`.
    """
    import polars as pl

    windows = {source: Windows(rows, events) for source, events in histories.items()}
    parts: dict[tuple[str | None, ...], Windows] = {}
    made: dict[str, pl.Series] = {}
    for name, options in plan.options.items():
        # what several features share counts for the first of them
        with ledger.charged(name):
            for column in (column for column in plan.columns if column.feature == name):
                if options.form == "expression":
                    made[column.name] = evaluated(
                        pl.DataFrame(list(made.values())), options.sql, f"features.{name}.sql"
                    ).alias(name)
                    continue
                seen = windows[options.source]
                if options.form == "lookup":
                    made[column.name] = _looked_up(seen, column, [c.part for c in plan.columns if c.feature == name])
                    continue
                part = (options.source, options.where, options.by, column.value)
                if part not in parts:
                    parts[part] = _part(seen, f"features.{name}", options, column.value)
                made[column.name] = _aggregated(parts[part], column, options)
    return pl.DataFrame([made[name] for name in plan.names])


def outcomes(label: Label, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame) -> pl.Series:
    """The label of every row of a spine, null where the source does not tell.

    Binary: 1.0 and 0.0, float64. Several classes: the outcome as text. Regression: the outcome as float64.

    Raises:
        DataError: The label's source lacks a column, or its expressions cannot be computed.
    """
    import polars as pl

    options, table, place = label_options(label), tables[label.source], plan.places[label.source]
    for column in (plan.entity.key, label.column):
        if column is not None and column not in table.columns:
            raise DataError.missing_column(label.source, column, table.columns, "label")
    ahead = duration(label.horizon) if label.horizon else timedelta()
    keys, rows, order = _placed(plan, spine.with_columns(pl.col(AS_OF) + ahead))
    # when an outcome became known does not matter: it is looked at from afterwards
    events = events_of(label.source, table, Columns(place.key, place.time), keys)
    windows = Windows(rows, events)
    if label.horizon is None:
        outcome = _looked_up(windows, Column("label", "outcome", label.column or ""), [label.column or ""])
    else:
        outcome = _aggregated(
            _part(windows, "label", options, None), Column("label", "outcome", label.horizon), options
        )
    if label.task == "multiclass":
        return outcome.cast(pl.String)[order].alias("label")
    if label.task == "regression":
        if not (outcome.dtype.is_numeric() or outcome.dtype == pl.Boolean):
            raise DataError.not_numbers(label.source, label.column or label.kind, str(outcome.dtype))
        return outcome.cast(pl.Float64).fill_nan(None)[order].alias("label")
    same = outcome == (str(label.is_) if outcome.dtype == pl.String else label.is_)
    return same.cast(pl.Float64)[order].alias("label")


def _placed(plan: Plan, spine: pl.DataFrame) -> tuple[pl.Series, Spine, pl.Series]:
    """The spine's sorted keys, its sorted rows, and where each of its rows lies among them."""
    import numpy as np
    import polars as pl

    key = plan.entity.key
    text = spine[key].cast(pl.String)
    keys = text.unique().drop_nulls().sort()
    entity = text.cast(pl.Enum(keys)).to_physical().cast(pl.Int32).to_numpy()
    as_of = spine[AS_OF].to_physical().cast(pl.Int64).to_numpy()
    order = np.lexsort((as_of, entity))
    place = np.empty(len(order), dtype=np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    moments = np.unique(as_of)
    whole = len(moments) * len(keys) == len(order) and (as_of[order] == np.tile(moments, len(keys))).all()
    rows = Spine(len(keys), moments) if whole else Spine(len(keys), None, (entity[order], as_of[order]))
    return keys, rows, pl.Series(place)


def _part(windows: Windows, key: str, options: Any, value: str | None) -> Windows:
    """The events that a feature's `where` and `by` leave."""
    import numpy as np
    import polars as pl

    events = windows.events
    chosen = np.ones(len(events), dtype=bool)
    if options.where is not None:
        chosen &= events.holds(options.where, f"{key}.where")
    if value is not None:
        chosen &= (events.column(options.by).cast(pl.String) == value).fill_null(False).to_numpy()
    return windows if chosen.all() else windows.only(chosen)


def _aggregated(windows: Windows, column: Column, options: Any) -> pl.Series:
    import polars as pl

    kind = kinds.load("features", options.kind)
    window_us = None if column.part == "all" else duration(column.part) // _MICROSECOND
    states = windows.events.once((column.feature, "tile"), lambda: kind.tile(options, windows.events))
    merged = {name: windows.merge(state, window_us) for name, state in states.items()}
    value = kind.finalize(options, merged, Seen(windows.spine, window_us, windows.events))
    if isinstance(value, pl.Series):
        return value.alias(column.name)
    return pl.Series(column.name, value, dtype=pl.Float64).fill_nan(None)


def _looked_up(windows: Windows, column: Column, together: Sequence[str]) -> pl.Series:
    """What a table said last about each entity before `as_of`; a table without time says it once.

    Of rows of one moment the largest counts, by the columns that are looked up together.
    """
    import numpy as np
    import polars as pl

    events = windows.events
    found = events.column(column.part)
    if not len(found):
        return found.clear(windows.spine.rows).alias(column.name)
    rank = events.rank(*together)
    place = events.once(("looked up", *together), lambda: windows.merge(Most(rank, -1), None))
    order = events.once(("order", *together), lambda: np.argsort(rank))
    return pl.select(pl.when(pl.Series(place >= 0)).then(found.gather(order[place]))).to_series().alias(column.name)


def _evaluated(table: pl.DataFrame, expression: pl.Expr) -> pl.Series:
    """An expression over a table, with the same bits for one row as for many.

    Polars divides a constant column by a number truly, and others by multiplying with its reciprocal: a last bit
    differs. A table of one row is constant, so it is evaluated with a row of nulls behind it.
    """
    import polars as pl

    if table.height != 1:
        return table.select(expression).to_series()
    return pl.concat([table, table.clear(1)]).select(expression).to_series().head(1)


def evaluated(features: pl.DataFrame, sql: str, key: str) -> pl.Series:
    """An SQL expression over rows of features; what is not finite is null. One row gives the same bits as many.

    Raises:
        DataError: It cannot be computed; `key` says which.
    """
    import polars as pl

    try:
        value = _evaluated(features, row_expression(sql).alias("value"))
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(key, sql, first_line(error)) from error
    if len(value) != features.height:
        value = value.new_from_index(0, features.height)
    if value.dtype.is_float():
        value = pl.DataFrame({"value": value}).select(pl.when(pl.col("value").is_finite()).then("value")).to_series()
    return value
