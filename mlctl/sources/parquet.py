"""A Parquet file, or a folder of them with the same columns.

Use it wherever you can: types come along and nothing has to be guessed. Not for files that are still being written.
What would take more memory than `max_bytes` is refused, before its values are read where the footer tells it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mlctl.errors import DataError, first_line
from mlctl.sources import Earlier, Taken, Window, must_not_be_too_wide
from mlctl.sources._files import FileOptions, Piece, Room, counted, fetching, same_columns, unchanged
from mlctl.sources._parquet_bytes import by_schema, categories_of, declared, held, spelled_out
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
        DataError: The path is absent, a file is not Parquet or cut off, columns differ between files, there are more
            bytes than `max_bytes`, or the time column is missing or cannot be placed.
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
        room = Room(options)
        parts = [_rows(options, file, room) for file in files]
    table = stacked(options.name, "parquet", files, same_columns(options.name, "parquet", files, parts))
    return Taken(in_window(options, table, window), counted(table.height, len(files), "rows"))


def _rows(options: Options, file: Piece, room: Room) -> pl.DataFrame:
    """One file's rows, as many as its footer counts, categories as text."""
    import polars as pl

    table, rows = _whole(options, file, room) if file.keeps_bytes else _of_store(options, file, room)
    if table.height != rows:
        raise DataError.miscounted(options.name, str(file), rows, table.height)
    return table.with_columns(pl.col(categories_of(table.schema)).cast(pl.String))


def _whole(options: Options, file: Piece, room: Room) -> tuple[pl.DataFrame, int]:
    """The rows of a file or of a server's answer, which is looked at before a value is read."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = b"" if file.local is not None else file.data()

    def opened() -> Any:
        return str(file) if file.local is not None else io.BytesIO(data)

    try:
        schema = pl.read_parquet_schema(opened())
        must_not_be_too_wide(options.name, str(file), len(schema))
        footer = pq.read_metadata(opened())
        room.must_hold(str(file), declared(footer))
        room.must_hold(str(file), spelled_out(opened(), footer, categories_of(schema), options.max_bytes))
        # a folder called `day=1` on the way to the file would otherwise become a column
        table = pl.read_parquet(opened(), glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError) as error:
        raise DataError.not_of_kind(options.name, "parquet", str(file), first_line(error)) from error
    room.take(str(file), held(table))
    return table, footer.num_rows


def _of_store(options: Options, file: Piece, room: Room) -> tuple[pl.DataFrame, int]:
    """The rows of an object, counted as they come."""
    import polars as pl

    with fetching(file):
        given = dict(options.storage_options) or None
        lazy = pl.scan_parquet(file.where, hive_partitioning=False, storage_options=given)
        schema, rows = lazy.collect_schema(), int(lazy.select(pl.len()).collect().item())
        must_not_be_too_wide(options.name, str(file), len(schema))
        room.must_hold(str(file), by_schema(schema, rows))
        parts = [pl.DataFrame(schema=schema)]
        for part in lazy.collect_batches(lazy=True):
            room.take(str(file), held(part))
            parts.append(part)
    return pl.concat(parts), rows
