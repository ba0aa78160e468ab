"""Rows as PostgreSQL's binary COPY takes them: the server reads numbers as they are and parses no text.

Made without a loop over rows: rows whose fields are equally long have one layout, and are one numpy array. So a table
is fit for it when its texts are of few lengths; others go by CSV. A column of few texts, such as decisions, is part of
the layout: its bytes are the same in each of its rows.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER: Final = b"\xff\xff"
_MOST_LAYOUTS: Final = 256
_FEW: Final = 4
"""Different texts up to which a column's are found one after the other, which takes less than to hash them all."""
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True)
class _Column:
    """A column, by the layout of its fields.

    Attributes:
        values: Its values.
        code: [rows] which layout each field has.
        widths: By code, how many bytes; -1 where it is missing.
        texts: By code the one text that all its fields are; None where they differ.
    """

    values: pl.Series
    code: Array
    widths: tuple[int, ...]
    texts: tuple[bytes | None, ...] | None = None


def encoded(rows: pl.DataFrame) -> list[memoryview] | None:
    """Some rows, without header and trailer; those of one layout are one part, in their order.

    None where they do not fit: a column is no whole number of up to 8 bytes, float64 or text, or the texts are of too
    many lengths.
    """
    import numpy as np
    import polars as pl

    whole = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
    if not all(dtype in (*whole, pl.Float64, pl.String) for dtype in rows.dtypes):
        return None
    columns = [_column(values) for values in rows]
    code = np.zeros(rows.height, dtype=np.int64)
    for column in columns:
        if len(column.widths) > 1:
            code = code * len(column.widths) + column.code
    layouts = np.unique(code)
    if len(layouts) > _MOST_LAYOUTS:
        return None
    parts = []
    for layout in layouts:
        places = np.flatnonzero(code == layout)
        parts.append(_of_one_layout(columns, places, whole=len(places) == rows.height))
    return parts


def _column(values: pl.Series) -> _Column:
    import numpy as np
    import polars as pl

    if values.dtype == pl.String:
        if (few := _few(values)) is not None:
            return few
        widths, code = np.unique(values.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy(), return_inverse=True)
        return _Column(values, code, tuple(widths.tolist()))
    if not values.null_count():
        return _Column(values, np.zeros(len(values), dtype=np.int64), (_NUMBER_BYTES,))
    return _Column(values, values.is_null().cast(pl.Int64).to_numpy(), (_NUMBER_BYTES, -1))


def _few(values: pl.Series) -> _Column | None:
    """A column of few different texts; None where they are many."""
    import numpy as np

    code = np.full(len(values), -1, dtype=np.int64)
    texts: list[bytes | None] = []
    rest = np.flatnonzero(code)
    while len(rest):
        if len(texts) == _FEW:
            return None
        text = values[int(rest[0])]
        code[values.eq_missing(text).to_numpy()] = len(texts)
        texts.append(None if text is None else text.encode())
        rest = np.flatnonzero(code < 0)
    return _Column(values, code, tuple(-1 if text is None else len(text) for text in texts), tuple(texts))


def _of_one_layout(columns: list[_Column], places: Array, *, whole: bool) -> memoryview:
    """The rows at `places`, whose fields are equally long; `whole` says that these are all rows."""
    import numpy as np
    import polars as pl

    fields: list[tuple[str, str]] = [("count", ">i2")]
    same: dict[str, Any] = {"count": len(columns)}
    differ: dict[str, Array] = {}
    for place, column in enumerate(columns):
        code, value = int(column.code[places[0]]), f"value{place}"
        width, is_text = column.widths[code], column.values.dtype == pl.String
        fields.append((f"width{place}", ">i4"))
        same[f"width{place}"] = width
        if width <= 0:
            continue
        kind = f"V{width}" if is_text else ">f8" if column.values.dtype == pl.Float64 else ">i8"
        fields.append((value, kind))
        if column.texts is not None:
            same[value] = column.texts[code]
        elif is_text:
            differ[value] = _bytes_of(column.values if whole else column.values[places]).view(kind)
        else:
            numbers = (column.values if len(column.widths) == 1 else column.values.fill_null(0)).to_numpy()
            differ[value] = numbers if whole else numbers[places]
    one = np.zeros(1, dtype=fields)
    for name, content in same.items():
        one[name] = content
    table = np.repeat(one, len(places))
    for name, contents in differ.items():
        table[name] = contents
    # not copied once more
    return table.view(np.uint8).data


def _bytes_of(texts: pl.Series) -> Array:
    """[bytes] texts one behind the other."""
    import numpy as np
    import pyarrow as pa

    joined: Any = texts.to_arrow().cast(pa.large_binary())
    offsets = np.frombuffer(joined.buffers()[1], dtype=np.int64)[joined.offset : joined.offset + len(joined) + 1]
    return np.frombuffer(joined.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
