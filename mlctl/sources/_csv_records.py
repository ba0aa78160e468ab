"""The records of one CSV file as text, each with its line.

A file is plain when every quote stands at the edge of a value, every record has as many values as the first, and lines
end in LF or CRLF. That is counted in the bytes (`_csv_shape`); Polars reads a plain file, and its rows are held against
the count. Whatever is not plain is read record by record, and refused with its line where it is no table.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mlctl.errors import DataError, listed
from mlctl.sources import must_not_be_too_wide
from mlctl.sources._csv_doubts import doubt_of, mixed_ends
from mlctl.sources._csv_shape import Shape, shape_of
from mlctl.sources._files import Piece, other_format

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources._csv_options import CsvOptions

# without its mark, which of two bytes comes first would be a guess
_MARKS: Final = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
# Polars unpacks what begins so; of its marks of packed files these are text too
_TAKEN_FOR_PACKED: Final = (b"x^", b"x\x01")
_BOM: Final = "\ufeff"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
# spreadsheets break lines inside a cell of the header
_BROKEN_NAME: Final = re.compile(r"\s*[\x00-\x1f\x7f\x85\u2028\u2029]\s*")
_VALUE: Final = re.compile(r"[+-]?[0-9][0-9.,:/ T-]*Z?")
# records become columns in parts, so that a large file is not held as one Python object a value
_PART: Final = 50_000


class Records(NamedTuple):
    """One file's records.

    Attributes:
        file: The file.
        texts: Grain: one record, in the file's order; every value as text, null where it is missing.
        lines: The line on which each record begins, from 1.
        header: The first record as it is written, or the declared names where the file has none.
    """

    file: Piece
    texts: pl.DataFrame
    lines: Sequence[int]
    header: Sequence[str]


def read_records(options: CsvOptions, file: Piece) -> Records:
    """One file's records as text.

    Raises:
        DataError: The bytes are not text of this encoding, or the text is no table, or hardly the one that was meant.
    """
    text = _text(options, file)
    body = _after_titles(options, file, text)
    data = body.encode()
    shape = shape_of(data, options.delimiter, options.quote)
    if shape is not None:
        must_not_be_too_wide(options.name, file.name, shape.width)
    records = _plainly(options, file, data, shape) if shape is not None else None
    if records is None:
        records = _strictly(options, file, body)
    if not file.keeps_bytes and any(b - a > 1 for a, b in pairwise(records.lines)):
        why = "it has line ends inside values, or empty lines, of which a store's reader loses the kind; write Parquet"
        raise _refused(options, file, why)
    if records.texts.width == 1 and shape is None and mixed_ends(body, options.quote):
        why = "some lines end in CR alone and others in LF: in one column nobody can tell which of them is in a value"
        raise _refused(options, file, why)
    doubt = doubt_of(options, records.header, records.texts, records.lines)
    if doubt is not None:
        raise _refused(options, file, doubt)
    return records._replace(texts=records.texts.select(_missing(options, name) for name in records.texts.columns))


def same_headers(options: CsvOptions, read: Sequence[Records]) -> None:
    """Names that stand for the header's say the same of every file.

    Raises:
        DataError: The header of a file is not that of the first.
    """
    for records in read[1:]:
        if options.names and list(records.header) != list(read[0].header):
            why = f"its first record is {listed(records.header)}, that of {read[0].file.name} {listed(read[0].header)}"
            raise _refused(options, records.file, f"{why}; names cannot say the same of both")


def _missing(options: CsvOptions, name: str) -> pl.Expr:
    import polars as pl

    value = pl.col(name)
    return pl.when(~value.str.strip_chars().is_in(list(options.missing))).then(value).alias(name)


def _plainly(options: CsvOptions, file: Piece, data: bytes, shape: Shape) -> Records | None:
    """The records as Polars reads them, or None when they are not those that were counted."""
    import polars as pl

    if data.startswith(_TAKEN_FOR_PACKED):
        return None
    try:
        table = pl.read_csv(
            data,
            has_header=False,
            infer_schema=False,
            separator=options.delimiter,
            quote_char=options.quote,
            empty_string_is_null=False,
            truncate_ragged_lines=False,
        )
    except (pl.exceptions.PolarsError, OSError):
        return None
    if (table.height, table.width) != (len(shape.lines), shape.width):
        return None
    first = [str(name) for name in table.row(0)]
    header = _header(options, file, first)
    begin = 0 if options.header is False else 1
    named = table[begin:].rename(dict(zip(table.columns, header, strict=True)))
    return Records(file, named, (shape.lines[begin:] + options.skip).tolist(), _written(options, first))


def _strictly(options: CsvOptions, file: Piece, body: str) -> Records:
    """The records one by one, as RFC 4180 has them."""
    import polars as pl

    records = _each(options, file, body)
    first = next(((line, record) for line, record in records if record), (0, []))
    must_not_be_too_wide(options.name, file.name, len(first[1]))
    header = _header(options, file, first[1])
    lines: array[int] = array("q")

    def rows() -> Iterator[list[str]]:
        waiting = iter((first,) if options.header is False else ())
        for line, record in (entry for part in (waiting, records) for entry in part):
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
    texts = pl.concat(parts)
    if texts.height != len(lines):
        raise DataError.miscounted(options.name, str(file), len(lines), texts.height)
    return Records(file, texts, lines, _written(options, first[1]))


def _each(options: CsvOptions, file: Piece, body: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; empty lines are empty records."""
    csv.field_size_limit(2**31 - 1)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if options.quote is None else csv.QUOTE_MINIMAL
    stream = io.StringIO(body, newline="")
    reader = csv.reader(stream, delimiter=options.delimiter, quotechar=options.quote, quoting=quoting, strict=True)
    while True:
        line = options.skip + reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _refused(options, file, f"the record that begins on line {line}: {error}") from error
        if record is None:
            return
        yield line, record


def _text(options: CsvOptions, file: Piece) -> str:
    """The file's text after its byte order mark, once all of it is known to be text of this encoding."""
    data = file.data()
    known = other_format(data)
    if not data or known:
        raise _refused(options, file, f"it is {known}" if known else "it has no bytes")
    try:
        marks = _MARKS.get(codecs.lookup(options.encoding).name)
        if marks and not data.startswith(marks):
            name = options.encoding
            why = f"it does not begin with the mark of {name}; set encoding to {name}-le or {name}-be"
            raise _refused(options, file, why)
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
    return text.removeprefix(_BOM)


def _after_titles(options: CsvOptions, file: Piece, text: str) -> str:
    """The text behind the lines of titles."""
    if not options.skip:
        return text
    ends = list(islice(_LINE_END.finditer(text), options.skip))
    if len(ends) < options.skip:
        raise _refused(options, file, f"it has no line after the {options.skip} that `skip` passes over")
    return text[ends[-1].end() :]


def _header(options: CsvOptions, file: Piece, record: list[str]) -> list[str]:
    """The columns' names, from the first record or as declared."""
    if not record:
        raise _refused(options, file, "it has no record" if options.header is False else "it has no header")
    if options.names:
        if len(record) != len(options.names):
            why = f"its first record has {len(record)} values, and names are {len(options.names)}"
            raise _refused(options, file, why)
        return list(options.names)
    header = [_BROKEN_NAME.sub(" ", name.strip()) for name in record]
    if "" in header:
        which = header.index("") + 1
        why = f"column {which} of the header has no name; set names and header: true, or skip lines of titles"
        raise _refused(options, file, why)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _refused(options, file, f"the header names {listed(twice)} twice; set names and header: true")
    if all(_VALUE.fullmatch(name) for name in header):
        why = f"its first record is {listed(header)}, which are no names; set names, and header: false if it is a row"
        raise _refused(options, file, why)
    return header


def _written(options: CsvOptions, first: Sequence[str]) -> list[str]:
    return [name.strip() for name in (options.names if options.header is False else first)]


def _refused(options: CsvOptions, file: Piece, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "csv", str(file), why)
