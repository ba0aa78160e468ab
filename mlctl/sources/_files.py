"""The files behind a `path`: one file, or those of a folder that have the same columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlctl.errors import DataError, listed

if TYPE_CHECKING:
    import polars as pl


def files_of(source: str, path: str, ending: str) -> list[Path]:
    """The file itself, or the folder's files of that ending by name; hidden files are no data.

    Raises:
        DataError: Nothing is there, or the folder holds no such file.
    """
    place = Path(path)
    if place.is_dir():
        found = sorted(file for file in place.glob(f"*{ending}") if file.is_file() and not file.name.startswith("."))
        if not found:
            raise DataError.missing_file(source, str(place / f"*{ending}"))
        return found
    if not place.is_file():
        raise DataError.missing_file(source, path)
    return [place]


def stacked(source: str, kind: str, files: Sequence[Path], parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The files' rows behind each other; the first file says the order of the columns.

    Grain: one row of the files, in their order. Time: as the files have it.

    Raises:
        DataError: A file has other columns, or other types, than the first.
    """
    import polars as pl

    first = parts[0]
    for file, part in zip(files[1:], parts[1:], strict=True):
        if set(part.columns) != set(first.columns):
            differing = sorted(set(part.columns) ^ set(first.columns))
            why = f"its columns are not those of {files[0].name}: {listed(differing)}"
            raise DataError.not_of_kind(source, kind, str(file), why)
        other = [name for name in first.columns if part.schema[name] != first.schema[name]]
        if other:
            name = other[0]
            why = f"column {name} is {part.schema[name]} here and {first.schema[name]} in {files[0].name}"
            raise DataError.not_of_kind(source, kind, str(file), why)
    return pl.concat([part.select(first.columns) for part in parts])
