"""How many bytes of memory a Parquet file takes: by its footer before a value is read, and by its table afterwards.

A file of some kilobytes can hold terabytes: values that repeat are written once (a dictionary, runs), and a text may be
written as how much of it the text before has. A footer that lies about its pages is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

_WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 16}
"""Bytes of a value in memory by its type in the file; of a text what points to it."""
_BY_PREFIX: Final = "DELTA_BYTE_ARRAY"
_ROWS_MOST: Final = 65_536
_SOME: Final = 1000
"""Of so many empty rows the bits that say what is missing are whole bytes."""


def declared(footer: Any) -> int:
    """What the footer says: of each column its pages, or its values where they are more.

    Args:
        footer: A `pyarrow.parquet.FileMetaData`.
    """
    lengths = [max(0, footer.schema.column(place).length) for place in range(footer.num_columns)]
    return sum(
        max(chunk.total_uncompressed_size, chunk.num_values * _WIDTHS.get(chunk.physical_type, length))
        for group in _groups(footer)
        for chunk, length in zip(group, lengths, strict=True)
    )


def spelled_out(file: Any, footer: Any, categories: Sequence[str], most: int) -> int:
    """The bytes of texts whose number is in no footer, or the first of them that are more than `most`.

    They are categories, and texts that are written as how much they have of the text before. They are read in parts of
    at most `most` bytes.

    Args:
        file: Its path, or a stream of its bytes.
        footer: As `declared`.
        categories: The columns of categories.
        most: After so many nothing more is read.
    """
    import pyarrow.parquet as pq

    chunks = [chunk for group in _groups(footer) for chunk in group if _BY_PREFIX in chunk.encodings]
    columns = sorted({chunk.path_in_schema for chunk in chunks} | set(categories))
    if not columns:
        return 0
    # no text is longer than all that is written of its column
    longest = max((chunk.total_uncompressed_size for chunk in chunks), default=1)
    rows = max(1, min(_ROWS_MOST, most // max(1, longest)))
    total = 0
    with pq.ParquetFile(file) as read:
        for part in read.iter_batches(rows, columns=columns):
            total += sum(map(_spelled_out, part.columns))
            if total > most:
                break
    return total


def _spelled_out(column: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def held(table: pl.DataFrame) -> int:
    """What a table takes with every text and category spelled out, as it does once it is written again."""
    import polars as pl

    total = int(table.estimated_size())
    for name in categories_of(table.schema):
        each = table.select(pl.col(name).drop_nulls()).group_by(name).len()
        total += sum(len(text.encode()) * count for text, count in each.iter_rows())
    return total


def categories_of(schema: Mapping[str, Any]) -> list[str]:
    """The columns of categories, which come out as text."""
    import polars as pl

    return [name for name, dtype in schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]


def by_schema(schema: pl.Schema, rows: int) -> int:
    """The least that so many rows take, by the types of their columns alone."""
    import polars as pl

    return int(rows * pl.DataFrame(schema=schema).clear(_SOME).estimated_size() / _SOME)


def _groups(footer: Any) -> Any:
    for place in range(footer.num_row_groups):
        group = footer.row_group(place)
        yield [group.column(column) for column in range(group.num_columns)]
