"""Rows as PostgreSQL's binary COPY takes them: the server reads numbers as they are and parses no text.

Made without a loop over rows: rows whose fields are equally long have one layout, and are one numpy array. So a table
is fit for it when its texts are of few lengths; others go by CSV.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER: Final = b"\xff\xff"
_MOST_LAYOUTS: Final = 256
_NUMBER_BYTES: Final = 8


def fits(rows: pl.DataFrame) -> bool:
    """Whether all columns are whole numbers of up to 8 bytes, float64 or texts, and the texts of few lengths."""
    import polars as pl

    whole = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
    if not all(dtype in (*whole, pl.Float64, pl.String) for dtype in rows.dtypes):
        return False
    layouts = 1
    for column in rows:
        if column.dtype == pl.String:
            layouts *= column.str.len_bytes().n_unique()
        elif column.null_count():
            layouts *= 2
    return layouts <= _MOST_LAYOUTS


def encoded(rows: pl.DataFrame) -> bytes:
    """Some rows, without header and trailer; those of one layout stand together, each layout in their order."""
    import numpy as np

    lengths = [_lengths(column) for column in rows]
    code = np.zeros(rows.height, dtype=np.int64)
    for of_column in lengths:
        code = code * (int(of_column.max(initial=-1)) + 2) + of_column + 1
    parts = []
    for layout in np.unique(code):
        places = np.flatnonzero(code == layout)
        widths = [int(of_column[places[0]]) for of_column in lengths]
        parts.append(_of_one_layout(rows[places], widths))
    return b"".join(parts)


def pieces(rows: pl.DataFrame, at_once: int) -> Iterator[bytes]:
    """A whole table, header and trailer included, some rows at a time."""
    yield HEADER
    for start in range(0, rows.height, at_once):
        yield encoded(rows.slice(start, at_once))
    yield TRAILER


def _lengths(column: pl.Series) -> Array:
    """[rows] how many bytes each field has; -1 where it is missing."""
    import polars as pl

    if column.dtype == pl.String:
        return column.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy()
    present: Array = column.is_not_null().cast(pl.Int64).to_numpy()
    return present * (_NUMBER_BYTES + 1) - 1


def _of_one_layout(rows: pl.DataFrame, widths: list[int]) -> bytes:
    import numpy as np
    import polars as pl

    fields, kinds = [("count", ">i2")], []
    for place, (column, width) in enumerate(zip(rows, widths, strict=True)):
        kinds.append(f"V{width}" if column.dtype == pl.String else ">f8" if column.dtype == pl.Float64 else ">i8")
        fields += [(f"width{place}", ">i4"), *([(f"value{place}", kinds[-1])] if width > 0 else [])]
    table = np.empty(rows.height, dtype=fields)
    table["count"] = rows.width
    for place, (column, width) in enumerate(zip(rows, widths, strict=True)):
        table[f"width{place}"] = width
        if width > 0 and column.dtype == pl.String:
            table[f"value{place}"] = _bytes_of(column).view(kinds[place])
        elif width > 0:
            table[f"value{place}"] = column.to_numpy()
    return table.tobytes()


def _bytes_of(texts: pl.Series) -> Array:
    """[bytes] texts one behind the other."""
    import numpy as np
    import pyarrow as pa

    joined: Any = texts.to_arrow().cast(pa.large_binary())
    offsets = np.frombuffer(joined.buffers()[1], dtype=np.int64)[joined.offset : joined.offset + len(joined) + 1]
    return np.frombuffer(joined.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
