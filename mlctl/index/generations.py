"""The history of a project's indexes in `mlctl.indexes`: which is being built, which answers, which are kept.

A generation is `building` until its recall held; then the view `PROJECT_items` is swapped to it in one short
transaction and it is `live`, the one before `old`. One whose recall did not hold is `refused`, and its table dropped.
Servers ask for the newest generation whose stamp is that of their own release, so that a new index never meets vectors
of an old model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.database import views
from mlctl.index.search import Index
from mlctl.index.table import IndexOrder, select
from mlctl.index.vectors import Stamp
from mlctl.times import moment_text

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

    from mlctl.database.views import Connection

TABLE: Final = "mlctl.indexes"

SETUP: Final = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS mlctl;
CREATE TABLE IF NOT EXISTS mlctl.indexes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name text NOT NULL,
    project text NOT NULL,
    run_id text NOT NULL,
    table_name text NOT NULL,
    release text NOT NULL,
    stamp text NOT NULL,
    storage text NOT NULL,
    dimension integer NOT NULL,
    began_at timestamptz NOT NULL,
    live_at timestamptz,
    rows bigint,
    about jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('building', 'live', 'old', 'refused', 'dropped'))
);
CREATE UNIQUE INDEX IF NOT EXISTS indexes_live ON mlctl.indexes (schema_name, project) WHERE status = 'live';
"""

_COLUMNS: Final = (
    "number, run_id, table_name, release, stamp, storage, dimension, began_at, live_at, rows, about, status"
)


@dataclass(frozen=True)
class IndexGeneration:
    """One index of a project.

    Attributes:
        number: Its place in the history of the whole database; a later one is greater.
        run_id: The run that made it.
        table: Name of its table in the schema `mlctl`.
        release: The release whose vectors it holds.
        stamp: Who made the vectors, as text.
        storage: `vector` or `halfvec`.
        dimension: Numbers in a vector.
        began_at: When it was begun, UTC.
        live_at: When it first became live, UTC; None before.
        rows: Items; None before it is whole.
        about: What was measured and found: `columns`, `ef_search`, `ef_filtered`, `compare_below`,
            `recall`, `neighbours`, `seconds`.
        status: `building`, `live`, `old`, `refused` or `dropped`.
    """

    number: int
    run_id: str
    table: str
    release: str
    stamp: str
    storage: str
    dimension: int
    began_at: datetime
    live_at: datetime | None
    rows: int | None
    about: Mapping[str, Any]
    status: str

    @property
    def index(self) -> Index:
        """What a search needs to know of it."""
        widths = {name: self.about[name] for name in ("ef_search", "ef_filtered", "compare_below")}
        return Index(self.table, self.storage, self.dimension, self.about["columns"], **widths)

    def record(self) -> dict[str, Any]:
        """The generation as JSON-ready data, without the neighbours of the sample."""
        times = {
            "began_at": moment_text(self.began_at),
            "live_at": None if self.live_at is None else moment_text(self.live_at),
        }
        about = {name: value for name, value in self.about.items() if name != "neighbours"}
        return {**vars(self), **times, "about": about}


def history(connection: Connection, schema: str, project: str) -> list[IndexGeneration]:
    """Every index of a project, newest first.

    Raises:
        ExternalError: The database refuses.
    """
    return _records(connection, _COLUMNS, (schema, project))


def _records(connection: Connection, columns: str, whose: tuple[str, str]) -> list[IndexGeneration]:
    asked = f"SELECT {columns} FROM mlctl.indexes WHERE schema_name = %s AND project = %s ORDER BY number DESC"
    with views.told(connection):
        if not views.exists(connection, TABLE):
            return []
        return [_generation(row) for row in connection.execute(asked.encode(), whose)]


def live(connection: Connection, schema: str, project: str) -> IndexGeneration | None:
    """The index that the view shows, or None. Raises: ExternalError as `history`."""
    return next((one for one in history(connection, schema, project) if one.status == "live"), None)


def fitting(connection: Connection, schema: str, project: str, stamp: Stamp) -> IndexGeneration | None:
    """The index that answers a release: the live one, or the newest that is kept, whose vectors have its stamp.

    Raises:
        ExternalError: The database refuses.
    """
    # servers ask twice a second, and the neighbours of the sample are long
    lean = _COLUMNS.replace("about", "about - 'neighbours'")
    records = _records(connection, lean, (schema, project))
    kept = [one for one in records if one.status in ("live", "old")]
    same = [one for one in kept if one.stamp == str(stamp) and views.exists(connection, f'mlctl."{one.table}"')]
    return next((one for one in same if one.status == "live"), same[0] if same else None)


def begun(connection: Connection, order: IndexOrder) -> bool:
    """Whether this very generation was begun before and its table is still there."""
    asked = "SELECT FROM mlctl.indexes WHERE table_name = %s AND run_id = %s AND status = 'building'"
    found = connection.execute(asked, (order.table, order.run_id)).fetchone()
    return found is not None and views.exists(connection, order.quoted_table)


def known(connection: Connection, order: IndexOrder) -> IndexGeneration | None:
    """This very generation, when it was measured before and its table is still there."""
    kept = [one for one in history(connection, order.schema, order.project) if one.status in ("live", "old")]
    found = next((one for one in kept if one.run_id == order.run_id), None)
    return found if views.exists(connection, order.quoted_table) else None


def begin(connection: Connection, order: IndexOrder, columns: Mapping[str, str]) -> None:
    """Writes down that it is being built; in the transaction that makes its table."""
    from psycopg.types.json import Jsonb

    # what was written down about a table of this name is no longer there
    connection.execute("DELETE FROM mlctl.indexes WHERE table_name = %s AND status <> 'dropped'", (order.table,))
    connection.execute(
        "INSERT INTO mlctl.indexes (schema_name, project, run_id, table_name, release, stamp, storage, dimension, "
        "began_at, about, status) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'building')",
        (
            *(order.schema, order.project, order.run_id, order.table, order.release, str(order.stamp)),
            *(order.storage, order.stamp.dimension, order.now, Jsonb({"columns": dict(columns)})),
        ),
    )


def swap(connection: Connection, order: IndexOrder, rows: int, about: Mapping[str, Any]) -> None:
    """Shows a generation that was measured, in one short transaction.

    Raises:
        ConflictError: A reader holds the view.
        ExternalError: Something that is not ours has the view's name.
    """
    from psycopg.types.json import Jsonb

    published_before = live(connection, order.schema, order.project) is not None
    views.check_ours(connection, order.schema, order.view, published_before)
    retire = "UPDATE mlctl.indexes SET status = 'old' WHERE schema_name = %s AND project = %s AND status = 'live'"
    show = (
        "UPDATE mlctl.indexes SET status = 'live', live_at = coalesce(live_at, %s), rows = %s, about = %s "
        "WHERE table_name = %s AND status IN ('building', 'old')"
    )

    def act() -> None:
        views.show(connection, order.schema, order.view, select(order, list(about["columns"])))
        connection.execute(retire, (order.schema, order.project))
        connection.execute(show, (order.now, rows, Jsonb(dict(about)), order.table))

    views.swap(connection, order.quoted_view, order.swap_tries, act)


def refuse(connection: Connection, order: IndexOrder, rows: int, about: Mapping[str, Any]) -> None:
    """Writes down why a generation may not answer, and drops its table."""
    from psycopg import sql
    from psycopg.types.json import Jsonb

    with connection.transaction():
        connection.execute(
            "UPDATE mlctl.indexes SET status = 'refused', rows = %s, about = %s "
            "WHERE table_name = %s AND status = 'building'",
            (rows, Jsonb(dict(about)), order.table),
        )
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("mlctl", order.table)))


def retire(connection: Connection, order: IndexOrder) -> None:
    """Drops the tables beyond the last `keep`, and what other runs left half-made; one that is in use waits."""
    from psycopg import errors, sql

    records = history(connection, order.schema, order.project)
    kept = list(dict.fromkeys(one.table for one in records if one.status in ("live", "old")))
    half_made = [one.table for one in records if one.status == "building"]
    gone: Sequence[str] = [*kept[max(order.keep, 1) :], *half_made]
    for table in dict.fromkeys(gone):
        with (
            suppress(errors.LockNotAvailable, errors.DependentObjectsStillExist),
            connection.transaction(),
        ):
            views.lock_briefly(connection)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("mlctl", table)))
            connection.execute(
                "UPDATE mlctl.indexes SET status = 'dropped' WHERE table_name = %s AND status <> 'refused'", (table,)
            )


def _generation(row: TupleRow) -> IndexGeneration:
    number, run_id, table, release, stamp, storage, dimension, began_at, live_at, rows, about, status = row
    return IndexGeneration(
        number=number,
        run_id=run_id,
        table=table,
        release=release,
        stamp=stamp,
        storage=storage,
        dimension=dimension,
        began_at=began_at.astimezone(UTC),
        live_at=None if live_at is None else live_at.astimezone(UTC),
        rows=rows,
        about=about,
        status=status,
    )
