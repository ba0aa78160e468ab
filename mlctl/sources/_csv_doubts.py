"""Why a file that is a table is hardly the one that was meant.

With another delimiter, behind another file, or without a header, all records can still have as many values as the
first: nothing would fail, and a row or a column would be gone. Such a file is refused with its place; none is mended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources._csv_options import CsvOptions

_DELIMITERS: Final = ",;\t|"
_DAY: Final = r"^\s*(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}\b)"
_MARK: Final = "\ufeff"
_LONE_CR: Final = re.compile(r"\r(?!\n)")


def doubt_of(options: CsvOptions, header: Sequence[str], texts: pl.DataFrame, lines: Sequence[int]) -> str | None:
    """What speaks against the records, or None.

    Args:
        options: The source's options.
        header: The first record, or the declared names where the file has none.
        texts: The records as text. Grain: one record. Time: as the file has it.
        lines: The line of each record.
    """
    if not options.names:
        delimiter = next((mark for mark in _DELIMITERS if len(header) == 1 and mark in header[0]), None)
        if delimiter:
            why = f"its header is the one name {header[0]!r}, which holds {delimiter!r}"
            return f"{why}; set delimiter, or names and header: true"
        day = _day_for_a_name(header, texts)
        if day:
            return f"its header holds {day}, as do the values below; set names, and header: false if it is a row"
    marked = texts.to_series(0).str.starts_with(_MARK).arg_true()
    if len(marked):
        return f"line {lines[marked[0]]} begins with the mark of UTF-8, as if files were put behind each other"
    again = _header_again(header, texts)
    if again is not None:
        what = "the names, as a header is; set header: true" if options.header is False else "the header again"
        return f"line {lines[again]} is {what}"
    return None


def mixed_ends(body: str, quote: str | None) -> bool:
    r"""Whether some lines end in CR alone and others in LF, so that of one column nobody can tell what ends a value.

    >>> mixed_ends("a\nx\ry\n", '"'), mixed_ends('a\n"x\ry"\n', '"')
    (True, False)
    """
    outside = body
    if quote is not None:
        mark = re.escape(quote)
        outside = re.sub(f"{mark}[^{mark}]*{mark}", "", body)
    return "\n" in outside and _LONE_CR.search(outside) is not None


def _day_for_a_name(header: Sequence[str], texts: pl.DataFrame) -> str | None:
    """A name that is a day above nothing but days; days above amounts are a wide table."""
    for name, values in zip(header, texts, strict=True):
        if not re.match(_DAY, name):
            continue
        told = values.filter(values.str.strip_chars() != "")
        if len(told) and told.str.contains(_DAY).all():
            return name
    return None


def _header_again(header: Sequence[str], texts: pl.DataFrame) -> int | None:
    """The first record that is the header, where it has two values or more: one alone may well be a value."""
    if texts.width == 1:
        return None
    found = (texts.to_series(0).str.strip_chars() == header[0]).arg_true()
    for index, name in enumerate(header[1:], 1):
        if not len(found):
            return None
        found = found.filter(texts.to_series(index).gather(found).str.strip_chars() == name)
    return int(found[0]) if len(found) else None
