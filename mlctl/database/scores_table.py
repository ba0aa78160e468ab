"""Scores table: one generation of scores as a table of the schema `mlctl`, and the view that shows it to readers."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from mlctl.database import loading, views
from mlctl.database.loading import Coming, Sent
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

_CHUNK_ROWS: Final = 65_536

# two million keys are sorted in memory, and not in files; statistics are drawn from 9,000 rows
_SETTINGS: Final = {"maintenance_work_mem": "256MB", "default_statistics_target": "30"}

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


def check(order: PublishOrder, coming: Coming) -> None:
    """Refuses scores of another key than the order's, and a name that PostgreSQL would cut off.

    Raises:
        DataError: It is so.
    """
    if coming.key[0] != order.entity:
        told = f"the scores are by {coming.key[0]!r}, and the project's key is {order.entity!r}"
        raise DataError.audit_failed([told])
    if len(order.view.encode()) > views.IDENTIFIER_BYTES:
        told = f"the name of the view {order.view!r} is longer than {views.IDENTIFIER_BYTES} bytes"
        raise DataError.audit_failed([told])


def whole(order: PublishOrder, scores: pl.DataFrame) -> Coming:
    """A scores table that is all there.

    Raises:
        DataError: A column is missing or unknown, a key is missing or doubled, or a text has a NUL.
    """
    key, allowed = order.entity, {order.entity, *COLUMNS}
    if key in COLUMNS or not {key, "score"} <= set(scores.columns) <= allowed:
        told = f"the columns are {scores.columns}; allowed are the key {key!r} and {', '.join(COLUMNS)}"
        raise DataError.audit_failed([told])
    found = loading.faults(key, scores)
    if doubled := scores.height - scores[key].n_unique():
        found.append(f"column {key!r} has {doubled} doubled keys")
    if found:
        raise DataError.audit_failed(found)
    constants = _constants(order, scores)
    rows = scores.drop(constants, strict=False).sort(key)
    makers = [partial(rows.slice, start, _CHUNK_ROWS) for start in range(0, rows.height, _CHUNK_ROWS)]
    return Coming((key, scores.schema[key]), makers, constants)


def write(connection: Connection, order: PublishOrder, coming: Coming) -> Sent:
    """Makes the table, fills it by COPY and has it approved; to be called inside the transaction that shows it.

    Raises:
        DataError: A score or confidence is NaN or outside 0..1, a missing score has no reason, the key is doubled or of
            no type that a key has; or what the approval says, which goes first.
    """
    from psycopg import errors, sql

    table = sql.Identifier("mlctl", order.table)
    create = sql.SQL(_TABLE).format(
        table=table,
        entity=sql.Identifier(order.entity),
        entity_type=sql.SQL(_entity_type(*coming.key)),
        limits=sql.SQL(_OF_NUMBERS if order.numbers else _OF_SHARES),
    )
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(create)
    connection.execute("SET LOCAL TimeZone TO 'UTC'")  # for times without a zone
    for name in [name for name in _OFTEN_CONSTANT if name not in coming.constants]:
        _add(connection, order, name, None)
    with ThreadPoolExecutor(1) as other:
        approval = None
        try:
            sent = loading.load(connection, table, coming)
            # what needs every row is done on both sides at once
            approval = other.submit(coming.approve)
            _finish(connection, order, coming.constants)
        except (errors.IntegrityError, errors.DataError) as error:
            (approval or other.submit(coming.approve)).result()
            place = (error.diag.context or "").partition(":")[0]
            told = f"{error.diag.message_primary} ({place})" if place else str(error.diag.message_primary)
            raise DataError.audit_failed([told]) from None
        approval.result()
    return sent


def _finish(connection: Connection, order: PublishOrder, constants: Mapping[str, object]) -> None:
    """Adds to a filled table what costs least when the rows are there."""
    from psycopg import sql

    table = sql.Identifier("mlctl", order.table)
    for name, value in constants.items():
        _add(connection, order, name, value)
    for setting, value in _SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, true)", (setting, value))
    entity = sql.Identifier(order.entity)
    # nothing is ever added to it, so its pages need no room
    primary = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({}) WITH (fillfactor = 100)")
    connection.execute(primary.format(table, entity))
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


def _entity_type(key: str, dtype: pl.DataType) -> str:
    import polars as pl

    if dtype == pl.UInt64:
        return "numeric(20, 0)"
    if dtype.is_integer():
        return "bigint"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    raise DataError.audit_failed([f"column {key!r} is {dtype}; a key is text or an integer"])


def verify(connection: Connection, order: PublishOrder, sent: Sent, next_step: str) -> None:
    """Counts in the database what was written: rows, missing scores, the least and the greatest score.

    Raises:
        IntegrityError: It is not what was sent.
    """
    from psycopg import sql

    count = "SELECT count(*), count(*) - count(score), min(score), max(score) FROM {}"
    found = connection.execute(sql.SQL(count).format(sql.Identifier("mlctl", order.table))).fetchone()
    given = (sent.rows, sent.missing, sent.least, sent.greatest)
    if found != given:
        told = f"(rows, missing scores, least, greatest) = {given}"
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
