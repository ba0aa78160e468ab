"""Rows on their way into a table: made piece by piece on every core, and sent by COPY while the next ones are made.

While one core predicts and encodes, the server's own stores what was sent; so nothing waits for the last row but what
needs every row: the key's index, and whoever must approve before anybody sees them.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from mlctl.database import binary_rows
from mlctl.errors import DataError

if TYPE_CHECKING:
    import polars as pl
    import psycopg
    from psycopg import sql
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

_WRITE_BYTES: Final = 1 << 18
"""At once: of more than the socket takes, libpq moves what is left to the front of its buffer, again and again."""
_AHEAD: Final = 2
"""Pieces that may wait to be sent, beside those that are being made: few, since each is held in memory."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Coming:
    """Scores that are still to be made.

    Attributes:
        key: The key's column, and its type.
        makers: What makes each piece. Grain: one row per entity, no entity in two pieces; the columns of a scores table
            that are no constants, the same in each piece. They are called on several threads; sent in this order.
        constants: The columns that say one thing of every row, and what.
        approve: Called once, when all were sent and nobody sees them; raises what speaks against showing them.
    """

    key: tuple[str, pl.DataType]
    makers: Sequence[Callable[[], pl.DataFrame]]
    constants: Mapping[str, object]
    approve: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        rows: How many.
        missing: How many of them have no score.
        least: The least score, None without any.
        greatest: The greatest.
    """

    rows: int = 0
    missing: int = 0
    least: float | None = None
    greatest: float | None = None

    def __add__(self, other: Sent) -> Sent:
        least = [score for score in (self.least, other.least) if score is not None]
        greatest = [score for score in (self.greatest, other.greatest) if score is not None]
        rows, missing = self.rows + other.rows, self.missing + other.missing
        return Sent(rows, missing, min(least, default=None), max(greatest, default=None))


@dataclass(frozen=True)
class _Piece:
    columns: tuple[str, ...]
    binary: bool
    parts: Sequence[memoryview]
    sent: Sent

    def writes(self) -> Iterator[memoryview]:
        """Its bytes, a little at a time."""
        for part in self.parts:
            for start in range(0, len(part), _WRITE_BYTES):
                yield part[start : start + _WRITE_BYTES]


def load(connection: Connection, table: sql.Composable, coming: Coming) -> Sent:
    """Fills a table that this transaction has made.

    Raises:
        DataError: A key is missing, or a text has a NUL.
    """
    from psycopg import sql

    sent = Sent()
    with closing(_made(coming)) as made:
        for (columns, binary), pieces in groupby(made, key=lambda piece: (piece.columns, piece.binary)):
            # frozen rows are seen by every snapshot: a reader whose transaction is older than the swap must not find
            # nothing
            load = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT {}, FREEZE true, ENCODING 'UTF8')").format(
                table, sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL("binary" if binary else "csv")
            )
            with connection.cursor() as cursor, cursor.copy(load) as copy:
                copy.write(binary_rows.HEADER if binary else b"")
                for piece in pieces:
                    for data in piece.writes():
                        copy.write(data)
                    sent += piece.sent
                copy.write(binary_rows.TRAILER if binary else b"")
    return sent


def counted(coming: Coming) -> Sent:
    """What `load` would send, for a table that is filled already."""
    with closing(_made(coming)) as made:
        return sum((piece.sent for piece in made), Sent())


def faults(key: str, rows: pl.DataFrame) -> list[str]:
    """What PostgreSQL could not store, or only cut off."""
    import polars as pl

    found = []
    if empty := rows[key].null_count():
        found.append(f"column {key!r} has {empty} empty keys")
    for name, dtype in rows.schema.items():
        if dtype == pl.String and (bad := int(rows[name].str.contains("\0", literal=True).sum())):
            found.append(f"column {name!r} has {bad} texts with a NUL character, which PostgreSQL cannot store")
    return found


def _made(coming: Coming) -> Generator[_Piece]:
    """The pieces in their order, a few made ahead."""
    from concurrent.futures import Future, ThreadPoolExecutor

    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        waiting: deque[Future[_Piece]] = deque()
        try:
            for make in coming.makers:
                waiting.append(pool.submit(_piece, coming.key[0], make))
                if len(waiting) >= cores + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _piece(key: str, make: Callable[[], pl.DataFrame]) -> _Piece:
    import polars as pl

    rows = make()
    if found := faults(key, rows):
        raise DataError.audit_failed(found)
    floats = [name for name in ("score", "confidence") if name in rows.columns]
    rows = rows.with_columns(pl.col(floats).cast(pl.Float64))
    score = rows["score"]
    sent = Sent(rows.height, score.null_count(), score.min(), score.max())  # type: ignore[arg-type]
    binary = binary_rows.encoded(rows)
    return _Piece(tuple(rows.columns), binary is not None, [_csv(rows)] if binary is None else binary, sent)


def _csv(rows: pl.DataFrame) -> memoryview:
    chunk = io.BytesIO()
    # every text is quoted: a bare carriage return ends a row, and a bare empty field is a missing value
    rows.write_csv(chunk, include_header=False, quote_style="non_numeric")
    return chunk.getbuffer()
