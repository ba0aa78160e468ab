"""The files behind a `path`: one file, or those of a folder that have the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlctl.errors import DataError, IntegrityError, listed

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


@contextmanager
def unchanged(source: str, path: str, ending: str) -> Iterator[list[Path]]:
    """The files behind a path while they are read; afterwards they must be the same, as they were.

    Raises:
        DataError: As `files_of`.
        IntegrityError: A file was written, replaced, added or removed meanwhile.
    """
    files = files_of(source, path, ending)
    before = [_state(file) for file in files]
    yield files
    after = files_of(source, path, ending) if Path(path).exists() else []
    if after != files:
        differing = sorted(str(file) for file in set(after) ^ set(files))
        raise IntegrityError.changed_while_read(source, differing[0])
    for file, was in zip(files, before, strict=True):
        if _state(file) != was:
            raise IntegrityError.changed_while_read(source, str(file))


def _state(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def counted(rows: int, files: int, what: str = "records") -> str:
    """What was counted, for people.

    >>> counted(1200, 3)
    '1,200 records counted in 3 files'
    """
    return f"{rows:,} {what} counted in {files} file{'s' if files != 1 else ''}"


def same_columns(
    source: str, kind: str, files: Sequence[Path], parts: Sequence[pl.DataFrame], absent_is_missing: bool = False
) -> list[pl.DataFrame]:
    """The files' tables with the same columns in the same order: those of the first file, then what later ones add.

    Args:
        source: The source's name.
        kind: Its kind, for messages.
        files: The files.
        parts: Their tables.
        absent_is_missing: A column that a file does not have is missing in all its rows, and no fault.

    Grain: as each part. Time: as the files have it.

    Raises:
        DataError: A file has other columns than the first.
    """
    import polars as pl

    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    for file, part in zip(files, parts, strict=True):
        differing = sorted(set(part.columns) ^ set(parts[0].columns))
        if differing and not absent_is_missing:
            why = f"its columns are not those of {files[0].name}: {listed(differing)}"
            raise DataError.not_of_kind(source, kind, str(file), why)
    return [part.select(pl.col(n) if n in part.columns else pl.lit(None).alias(n) for n in names) for part in parts]
