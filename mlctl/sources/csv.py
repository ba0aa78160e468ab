"""A CSV file, or a folder of them with the same columns.

Everything is read as text first and typed by looking at every value of every file: `007` stays a text, a blank is
missing, and a letter in the last row cannot be lost. Use `types` where a column must be something. Not for large data
that is read often: write Parquet.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from pydantic import Field

from mlctl.errors import DataError, listed
from mlctl.sources import SourceOptions, Window
from mlctl.sources._files import files_of, stacked
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl

Type = Literal["text", "integer", "number", "boolean"]

_INTEGER: Final = r"^(?:0|-?[1-9][0-9]{0,18})$"
_WHOLE: Final = r"^[+-]?[0-9]{1,40}$"
_NUMBER: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"
# a number would lose the zeros in front, or the last digits of a whole number beyond 2**53
_CODE: Final = r"^[+-]?(?:0[0-9]+|[0-9]{16,})$"
_OTHER_FORMATS: Final = {b"PAR1\x15": "a Parquet file", b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive"}
_BOM: Final = "\ufeff"
# records become columns in parts, so that a large file is not held as one Python object a value
_PART: Final = 50_000


class Options(SourceOptions):
    """Options of CSV files."""

    kind: Literal["csv"] = Field(default="csv", description="csv")
    path: str = Field(description="file, or folder whose *.csv are read in the order of their names; from the root")
    delimiter: str = Field(default=",", pattern=r'^[^"\r\n]$', description="the one character between two values")
    encoding: str = Field(default="utf-8", description="such as utf-8, latin-1, cp1252 or utf-16")
    quote: str = Field(default='"', pattern=r"^[^\r\n]?$", description="the character around a value; '' for none")
    skip: int = Field(default=0, ge=0, description="lines above the header that are no data, such as a title")
    names: tuple[str, ...] = Field(default=(), description="names of the columns of a file without a header")
    missing: tuple[str, ...] = Field(default=(), description="texts that stand for a missing value, such as N/A")
    decimal: str = Field(default=".", pattern=r"^[.,]$", description="the mark before the decimals of numbers")
    thousands: str = Field(
        default="", pattern=r"^[.,' _]?$", description="the mark between thousands of numbers, if any"
    )
    types: dict[str, Type] = Field(default_factory=dict, description="types of columns; others are found out")


EXAMPLE = {"kind": "csv", "path": "orders.csv", "time": "ordered_at", "types": {"customer_id": "text"}}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order.

    Grain: one record of the files; an empty line is none. Time: `options.time` as Datetime(us, UTC); rows without a
    time are in every window.

    Raises:
        DataError: The path is absent, the bytes are not CSV of this encoding, a record has more or fewer values than
            the header, a value is not of its declared type, or the time column is missing or cannot be placed.
    """
    import polars as pl

    files = files_of(options.name, options.path, ".csv")
    read = [_texts(options, file) for file in files]
    texts = stacked(options.name, "csv", files, [part.texts for part in read])
    for name in options.types:
        if name not in texts.columns:
            raise DataError.missing_column(options.name, name, texts.columns, f"sources.{options.name}.types")
    time = options.time_column()
    columns = [texts[name] if name == time else _typed(options, texts[name], read) for name in texts.columns]
    return in_window(options, pl.DataFrame(columns), window)


class _Read(NamedTuple):
    """One file's records as text, and the line on which each begins."""

    file: Path
    texts: pl.DataFrame
    lines: array[int]


def _texts(options: Options, file: Path) -> _Read:
    """One file's records as text; a blank value is missing."""
    import polars as pl

    records = _records(options, file)
    header = list(options.names) or _header(options, file, next((record for _, record in records if record), []))
    lines: array[int] = array("q")

    def rows() -> Iterator[list[str]]:
        for line, record in records:
            if len(record) == len(header):
                lines.append(line)
                yield record
            elif record:
                raise _refused(options, file, f"line {line} has {len(record)} values, the header has {len(header)}")
            elif len(header) == 1:
                why = f'line {line} is empty, which in a file of one column may be a missing value: write it as ""'
                raise _refused(options, file, why)

    schema = dict.fromkeys(header, pl.String)
    parts, rest = [pl.DataFrame(schema=schema)], rows()
    while part := list(islice(rest, _PART)):
        columns = zip(header, zip(*part, strict=True), strict=True)
        parts.append(pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in columns]))
    blank = pl.all().str.strip_chars().is_in(["", *options.missing])
    return _Read(file, pl.concat(parts).select(pl.when(~blank).then(pl.all()).name.keep()), lines)


def _records(options: Options, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; empty lines are empty records."""
    csv.field_size_limit(2**31 - 1)
    stream = _stream(options, file)
    for _ in range(options.skip):
        stream.readline()
    reader = csv.reader(
        stream,
        delimiter=options.delimiter,
        quotechar=options.quote or None,
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        line = reader.line_num + 1 + options.skip
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _refused(options, file, f"the record that begins on line {line}: {error}") from error
        if record is None:
            return
        yield line, record


def _stream(options: Options, file: Path) -> io.TextIOWrapper:
    """The file's text after its byte order mark, once all of it is known to be text of this encoding."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _refused(options, file, f"it cannot be read: {error.strerror}") from error
    known = next((what for magic, what in _OTHER_FORMATS.items() if data.startswith(magic)), None)
    if not data or known:
        raise _refused(options, file, f"it is {known}" if known else "it has no bytes")
    try:
        text = data.decode(options.encoding)
    except UnicodeDecodeError as error:
        why = f"byte {data[error.start]:#04x} at position {error.start} is not {options.encoding}"
        raise _refused(options, file, f"{why} ({error.reason}); set encoding") from error
    except (LookupError, UnicodeError) as error:
        raise _refused(options, file, f"{error}; set encoding") from error
    if "\0" in text:
        raise _refused(options, file, f"it holds a NUL character at position {text.index(chr(0))}")
    if text.startswith(_BOM.encode().decode("latin-1")):
        raise _refused(options, file, f"it begins with the mark of UTF-8 and encoding is {options.encoding}")
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=options.encoding, newline="")
    if text.startswith(_BOM):
        stream.read(1)
    return stream


def _header(options: Options, file: Path, record: list[str]) -> list[str]:
    header = [name.strip() for name in record]
    if not header:
        raise _refused(options, file, "it has no header")
    if "" in header:
        why = f"column {header.index('') + 1} of the header has no name; skip the line and give names"
        raise _refused(options, file, why)
    if all(re.fullmatch(_NUMBER, name) for name in header):
        raise _refused(
            options, file, f"the header is made of numbers ({listed(header)}): it looks like data; give names"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _refused(options, file, f"the header names {listed(twice)} twice")
    return header


def _typed(options: Options, texts: pl.Series, read: list[_Read]) -> pl.Series:
    """A column in its declared type, or in the narrowest that every value has."""
    declared = options.types.get(texts.name)
    if declared == "text" or (declared is None and texts.null_count() == len(texts)):
        return texts
    values = _pointed(options, texts.str.strip_chars())
    if declared is not None:
        column = _as(declared, values, _WHOLE)
        wrong = (column.is_null() & values.is_not_null()).arg_true()
        if len(wrong):
            place = _place(read, wrong[0])
            why = f"column {texts.name}: {len(wrong)} values are no {declared}, such as {texts[wrong[0]]!r} {place}"
            raise DataError.not_of_kind(options.name, "csv", options.path, why)
        return column
    for kind in ("integer", "number", "boolean"):
        column = _as(kind, values, _INTEGER)
        coded = kind == "number" and values.str.contains(_CODE).any()
        if not coded and column.null_count() == values.null_count():
            return column
    return texts


def _pointed(options: Options, values: pl.Series) -> pl.Series:
    """Numbers as this program writes them, in place of the declared marks; other texts are not numbers then either."""
    if options.thousands:
        grouped = rf"^[+-]?\d{{1,3}}(?:{re.escape(options.thousands)}\d{{3}})+(?:{re.escape(options.decimal)}\d+)?$"
        plain = values.str.replace_all(options.thousands, "", literal=True)
        values = plain.zip_with(values.str.contains(grouped).fill_null(False), values)
    if options.decimal == ",":
        # a point in such a file is no decimal mark: the value is left as a text that reads as no number
        swapped = values.str.replace_all(".", "\0", literal=True).str.replace(",", ".", literal=True)
        values = swapped.zip_with(values.str.contains(r"^[+-]?[\d.]*,?\d+$").fill_null(False), values)
    return values


def _as(kind: Literal["integer", "number", "boolean"], values: pl.Series, whole: str) -> pl.Series:
    """The values in a type, null where one does not fit."""
    import polars as pl

    if kind == "integer":
        fitting = values.set(~values.str.contains(whole).fill_null(True), None)
        return fitting.str.strip_prefix("+").cast(pl.Int64, strict=False)
    if kind == "number":
        numbers = values.set(~values.str.contains(_NUMBER).fill_null(True), None).cast(pl.Float64, strict=False)
        return numbers.set(numbers.is_infinite().fill_null(False), None)
    return values.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    )


def _place(read: list[_Read], row: int) -> str:
    """Where the row stands, as `on line 7 of orders.csv`."""
    for part in read:
        if row < len(part.lines):
            return f"on line {part.lines[row]} of {part.file.name}"
        row -= len(part.lines)
    return ""


def _refused(options: Options, file: Path, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "csv", str(file), why)
