"""Newline-delimited JSON: one object a line; a file, or a folder of them.

Every line is parsed and every value counts for a column's type: a text in the last line is not lost, a number written
as text stays one. A key that a line lacks is missing there. Not for nested objects and lists: flatten them where they
are written.
"""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.sources import Earlier, SourceOptions, Taken, Window
from mlctl.sources._files import counted, unchanged
from mlctl.sources._times import in_window
from mlctl.sources._values import MixedError, typed

if TYPE_CHECKING:
    import polars as pl


# what RFC 8259 calls whitespace; other blank characters are no blank line
_BLANK: Final = " \t\r"
_A_LINE: Final = re.compile(rb"^[ \t\r]*[^ \t\r\n]", re.MULTILINE)


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
        IntegrityError: A file changed while it was read.
    """
    return take(options, window).rows


def take(options: Options, window: Window, earlier: Earlier | None = None) -> Taken:
    """The rows of `scan`, and how many lines were counted in the bytes of the files.

    Raises:
        DataError: As `scan`; or the rows are not as many as the lines.
        IntegrityError: A file changed while it was read.
    """
    import polars as pl

    rows: list[dict[str, Any]] = []
    places: list[tuple[Path, int]] = []
    with unchanged(options.name, options.path, ".ndjson") as files:
        for file in files:
            before = len(rows)
            data = _bytes(options, file)
            for number, line in _lines(options, file, data):
                rows.append(_object(options, file, number, line))
                places.append((file, number))
            lines = len(_A_LINE.findall(data.removeprefix(codecs.BOM_UTF8)))
            if len(rows) - before != lines:
                raise DataError.miscounted(options.name, str(file), lines, len(rows) - before)
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
    told = counted(table.height, len(files), "lines")
    return Taken(in_window(options, table, window, lambda row: _place(*places[row])), told)


def _place(file: Path, number: int) -> str:
    return f" on line {number} of {file.name}"


def _bytes(options: Options, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _refused(options, file, f"it cannot be read: {error.strerror}") from error


def _lines(options: Options, file: Path, data: bytes) -> list[tuple[int, str]]:
    """Each line that is not blank, with its number from 1."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        why = f"line {line}: byte {data[error.start]:#04x} at position {error.start} is not UTF-8 ({error.reason})"
        raise _refused(options, file, why) from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip(_BLANK)]
    if not lines:
        raise _refused(options, file, "it has no line")
    return lines


def _object(options: Options, file: Path, number: int, line: str) -> dict[str, Any]:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            names = [name for name, _ in found]
            raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
        return made

    def constant(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    try:
        value = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise _refused(options, file, f"line {number} is no JSON object: {error}") from error
    if not isinstance(value, dict):
        raise _refused(options, file, f"line {number} is no JSON object but a {type(value).__name__}")
    if any(isinstance(item, str) and _broken(item) for entry in value.items() for item in entry):
        raise _refused(options, file, f"line {number} holds half of a character (a lone surrogate) or NUL")
    if any(isinstance(item, float) and item in (float("inf"), float("-inf")) for item in value.values()):
        raise _refused(options, file, f"line {number} holds a number beyond what 64 bits tell")
    return value


def _broken(text: str) -> bool:
    # nearly all texts are printable, and that is told at once
    return not text.isprintable() and any(one == "\0" or "\ud800" <= one <= "\udfff" for one in text)


def _nested(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else ""


def _refused(options: Options, file: Path, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "ndjson", str(file), why)
