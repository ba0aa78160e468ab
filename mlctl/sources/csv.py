"""A CSV file, or a folder of them with the same columns.

Everything is read as text first and typed by looking at every value of every file: `007` stays a text, a blank is
missing, and a letter in the last row of the last file cannot be lost. Use `types` where a column must be something.
What is not plainly a table is refused with its line: ragged rows, stray quotes, NUL, another encoding or delimiter, a
first line of numbers where names should be, a header that comes again. Not for large data that is read often: write
Parquet.

A plain file is read by Polars, once its records and their values were counted in the bytes; any other by Python's
strict reader, at a fifth of the speed. Both give the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.sources import Earlier, Taken, Window
from mlctl.sources._csv_options import CsvOptions
from mlctl.sources._csv_records import read_records, same_headers
from mlctl.sources._csv_values import typed
from mlctl.sources._files import counted, same_columns, unchanged
from mlctl.sources._times import in_window, on_utc_line

if TYPE_CHECKING:
    import polars as pl


class Options(CsvOptions):
    """Options of CSV files."""

    kind: Literal["csv"] = Field(default="csv", description="csv")


EXAMPLE = {"kind": "csv", "path": "orders.csv", "time": "ordered_at", "types": {"customer_id": "text"}}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order.

    Grain: one record of the files; an empty line is none. Time: `options.time` as Datetime(us, UTC); rows without a
    time are in every window.

    Raises:
        DataError: The path is absent, the bytes are not CSV of this encoding, a record has more or fewer values than
            the header, a value is not of its declared type, or the time column is missing or cannot be placed.
        IntegrityError: A file changed while it was read.
    """
    return take(options, window).rows


def take(options: Options, window: Window, earlier: Earlier | None = None) -> Taken:
    """The rows of `scan`, and how many records were counted in the files.

    Raises:
        DataError: As `scan`; or the rows are not as many as the records.
        IntegrityError: A file changed while it was read.
    """
    import polars as pl

    with unchanged(options, ".csv") as files:
        read = [read_records(options, file) for file in files]
    same_headers(options, read)
    parts = same_columns(options.name, "csv", files, [part.texts for part in read], options.absent == "missing")
    texts = pl.concat([part.cast(pl.String) for part in parts])
    for name in options.types:
        if name not in texts.columns:
            raise DataError.missing_column(options.name, name, texts.columns, f"sources.{options.name}.types")

    def place(row: int) -> str:
        for part in read:
            if row < len(part.lines):
                return f" on line {part.lines[row]} of {part.file.name}"
            row -= len(part.lines)
        return ""

    moments = (options.time_column(), options.knowledge_time)
    columns = [column if column.name in moments else typed(options, column, place) for column in texts]
    table = pl.DataFrame(columns)
    for name, kind in options.types.items():
        if kind == "time" and name not in moments:
            table = table.with_columns(on_utc_line(options, table, (f"types.{name}", name), place))
    told = counted(table.height, len(files))
    return Taken(in_window(options, table, window, place), told)
