"""A file of JSON objects, one a line, or a folder of them.

A column has the type that all its values have, in every line of every file: whole numbers beside fractions are numbers,
a text that looks like a number stays a text, objects and lists stay nested. A key that a line does not have is missing
there. What JSON does not have or what cannot be kept is refused with file and line: a key that comes twice, NaN, a
trailing comma, a list where an object should be, a whole number beyond 64 bits, a last line that was cut off. Not for
large data that is read often: write Parquet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.sources import Earlier, Taken, Window
from mlctl.sources._files import FileOptions, counted, same_columns, unchanged
from mlctl.sources._ndjson_objects import objects_of, tables_of
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl


class Options(FileOptions):
    """Options of files of JSON objects."""

    kind: Literal["ndjson"] = Field(default="ndjson", description="ndjson")
    absent: Literal["refuse", "missing"] = Field(
        default="refuse", description="a key that no line of some files has: refuse them, or missing in their rows"
    )


EXAMPLE = {"kind": "ndjson", "path": "orders.ndjson", "time": "ordered_at"}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order.

    Grain: one object of the files; a blank line is none. Time: `options.time` as Datetime(us, UTC); rows without a time
    are in every window.

    Raises:
        DataError: The path is absent, a line is no JSON object, a column has values of types that do not go together,
            or the time column is missing or cannot be placed.
        ExternalError: An object store does not answer.
        IntegrityError: A file changed while it was read.
    """
    return take(options, window).rows


def take(options: Options, window: Window, earlier: Earlier | None = None) -> Taken:
    """The rows of `scan`, and how many lines were counted in the files.

    Raises:
        DataError: As `scan`; or the rows are not as many as the lines.
        ExternalError: As `scan`.
        IntegrityError: As `scan`.
    """
    import polars as pl

    with unchanged(options, ".ndjson") as files:
        read = [objects_of(options, file) for file in files]
    parts = tables_of(options, read)
    for part, table in zip(read, parts, strict=True):
        if table.height != part.counted:
            raise DataError.miscounted(options.name, str(part.file), part.counted, table.height)
    rows = pl.concat(
        same_columns(options.name, "ndjson", files, parts, options.absent == "missing"), how="vertical_relaxed"
    )

    if not rows.columns:
        raise DataError.not_of_kind(options.name, "ndjson", str(files[0]), "no line has an object with a key")

    def place(row: int) -> str:
        for part in read:
            if row < len(part.lines):
                return f" on line {part.lines[row]} of {part.file.name}"
            row -= len(part.lines)
        return ""

    told = counted(rows.height, len(files), "lines")
    return Taken(in_window(options, rows, window, place), told)
