"""Scores table: one generation of scores as a table of the schema `mlctl`, and the view that shows it to readers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from mlctl.database import binary_rows, views
from mlctl.errors import DataError, IntegrityError
from mlctl.files import sha256_of

if TYPE_CHECKING:
    import polars as pl
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

COLUMNS: Final = (
    *("score", "decision", "reason", "confidence", "release", "variant", "as_of", "scored_at"),
    "contributions",
)

_CHUNK_ROWS: Final = 200_000

_OF_SHARES: Final = "score >= 0 AND score <= 1"
_OF_NUMBERS: Final = "score > '-Infinity' AND score < 'Infinity'"

# in PostgreSQL NaN is greater than every number, so `<= 1` refuses it
_TABLE: Final = """
CREATE TABLE {table} (
    {entity} {entity_type} NOT NULL,
    score double precision CHECK ({limits}) CHECK (score IS NOT NULL OR reason IS NOT NULL),
    decision text,
    reason text,
    confidence double precision CHECK (confidence >= 0 AND confidence <= 1)
)
"""

_OFTEN_CONSTANT: Final = {
    "release": "text NOT NULL",
    "variant": "text",
    "as_of": "timestamptz NOT NULL",
    "scored_at": "timestamptz NOT NULL",
    "contributions": "text",
}


@dataclass(frozen=True)
class PublishOrder:
    """What is to be published where.

    Attributes:
        schema: Schema of the view.
        project: The project; the view is `PROJECT_scores`.
        run_id: Hex text that is the same exactly when the scores are; its first 12 characters name the table.
        release: The release that scored.
        as_of: The moment the scores are about (exclusive).
        now: When it is published.
        entity: Name of the key column.
        numbers: Whether the scores are foretold numbers, which may lie anywhere, and not probabilities.
        keep: Generations whose tables are kept, the live one included; at least 1.
        swap_tries: How often the view is asked for, when a reader's open transaction holds it; 30 take about 35 s.
    """

    schema: str
    project: str
    run_id: str
    release: str
    as_of: datetime
    now: datetime
    entity: str
    numbers: bool = False
    keep: int = 5
    swap_tries: int = 30

    @property
    def view(self) -> str:
        """Name of the view, without its schema."""
        return f"{self.project}_scores"

    @property
    def table(self) -> str:
        """Name of the table in the schema `mlctl`; another for each schema, within PostgreSQL's 63 bytes."""
        name = f"{self.view}_{self.run_id[:12]}"
        if self.schema == "public" and len(name.encode()) <= views.IDENTIFIER_BYTES:
            return name
        return f"{self.project[:24]}_{sha256_of(f'{self.schema}.{self.project}')[:8]}_scores_{self.run_id[:12]}"

    @property
    def quoted_view(self) -> str:
        """Schema and name of the view as SQL writes them."""
        return views.quoted(self.schema, self.view)

    @property
    def quoted_table(self) -> str:
        """Schema and name of the table as SQL writes them."""
        return f"mlctl.{views.quoted(self.table)}"


def check_storable(order: PublishOrder, scores: pl.DataFrame) -> None:
    """Refuses what PostgreSQL would refuse only after the load, and what it would cut off.

    Raises:
        DataError: A column is missing or unknown, a key is missing or doubled, a text has a NUL, or a name is too long.
    """
    import polars as pl

    found = []
    if len(order.view.encode()) > views.IDENTIFIER_BYTES:
        found.append(f"the name of the view {order.view!r} is longer than {views.IDENTIFIER_BYTES} bytes")
    allowed = {order.entity, *COLUMNS}
    if order.entity in COLUMNS or not {order.entity, "score"} <= set(scores.columns) <= allowed:
        found.append(f"the columns are {scores.columns}; allowed are the key {order.entity!r} and {', '.join(COLUMNS)}")
    else:
        if empty := scores[order.entity].null_count():
            found.append(f"column {order.entity!r} has {empty} empty keys")
        if doubled := scores.height - scores[order.entity].n_unique():
            found.append(f"column {order.entity!r} has {doubled} doubled keys")
    for name, dtype in scores.schema.items():
        if dtype == pl.String and (bad := int(scores[name].str.contains("\0", literal=True).sum())):
            found.append(f"column {name!r} has {bad} texts with a NUL character, which PostgreSQL cannot store")
    if found:
        raise DataError.audit_failed(found)


def write(connection: Connection, order: PublishOrder, scores: pl.DataFrame) -> None:
    """Makes the table and fills it by COPY; to be called inside the transaction that shows it.

    Raises:
        DataError: A score or confidence is NaN or outside 0..1, a missing score has no reason, or the key is of no
            type that a key has.
    """
    import polars as pl
    from psycopg import errors, sql

    table, entity = sql.Identifier("mlctl", order.table), sql.Identifier(order.entity)
    create = sql.SQL(_TABLE).format(
        table=table,
        entity=entity,
        entity_type=sql.SQL(_entity_type(order, scores)),
        limits=sql.SQL(_OF_NUMBERS if order.numbers else _OF_SHARES),
    )
    constants = _constants(order, scores)
    floats = [name for name in ("score", "confidence") if name in scores.columns]
    rows = scores.drop(constants, strict=False).with_columns(pl.col(floats).cast(pl.Float64)).sort(order.entity)
    # frozen rows are seen by every snapshot: a reader whose transaction is older than the swap must not find nothing
    binary = binary_rows.fits(rows)
    load = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT {}, FREEZE true, ENCODING 'UTF8')").format(
        table, sql.SQL(", ").join(map(sql.Identifier, rows.columns)), sql.SQL("binary" if binary else "csv")
    )
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(create)
    connection.execute("SET LOCAL TimeZone TO 'UTC'")  # for times without a zone
    try:
        for name in [name for name in _OFTEN_CONSTANT if name not in constants]:
            _add(connection, order, name, None)
        with connection.cursor() as cursor, cursor.copy(load) as copy:
            for chunk in _ahead(binary_rows.pieces(rows, _CHUNK_ROWS) if binary else _csv(rows)):
                copy.write(chunk)
        for name, value in constants.items():
            _add(connection, order, name, value)
        connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, entity))
    except (errors.IntegrityError, errors.DataError) as error:
        place = (error.diag.context or "").partition(":")[0]
        told = f"{error.diag.message_primary} ({place})" if place else str(error.diag.message_primary)
        raise DataError.audit_failed([told]) from None
    connection.execute(sql.SQL("ANALYZE {}").format(table))


def _constants(order: PublishOrder, scores: pl.DataFrame) -> dict[str, object]:
    """The columns that say one thing of every row, and what."""
    said: dict[str, object] = {
        "release": order.release,
        "variant": None,
        "as_of": order.as_of,
        "scored_at": order.now,
        "contributions": None,
    }
    for name in [name for name in said if name in scores.columns]:
        if scores[name].n_unique() == 1:
            said[name] = scores[name][0]
        else:
            del said[name]
    return said


def _add(connection: Connection, order: PublishOrder, name: str, value: object) -> None:
    """Adds a column; what it says of the rows that are there is stored once, not row by row, and costs no load."""
    from psycopg import sql

    column = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
        sql.Identifier("mlctl", order.table), sql.Identifier(name), sql.SQL(_OFTEN_CONSTANT[name])
    )
    if value is not None:
        column += sql.SQL(" DEFAULT {}").format(sql.Literal(value))
    connection.execute(column)


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks, the next one made while one is sent."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as other:
        made = other.submit(next, chunks, None)
        while (chunk := made.result()) is not None:
            made = other.submit(next, chunks, None)
            yield chunk


def _csv(scores: pl.DataFrame) -> Iterator[bytes]:
    for start in range(0, scores.height, _CHUNK_ROWS):
        chunk = io.BytesIO()
        # every text is quoted: a bare carriage return ends a row, and a bare empty field is a missing value
        scores.slice(start, _CHUNK_ROWS).write_csv(chunk, include_header=False, quote_style="non_numeric")
        yield chunk.getvalue()


def _entity_type(order: PublishOrder, scores: pl.DataFrame) -> str:
    import polars as pl

    dtype = scores.schema[order.entity]
    if dtype == pl.UInt64:
        return "numeric(20, 0)"
    if dtype.is_integer():
        return "bigint"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    raise DataError.audit_failed([f"column {order.entity!r} is {dtype}; a key is text or an integer"])


def verify(connection: Connection, order: PublishOrder, scores: pl.DataFrame, next_step: str) -> None:
    """Counts in the database what was written: rows, missing scores, the least and the greatest score.

    Raises:
        IntegrityError: It is not what was given.
    """
    import polars as pl
    from psycopg import sql

    count = "SELECT count(*), count(*) - count(score), min(score), max(score) FROM {}"
    found = connection.execute(sql.SQL(count).format(sql.Identifier("mlctl", order.table))).fetchone()
    column = scores["score"].cast(pl.Float64)
    sent = (scores.height, column.null_count(), column.min(), column.max())
    if found != sent:
        told = f"(rows, missing scores, least, greatest) = {sent}"
        raise IntegrityError.damaged(f"mlctl.{order.table}", told, str(found), next_step)


def replace_view(connection: Connection, order: PublishOrder) -> None:
    """Lets the view show this table; who was allowed to read it still is.

    Raises:
        ExternalError: The key has another name or type than before, and other views build on the view.
    """
    from psycopg import sql

    _complete(connection, order)
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in (order.entity, *COLUMNS))
    select = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier("mlctl", order.table))
    views.show(connection, order.schema, order.view, select)


def _complete(connection: Connection, order: PublishOrder) -> None:
    """Adds the columns that tables of earlier versions lack, empty."""
    from psycopg import sql

    asked = "SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'contributions'"
    if connection.execute(asked, (order.quoted_table,)).fetchone() is None:
        table = sql.Identifier("mlctl", order.table)
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN contributions text").format(table))
