"""The files behind a `path`: one file, or those of a folder that have the same columns, numbers in the widest type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlctl.errors import DataError, listed

if TYPE_CHECKING:
    import polars as pl

_EXACT_MOST: Final = 2**53


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
        DataError: A file has other columns than the first, or types that no one type holds without loss.
    """
    import polars as pl

    first = parts[0]
    for file, part in zip(files[1:], parts[1:], strict=True):
        if set(part.columns) != set(first.columns):
            differing = sorted(set(part.columns) ^ set(first.columns))
            why = f"its columns are not those of {files[0].name}: {listed(differing)}"
            raise DataError.not_of_kind(source, kind, str(file), why)
        for name in first.columns:
            if not _joins(first.schema[name], part.schema[name]):
                why = f"column {name} is {part.schema[name]} here and {first.schema[name]} in {files[0].name}"
                raise DataError.not_of_kind(source, kind, str(file), why)
    whole = pl.concat([part.select(first.columns) for part in parts], how="vertical_relaxed")
    for file, part in zip(files, parts, strict=True):
        for name in first.columns:
            if part.schema[name].is_integer() and whole.schema[name].is_float() and not _exact(part[name]):
                why = f"column {name} holds whole numbers that are not exact beside the fractions of other files"
                raise DataError.not_of_kind(source, kind, str(file), why)
    return whole


def _joins(one: pl.DataType, other: pl.DataType) -> bool:
    """Whether two types have one that holds both: the same, or numbers."""
    return one == other or (one.is_numeric() and other.is_numeric() and not (one.is_decimal() or other.is_decimal()))


def _exact(values: pl.Series) -> bool:
    largest = values.drop_nulls().cast(float).abs().max()
    return largest is None or float(largest) <= _EXACT_MOST  # type: ignore[arg-type]
