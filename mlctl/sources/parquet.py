"""A Parquet file, or a folder of them with the same columns.

Use it wherever you can: types come along and nothing has to be guessed. Not for files that are still being written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.sources import SourceOptions, Window
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl


class Options(SourceOptions):
    """Options of Parquet files."""

    kind: Literal["parquet"] = Field(default="parquet", description="parquet")
    path: str = Field(description="file, or folder whose *.parquet are read in the order of their names; from the root")


EXAMPLE = {"kind": "parquet", "path": "orders.parquet", "time": "ordered_at"}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order.

    Grain: one row of the files. Time: `options.time` as Datetime(us, UTC).

    Raises:
        DataError: The path is absent, a file is not Parquet or cut off, columns differ between files, or the time
            column cannot be placed.
    """
    import polars as pl

    path = Path(options.path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError.missing_file(options.name, options.path)
    parts = []
    for file in files:
        try:
            parts.append(pl.read_parquet(file, glob=False))
        except (pl.exceptions.PolarsError, OSError) as error:
            why = str(error).strip().splitlines()[0]
            raise DataError.not_of_kind(options.name, "parquet", str(file), why) from error
    for file, part in zip(files, parts, strict=True):
        if part.schema != parts[0].schema:
            why = f"its columns or types differ from those of {files[0].name}"
            raise DataError.not_of_kind(options.name, "parquet", str(file), why)
    table = pl.concat(parts)
    texts = [name for name, dtype in table.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    return in_window(options, table.with_columns(pl.col(texts).cast(pl.String)), window)
