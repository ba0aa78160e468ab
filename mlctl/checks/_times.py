"""The time column that a check means, proved to hold moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlctl.checks import Context, needed
from mlctl.errors import DataError

if TYPE_CHECKING:
    import polars as pl


def time_column(source: str, column: str | None, table: pl.DataFrame, context: Context) -> str:
    """The named column, or the source's event time.

    Raises:
        DataError: There is none, it is missing, or it holds no UTC moments.
    """
    import polars as pl

    name = column or context.times.get(source)
    if name is None:
        raise DataError.bad_time(source, "(none)", "the source names no time and the check no column")
    needed(source, table, name)
    dtype = table.schema[name]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise DataError.bad_time(source, name, f"it is of type {dtype}")
    return name
