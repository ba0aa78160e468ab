"""A Parquet file, or a folder of them with the same columns.

Use it wherever you can: types come along and nothing has to be guessed. Not for files that are still being written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.errors import DataError, ExternalError, first_line
from mlctl.sources import SourceOptions, Window
from mlctl.sources._files import files_of, stacked
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl


class Options(SourceOptions):
    """Options of Parquet files."""

    kind: Literal["parquet"] = Field(default="parquet", description="parquet")
    path: str = Field(
        description="file, or folder whose *.parquet are read in the order of their names, from the root; or a URI that"
        " Polars reads: s3://, gs://, az://, hf://, https://, file:// (credentials by the environment alone)"
    )


EXAMPLE = {"kind": "parquet", "path": "orders.parquet", "time": "ordered_at"}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order; categories come out as text.

    Grain: one row of the files. Time: `options.time` as Datetime(us, UTC); rows without a time are in every window.

    Raises:
        DataError: The path is absent, a file is not Parquet or cut off, columns differ between files, or the time
            column is missing or cannot be placed.
    """
    if "://" in options.path:
        return in_window(options, _remote(options), window)
    files = files_of(options.name, options.path, ".parquet")
    parts = [_rows(options, file) for file in files]
    return in_window(options, stacked(options.name, "parquet", files, parts), window)


def _remote(options: Options) -> pl.DataFrame:
    """The rows behind a URI, reconciled with the count that the files' footers tell."""
    import polars as pl

    shown = options.path.partition("?")[0]
    try:
        scanned = pl.scan_parquet(options.path, hive_partitioning=False)
        table = scanned.collect()
        told = int(scanned.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError.not_of_kind(options.name, "parquet", shown, first_line(error)) from error
    except OSError as error:
        raise ExternalError.source(options.name, shown, first_line(error)) from error
    if table.height != told:
        why = f"{table.height} rows were read and the footers tell {told}"
        raise DataError.not_of_kind(options.name, "parquet", shown, why)
    return _texts(table)


def _rows(options: Options, file: Path) -> pl.DataFrame:
    """One file's rows, categories as text."""
    import polars as pl

    try:
        # a folder called `day=1` on the way to the file would otherwise become a column
        table = pl.read_parquet(file, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        why = first_line(error)
        raise DataError.not_of_kind(options.name, "parquet", str(file), why) from error
    return _texts(table)


def _texts(table: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    texts = [name for name, dtype in table.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    return table.with_columns(pl.col(texts).cast(pl.String))
