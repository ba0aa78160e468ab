"""Newline-delimited JSON: one object a line; a file, or a folder of them.

Every line is parsed and every value counts for a column's type: a text in the last line is not lost, a number written
as text stays one. A key that a line lacks is missing there. Not for nested objects and lists: flatten them where they
are written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.sources import SourceOptions, Window
from mlctl.sources._files import files_of
from mlctl.sources._times import in_window
from mlctl.sources._values import MixedError, typed

if TYPE_CHECKING:
    import polars as pl


class Options(SourceOptions):
    """Options of newline-delimited JSON."""

    kind: Literal["ndjson"] = Field(default="ndjson", description="ndjson")
    path: str = Field(description="file, or folder whose *.ndjson are read in the order of their names; from the root")


EXAMPLE = {"kind": "ndjson", "path": "orders.ndjson", "time": "ordered_at"}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The lines' objects inside the window, in the files' order.

    Grain: one line; an empty line is none. Time: `options.time` as Datetime(us, UTC); rows without a time are in every
    window.

    Raises:
        DataError: The path is absent, a line is no JSON object of plain values, a column holds several types, or the
            time column is missing or cannot be placed.
    """
    import polars as pl

    rows: list[dict[str, Any]] = []
    places: list[tuple[Path, int]] = []
    for file in files_of(options.name, options.path, ".ndjson"):
        for number, line in _lines(options, file):
            rows.append(_object(options, file, number, line))
            places.append((file, number))
    columns = []
    for name in dict.fromkeys(key for row in rows for key in row):
        try:
            columns.append(typed(name, [row.get(name) for row in rows], _nested))
        except MixedError as error:
            file, number = places[error.row]
            raise _refused(options, file, f"line {number}: {error}") from error
    table = pl.DataFrame(columns)
    if table.height != len(rows):
        raise _refused(options, Path(options.path), "no line has a key")
    return in_window(options, table, window)


def _lines(options: Options, file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(options, file, f"byte {error.start} is not UTF-8 ({error.reason})") from error
    except OSError as error:
        raise _refused(options, file, f"it cannot be read: {error.strerror}") from error
    if not text.strip():
        raise _refused(options, file, "it has no line")
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _object(options: Options, file: Path, number: int, line: str) -> dict[str, Any]:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            raise ValueError("a key stands twice")
        return made

    def constant(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    try:
        value = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
        line.encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _refused(options, file, f"line {number} is no JSON object: {error}") from error
    if not isinstance(value, dict):
        raise _refused(options, file, f"line {number} is no JSON object but a {type(value).__name__}")
    if any(isinstance(item, str) and not item.isprintable() and _broken(item) for item in value.values()):
        raise _refused(options, file, f"line {number} holds half of a character (a lone surrogate) or NUL")
    if any(isinstance(item, float) and item in (float("inf"), float("-inf")) for item in value.values()):
        raise _refused(options, file, f"line {number} holds a number beyond what 64 bits tell")
    return value


def _broken(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _nested(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else ""


def _refused(options: Options, file: Path, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "ndjson", str(file), why)
