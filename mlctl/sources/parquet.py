"""A Parquet file, or a folder of them with the same columns.

Use it wherever you can: types come along and nothing has to be guessed. Not for files that are still being written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.errors import DataError, first_line
from mlctl.sources import Earlier, Taken, Window, must_not_be_too_wide
from mlctl.sources._files import FileOptions, Piece, counted, fetching, same_columns, unchanged
from mlctl.sources._times import in_window
from mlctl.sources._widening import stacked

if TYPE_CHECKING:
    import polars as pl


class Options(FileOptions):
    """Options of Parquet files."""

    kind: Literal["parquet"] = Field(default="parquet", description="parquet")


EXAMPLE = {"kind": "parquet", "path": "orders.parquet", "time": "ordered_at"}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order; categories come out as text.

    Grain: one row of the files. Time: `options.time` as Datetime(us, UTC); rows without a time are in every window.

    Raises:
        DataError: The path is absent, a file is not Parquet or cut off, columns differ between files, or the time
            column is missing or cannot be placed.
        IntegrityError: A file changed while it was read.
    """
    return take(options, window).rows


def take(options: Options, window: Window, earlier: Earlier | None = None) -> Taken:
    """The rows of `scan`, and how many the footers of the files count.

    Raises:
        DataError: As `scan`; or the rows are not as many as the footers say.
        IntegrityError: A file changed while it was read.
    """
    with unchanged(options, ".parquet") as files:
        parts = [_rows(options, file) for file in files]
    table = stacked(options.name, "parquet", files, same_columns(options.name, "parquet", files, parts))
    return Taken(in_window(options, table, window), counted(table.height, len(files), "rows"))


def _rows(options: Options, file: Piece) -> pl.DataFrame:
    """One file's rows, as many as its footer counts, categories as text."""
    import polars as pl

    table, rows = _local(options, file) if file.local is not None else _remote(options, file)
    if table.height != rows:
        raise DataError.miscounted(options.name, str(file), rows, table.height)
    texts = [name for name, dtype in table.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    return table.with_columns(pl.col(texts).cast(pl.String))


def _local(options: Options, file: Piece) -> tuple[pl.DataFrame, int]:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        must_not_be_too_wide(options.name, str(file), len(pl.read_parquet_schema(str(file))))
        # a folder called `day=1` on the way to the file would otherwise become a column
        table = pl.read_parquet(str(file), glob=False, hive_partitioning=False)
        return table, pq.read_metadata(file.local).num_rows
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError) as error:
        raise DataError.not_of_kind(options.name, "parquet", str(file), first_line(error)) from error


def _remote(options: Options, file: Piece) -> tuple[pl.DataFrame, int]:
    import polars as pl

    with fetching(file):
        given = dict(options.storage_options) or None
        lazy = pl.scan_parquet(file.where, hive_partitioning=False, storage_options=given)
        return lazy.collect(), int(lazy.select(pl.len()).collect().item())
