"""A table or a query of PostgreSQL or SQLite.

Read in one read-only transaction, with the count of rows beside, so that a read that lost or invented rows is refused.
The connection string comes from the environment alone (`dsn: ${oc.env:NAME}`). Decimals of PostgreSQL become numbers,
or text with `decimals: text` where more than 15 digits matter. Not for tables larger than memory: export them.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from pydantic import Field, model_validator

from mlctl.database import masked
from mlctl.errors import ConfigError, DataError, ExternalError, first_line
from mlctl.sources import SourceOptions, Window
from mlctl.sources._times import in_window
from mlctl.sources._values import MixedError, typed

if TYPE_CHECKING:
    import polars as pl

_FROM_ENVIRONMENT: Final = re.compile(r"\$\{oc\.env:([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD: Final = re.compile(r"://[^@/]*:[^@/]+@|password\s*=\s*\S", re.IGNORECASE)
_READS: Final = re.compile(r"^\s*(?:select|with|values|table)\b", re.IGNORECASE)
_SQLITE: Final = "sqlite:///"
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)


class Options(SourceOptions):
    """Options of a database table."""

    kind: Literal["sql"] = Field(default="sql", description="sql")
    dsn: str = Field(
        repr=False, description="postgresql://... by ${oc.env:NAME} only, or sqlite:///FILE from the workspace's root"
    )
    table: str | None = Field(
        default=None, pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$", description="table or view, SCHEMA.NAME"
    )
    query: str | None = Field(default=None, max_length=20_000, description="one SELECT, in place of a table")
    watermark: str | None = Field(
        default=None,
        description="column that grows with every insert and update; a later snapshot reads what came since the last"
        " and replaces by `key`; deleted rows are noticed by the count",
    )
    decimals: Literal["number", "text"] = Field(default="number", description="what decimals of PostgreSQL become")

    @model_validator(mode="after")
    def _one_thing_to_read(self) -> Options:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either `table` or `query`")
        if self.query is not None and (not _READS.match(self.query) or ";" in self.query.rstrip().rstrip(";")):
            raise ValueError("`query` is one SELECT")
        if self.watermark is not None and not self.key:
            raise ValueError("`watermark` needs `key`: changed rows take the place of the ones with their key")
        if self.watermark is not None and self.watermark == self.time and self.time_zone is not None:
            raise ValueError("`watermark` cannot be a time without a zone")
        if _PASSWORD.search(_FROM_ENVIRONMENT.sub("", self.dsn)):
            raise ValueError("`dsn` holds a password; put the whole dsn into the environment, `dsn: ${oc.env:NAME}`")
        return self


EXAMPLE = {"kind": "sql", "dsn": "sqlite:///shop.db", "table": "orders", "time": "ordered_at"}


def scan(options: Options, window: Window, previous: pl.DataFrame | None = None) -> pl.LazyFrame:
    """The rows inside the window, in the database's order.

    With a `watermark` and the rows of the snapshot before, only what came since is read; the whole is read where the
    counts then disagree, or the columns changed.

    Grain: one row of the table or query. Time: `options.time` as Datetime(us, UTC); rows without a time are in every
    window.

    Raises:
        ConfigError: The environment does not hold the dsn.
        DataError: The table or a column is missing, a column holds several types, rows were lost, or the time column
            cannot be placed.
        ExternalError: The database does not answer.
    """
    query = (options.query or f"select * from {_quoted(options.table or '')}").strip().rstrip(";")
    if options.watermark is not None and previous is not None and options.watermark in previous.columns:
        joined = _joined(options, window, query, previous)
        if joined is not None:
            return joined
    table, count = _fetched(options, query, query)
    if table.height != count:
        raise _refused(options, f"{count} rows were counted and {table.height} read in one transaction")
    return in_window(options, table, window)


def _joined(options: Options, window: Window, query: str, previous: pl.DataFrame) -> pl.LazyFrame | None:
    """The rows of before and what came since; None where that is not the whole."""
    import polars as pl

    column = f'"{options.watermark}"'
    since = previous[options.watermark or ""].max()
    if since is None:
        return None
    newer = f"select * from ({query}) as whole where {column} >= {_literal(since)} or {column} is null"
    table, count = _fetched(options, newer, query)
    fresh = in_window(options, table, Window(None, _END)).collect()
    if table.height and fresh.schema != previous.schema:
        return None
    keys = list(options.key)
    kept = previous.join(fresh.select(keys), on=keys, how="anti", maintain_order="left", nulls_equal=True)
    whole = pl.concat([kept, fresh.select(previous.columns)]) if table.height else kept
    if whole.height != count:
        return None
    time = options.time_column()
    return whole.lazy() if time is None else whole.lazy().filter((pl.col(time) < window.end) | pl.col(time).is_null())


def _literal(value: Any) -> str:
    if isinstance(value, int | float):
        return repr(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _fetched(options: Options, query: str, counted: str) -> tuple[pl.DataFrame, int]:
    """The rows of a query, and in the same transaction how many rows another one has."""
    dsn = _FROM_ENVIRONMENT.sub(lambda match: _value(options, match[1]), options.dsn)
    count = f"select count(*) from ({counted}) as counted"
    if dsn.startswith(_SQLITE):
        return _sqlite(options, dsn.removeprefix(_SQLITE), query, count)
    if dsn.startswith(("postgresql://", "postgres://")):
        return _postgresql(options, dsn, query, count)
    raise ConfigError.bad_override(f"sources.{options.name}.dsn", "it is postgresql://... or sqlite:///FILE")


def _value(options: Options, name: str) -> str:
    if name not in os.environ:
        raise ConfigError.missing_environment(name, f"sources.{options.name}.dsn")
    return os.environ[name]


def _quoted(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))


def _sqlite(options: Options, path: str, query: str, counted: str) -> tuple[pl.DataFrame, int]:
    import polars as pl

    if not Path(path).is_file():
        raise DataError.missing_file(options.name, path)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.execute("begin")
            count = connection.execute(counted).fetchone()[0]
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise _refused(options, f"{error}") from error
    _no_name_twice(options, names)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [[] for _ in names]
    try:
        made = [typed(name, values) for name, values in zip(names, columns, strict=True)]
    except MixedError as error:
        raise _refused(options, f"row {error.row + 1}: {error} (SQLite types values and not columns)") from error
    return pl.DataFrame(made), count


def _postgresql(options: Options, dsn: str, query: str, counted: str) -> tuple[pl.DataFrame, int]:
    import adbc_driver_postgresql.dbapi as adbc
    import polars as pl
    from adbc_driver_manager import Error

    try:
        with adbc.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
            cursor.execute(counted)
            (count,) = cursor.fetchone() or (0,)
            cursor.execute(query)
            arrow = cursor.fetch_arrow_table()
    except Error as error:
        why = masked(first_line(error))
        if "could not connect" in why.lower() or "connection" in why.lower():
            raise ExternalError.database(f"sources.{options.name}.dsn", why) from error
        raise _refused(options, why) from error
    _no_name_twice(options, arrow.column_names)
    decimals = [field.name for field in arrow.schema if "type_name=numeric" in str(field.type)]
    table = pl.DataFrame([_plain(options, field.name, arrow.column(field.name)) for field in arrow.schema])
    if options.decimals == "number":
        table = table.with_columns(pl.col(decimals).cast(pl.Float64))
    return table, int(count)


def _plain(options: Options, name: str, column: Any) -> pl.Series:
    """A column without the driver's wrapping: decimals and JSON as their text, identifiers in their usual form."""
    import polars as pl
    import pyarrow as pa

    if isinstance(column.type, pa.BaseExtensionType):
        stored = pa.chunked_array([chunk.storage for chunk in column.chunks], type=column.type.storage_type)
        if "uuid" in str(column.type):
            return pl.Series(name, [None if value is None else str(UUID(bytes=value)) for value in stored.to_pylist()])
        column = stored
    values = pl.Series(name, column)
    if values.dtype.is_nested():
        raise _refused(options, f"column {name} holds {values.dtype}; select its parts")
    return values


def _no_name_twice(options: Options, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _refused(options, f"the query names {', '.join(twice)} twice")


def _refused(options: Options, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "sql", options.table or "query", why)
