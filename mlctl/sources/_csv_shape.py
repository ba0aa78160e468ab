"""Whether the bytes of a CSV file are plainly a table, and where its records begin: counted without a CSV reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LF: Final = 10
_CR: Final = 13


class Shape(NamedTuple):
    """What was counted.

    Attributes:
        width: Values of every record.
        lines: The line on which each record begins, from 1.
    """

    width: int
    lines: NDArray[Any]


def shape_of(data: bytes, delimiter: str, quote: str | None) -> Shape | None:
    r"""The records of a plain file, or None where anything is in doubt.

    Args:
        data: The file's text as UTF-8.
        delimiter: The character between two values.
        quote: The character around values, if any.

    >>> shape = shape_of(b'a,b\n1,"x\ny"\n2,z\n', ",", '"')
    >>> shape.width, shape.lines.tolist()
    (2, [1, 2, 4])
    >>> shape_of(b"a,b\n1\n", ",", '"') is None
    True
    """
    import numpy as np

    if not data or not delimiter.isascii() or not (quote or '"').isascii():
        return None
    text = np.frombuffer(data, np.uint8)
    if data.count(b"\r") != data.count(b"\r\n"):
        return None
    lines = np.flatnonzero(text == _LF)
    ends, delimiters = lines, np.flatnonzero(text == ord(delimiter))
    if quote is not None and quote.encode() in data:
        quotes = np.flatnonzero(text == ord(quote))
        if not _at_edges(text, quotes, ord(delimiter)):
            return None
        ends, delimiters = (places[np.searchsorted(quotes, places) % 2 == 0] for places in (ends, delimiters))
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    begins = np.concatenate(([0], ends[:-1] + 1))
    # an empty line is no record, or in one column perhaps a missing value
    if (ends - begins - (text[ends - 1] == _CR) <= 0).any():
        return None
    widths = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
    if (widths != widths[0]).any():
        return None
    return Shape(int(widths[0]), np.searchsorted(lines, begins) + 1)


def _at_edges(text: NDArray[Any], quotes: NDArray[Any], delimiter: int) -> bool:
    """Whether quotes open right after a delimiter or line and close right before one, or stand doubled in between."""
    import numpy as np

    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = text[opening - 1]
    doubled = opening[1:] == closing[:-1] + 1
    opens = (before == delimiter) | (before == _LF) | (opening == 0)
    after = text[np.minimum(closing + 1, len(text) - 1)]
    closes = (after == delimiter) | (after == _LF) | (after == _CR) | (closing == len(text) - 1)
    opens[1:] |= doubled
    closes[:-1] |= doubled
    return bool(opens.all() and closes.all())
