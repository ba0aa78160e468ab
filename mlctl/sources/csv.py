"""A CSV file, or a folder of them with the same columns.

Everything is read as text first and typed by looking at every value: `007` stays a text, a blank is missing, and a
letter in the last row cannot be lost. Use `types` where a column must be something. Not for large data that is read
often: write Parquet.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.errors import DataError, listed
from mlctl.sources import SourceOptions, Window
from mlctl.sources._times import in_window

if TYPE_CHECKING:
    import polars as pl

Type = Literal["text", "integer", "number", "boolean"]

_INTEGER: Final = r"^(?:0|-?[1-9][0-9]{0,17})$"
_NUMBER: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"
_OTHER_FORMATS: Final = {b"PAR1": "a Parquet file", b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive"}


class Options(SourceOptions):
    """Options of CSV files."""

    kind: Literal["csv"] = Field(default="csv", description="csv")
    path: str = Field(description="file, or folder whose *.csv are read in the order of their names; from the root")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="what stands between two values")
    encoding: str = Field(default="utf-8", description="such as utf-8, latin-1, cp1252 or utf-16")
    types: dict[str, Type] = Field(default_factory=dict, description="types of columns; others are found out")


EXAMPLE = {"kind": "csv", "path": "orders.csv", "time": "ordered_at", "types": {"customer_id": "text"}}


def scan(options: Options, window: Window) -> pl.LazyFrame:
    """The files' rows inside the window, in the files' order.

    Grain: one record of the files. Time: `options.time` as Datetime(us, UTC).

    Raises:
        DataError: The path is absent, the bytes are not CSV of this encoding, a record has more or fewer values than
            the header, a value is not of its declared type, or the time column cannot be placed.
    """
    import polars as pl

    path = Path(options.path)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError.missing_file(options.name, options.path)
    texts = pl.concat([_texts(options, file) for file in files])
    for name in options.types:
        if name not in texts.columns:
            raise DataError.missing_column(options.name, name, texts.columns, f"sources.{options.name}.types")
    keep_text = options.time_column() if options.time_format else None
    typed = [_typed(options, texts[name]) if name != keep_text else texts[name] for name in texts.columns]
    return in_window(options, pl.DataFrame(typed), window)


def _texts(options: Options, file: Path) -> pl.DataFrame:
    """One file's records as text; a blank value is missing."""
    import polars as pl

    data = file.read_bytes()
    known = next((what for magic, what in _OTHER_FORMATS.items() if data.startswith(magic)), None)
    if not data or known:
        raise _refused(options, file, f"it is {known}" if known else "it has no bytes")
    try:
        text = data.decode("utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise _refused(options, file, f"{error}; set encoding") from error
    if "\0" in text:
        raise _refused(options, file, f"it holds a NUL character at position {text.index(chr(0))}")
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=options.delimiter, strict=True)
    records, lines = [], []
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise _refused(options, file, f"line {reader.line_num}: {error}") from error
    header = _header(options, file, records)
    for record, line in zip(records[1:], lines[1:], strict=True):
        if len(record) != len(header):
            raise _refused(options, file, f"line {line} has {len(record)} values, the header has {len(header)}")
    columns = list(zip(*records[1:], strict=True)) or [()] * len(header)
    table = pl.DataFrame(
        {name: pl.Series(values, dtype=pl.String) for name, values in zip(header, columns, strict=True)}
    )
    blank = pl.all().str.strip_chars() == ""
    return table.select(pl.when(blank).then(None).otherwise(pl.all()).name.keep())


def _header(options: Options, file: Path, records: list[list[str]]) -> list[str]:
    if not records:
        raise _refused(options, file, "it has no header")
    header = [name.strip() for name in records[0]]
    if "" in header:
        raise _refused(options, file, f"column {header.index('') + 1} of the header has no name")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _refused(options, file, f"the header names {listed(twice)} twice")
    return header


def _typed(options: Options, texts: pl.Series) -> pl.Series:
    """A column in its declared type, or in the narrowest that every value has."""
    import polars as pl

    declared = options.types.get(texts.name)
    values = texts.str.strip_chars()
    present = values.drop_nulls()
    if declared == "text" or (declared is None and len(present) == 0):
        return texts
    tests: dict[Type, pl.Series] = {
        "integer": present.str.contains(_INTEGER),
        "number": present.str.contains(_NUMBER),
        "boolean": present.str.to_lowercase().is_in(["true", "false"]),
    }
    if declared is not None and not tests[declared].all():
        wrong = present.filter(~tests[declared])
        why = f"column {texts.name}: {len(wrong)} values are no {declared}, such as {wrong[0]!r}"
        raise DataError.not_of_kind(options.name, "csv", options.path, why)
    fitting = [declared] if declared else [kind for kind, fits in tests.items() if fits.all()]
    # a whole number that begins with a zero is a code, and a number would lose the zero
    coded = bool(present.str.contains(r"^[+-]?0[0-9]+$").any())
    if not fitting or (declared is None and fitting[0] == "number" and coded):
        return texts
    if fitting[0] == "integer":
        return values.cast(pl.Int64)
    if fitting[0] == "number":
        return values.cast(pl.Float64)
    return values.str.to_lowercase() == "true"


def _refused(options: Options, file: Path, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "csv", str(file), why)
