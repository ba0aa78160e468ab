"""A table or a query of PostgreSQL or SQLite, read in one read-only transaction.

The rows are counted in the same transaction and must be as many as were read. Nothing is typed by looking at the first
rows. PostgreSQL's whole numbers, floats, booleans, texts, bytes, dates and moments come as they are, all else as text;
`numeric` is exact: a number only while a float gives the same decimals back, else refused until `decimals: text`.
SQLite keeps a type per value: whole numbers beside fractions are numbers, texts beside numbers are refused. Columns of
SQLite hold no times; text times are read as ISO 8601 or by `time_format`.

With `watermark`, a later snapshot reads only rows from the highest watermark of the last one on, and puts them in the
place of the rows of the same `key`; of the others it reads key and watermark, so rows that are gone do not stay. When
the count then is not the database's, all is read again, and it is told. A change that does not move the watermark is
not seen: use it for tables whose every change moves it.

Not for a database that must not be asked: read its exports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.environment import from_environment
from mlctl.errors import DataError
from mlctl.sources import Earlier, Taken, Window
from mlctl.sources._sql_asking import Asking
from mlctl.sources._sql_opening import opened
from mlctl.sources._sql_options import SqlOptions
from mlctl.sources._sql_since import since
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl


class Options(SqlOptions):
    """Options of tables in a database."""

    kind: Literal["sql"] = Field(default="sql", description="sql")


EXAMPLE = {"kind": "sql", "dsn": "${oc.env:SHOP_DSN}", "table": "orders", "time": "ordered_at", "key": ["order_id"]}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The rows inside the window, sorted by all columns.

    Grain: one row of the table or the query. Time: `options.time` as Datetime(us, UTC); rows without a time are
    in every window.

    Raises:
        ConfigError: The environment variable of the dsn is not set, or it holds the dsn of another database.
        DataError: The table, a column or the SQLite file is missing, the query is refused, a value has no exact type
            here, or the rows are not as many as the database counts.
        ExternalError: The database does not answer.
    """
    return take(options, window).rows


def take(options: Options, window: Window, earlier: Earlier | None = None) -> Taken:
    """The rows of `scan`, and how many the database counts.

    Args:
        options: The source's options.
        window: The half-open window.
        earlier: The snapshot before; with a `watermark` only what is later is read.

    Raises:
        ConfigError: As `scan`.
        DataError: As `scan`.
        ExternalError: As `scan`.
    """
    dsn = from_environment(options.dsn, f"sources.{options.name}.dsn")
    with opened(options, dsn) as asking:
        _columns_are_there(options, asking)
        inside = asking.inside(options, window)
        counted = asking.count(inside)
        told = f"{counted:,} rows counted by the database"
        rows = None
        if earlier is not None and options.watermark is not None:
            rows, how = since(options, asking, earlier, inside)
            if rows is not None and rows.height != counted:
                rows, how = None, "read in full: the database changed rows without a later watermark"
            told = f"{told}, {how}"
        if rows is None:
            rows = asking.rows(inside)
        if rows.height != counted:
            raise DataError.miscounted(options.name, asking.where, counted, rows.height)
    return Taken(in_window(options, rows.sort(rows.columns, nulls_last=False), window), told)


def _columns_are_there(options: Options, asking: Asking) -> None:
    named = {"time": options.time, "knowledge_time": options.knowledge_time, "watermark": options.watermark}
    for key, name in named.items():
        if name is not None and name not in asking.kinds:
            raise DataError.missing_column(options.name, name, list(asking.kinds), f"sources.{options.name}.{key}")
