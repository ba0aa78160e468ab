"""Generations: scores are written beside the live ones, verified inside the database, and then shown by one swap.

Each generation is a table `mlctl.PROJECT_scores_RUN`; readers read the view `PROJECT_scores`, which shows one of them.
Table, load, verification and swap are one transaction: a crash at any moment leaves the database as it was. The history
in `mlctl.generations` has one row per swap; the tables of the last few stay, so that going back is one more swap.

The swap locks the view for the length of one commit. A transaction that has read the view and is still open keeps it
from being locked; the swap then asks a few times, each so shortly that other readers hardly notice, and gives up. A
view over a pointer row would need no lock, but its readers would lock every generation and keep old ones from being
dropped, and a key of another type would still need a new view.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.database import views
from mlctl.database.loading import Coming, counted
from mlctl.database.scores_table import COLUMNS, PublishOrder, check, replace_view, verify, whole, write
from mlctl.errors import ConflictError, ExternalError, IntegrityError
from mlctl.times import moment_text

if TYPE_CHECKING:
    import polars as pl
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

__all__ = ["COLUMNS", "Generation", "PublishOrder", "back", "history", "kept_bytes", "live", "publish"]

_HISTORY: Final = "number, run_id, view_name, table_name, rows, release, as_of, published_at, status"

_SETUP: Final = """
CREATE SCHEMA IF NOT EXISTS mlctl;
CREATE TABLE IF NOT EXISTS mlctl.generations (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name text NOT NULL,
    project text NOT NULL,
    run_id text NOT NULL,
    view_name text NOT NULL,
    table_name text NOT NULL,
    rows bigint NOT NULL,
    release text NOT NULL,
    as_of timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('live', 'old', 'dropped'))
);
CREATE UNIQUE INDEX IF NOT EXISTS generations_live ON mlctl.generations (schema_name, project) WHERE status = 'live';
"""


@dataclass(frozen=True)
class Generation:
    """One publication of a project's scores.

    Attributes:
        number: Its place in the history of the whole database; a later one is greater.
        project: The project.
        run_id: The run that wrote it.
        view: What readers read, such as `public.churn_scores`.
        table: The table behind it, such as `mlctl.churn_scores_0123456789ab`.
        rows: Scored entities.
        release: The release that scored.
        as_of: The moment the scores are about (exclusive), UTC.
        published_at: When it became live, UTC.
        status: `live`, `old` (its table is kept) or `dropped` (only this record is left).
    """

    number: int
    project: str
    run_id: str
    view: str
    table: str
    rows: int
    release: str
    as_of: datetime
    published_at: datetime
    status: str

    def record(self) -> dict[str, Any]:
        """The publication as JSON-ready data."""
        times = {"as_of": moment_text(self.as_of), "published_at": moment_text(self.published_at)}
        return {**vars(self), **times}


def live(connection: Connection, schema: str, project: str) -> Generation | None:
    """The generation that readers see, or None.

    Raises:
        ExternalError: The database refuses.
    """
    return next((one for one in history(connection, schema, project) if one.status == "live"), None)


def history(connection: Connection, schema: str, project: str) -> list[Generation]:
    """Every publication of a project's scores, newest first.

    Raises:
        ExternalError: The database refuses.
    """
    from psycopg import sql

    select = sql.SQL(
        f"SELECT {_HISTORY} FROM mlctl.generations WHERE schema_name = %s AND project = %s ORDER BY number DESC"
    )
    with views.told(connection):
        if not views.exists(connection, "mlctl.generations"):
            return []
        return [_generation(schema, project, row) for row in connection.execute(select, (schema, project))]


def kept_bytes(connection: Connection, schema: str, project: str) -> int:
    """Bytes of the tables and indexes of every generation that is kept.

    Raises:
        ExternalError: The database refuses.
    """
    select = (
        "SELECT coalesce(sum(pg_total_relation_size(to_regclass(format('mlctl.%%I', table_name)))), 0)::bigint FROM "
        "(SELECT DISTINCT table_name FROM mlctl.generations "
        "WHERE schema_name = %s AND project = %s AND status <> 'dropped') AS kept"
    )
    with views.told(connection):
        found = connection.execute(select, (schema, project)).fetchone()
    return int(found[0]) if found else 0


def publish(connection: Connection, order: PublishOrder, scores: pl.DataFrame | Coming) -> Generation:
    """Makes the scores what readers see, or changes nothing. The same call again changes nothing either.

    Args:
        connection: In autocommit mode, as `open_database` gives it.
        order: What is to be published where.
        scores: Grain: one row per entity. Columns: the key (text or integer), `score`, and any other of `COLUMNS`;
            `release`, `as_of` and `scored_at` are the order's where they are not given, the others are empty. Or
            scores that are made while they are written, and are approved before they are shown.

    Returns:
        The live generation.

    Raises:
        ConflictError: Another command publishes this project, or a reader's open transaction holds the view.
        DataError: A key is missing, doubled or cannot be stored, or a score is not in 0..1.
        IntegrityError: The run id is known with other scores.
        ExternalError: The database refuses, or something that is not ours has the view's name.
        ValueError: The connection is not in autocommit mode, so that nothing would be committed here.
    """
    if not connection.autocommit:
        raise ValueError("publish needs a connection in autocommit mode")
    coming = scores if isinstance(scores, Coming) else whole(order, scores)
    check(order, coming)
    with views.told(connection):
        views.set_up(connection, "mlctl.generations", _SETUP, order.schema)
        with connection.transaction():
            _hold(connection, order)
            known = _known(connection, order)
            if known is None:
                sent = write(connection, order, coming)
            else:
                sent = counted(coming)
                coming.approve()
            next_step = "publish with another run id" if known else "mlctl doctor; the live scores are untouched"
            verify(connection, order, sent, next_step)
            shown = views.shows(connection, order.quoted_view, order.quoted_table)
            if known is None or known.status != "live" or not shown:
                _swap(connection, order, sent.rows, known)
        _retire(connection, order)
    published = live(connection, order.schema, order.project)
    if published is None:
        raise ExternalError.database(views.where(connection), f"{order.schema}.{order.view} was taken away just now")
    return published


def back(connection: Connection, order: PublishOrder) -> Generation:
    """Shows a generation that is kept; one that is live already stays so.

    Raises:
        ConflictError: Somebody else publishes this project now, or a reader holds the view.
        IntegrityError: Its table is gone.
        ExternalError: The database.
    """
    with views.told(connection), connection.transaction():
        _hold(connection, order)
        known = _known(connection, order)
        if known is None:
            raise IntegrityError.missing(f"mlctl.{order.table}", f"mlctl score projects/{order.project}")
        if known.status != "live" or not views.shows(connection, order.quoted_view, order.quoted_table):
            _swap(connection, order, known.rows, known)
    shown = live(connection, order.schema, order.project)
    if shown is None:
        raise ExternalError.database(views.where(connection), f"{order.schema}.{order.view} was taken away just now")
    return shown


def _hold(connection: Connection, order: PublishOrder) -> None:
    views.hold(connection, f"{order.schema}.{order.project}", f"the scores of {order.project}")


def _known(connection: Connection, order: PublishOrder) -> Generation | None:
    """The newest record whose table is the one of this run and is still there."""
    kept = [one for one in history(connection, order.schema, order.project) if one.status != "dropped"]
    known = next((one for one in kept if one.table == f"mlctl.{order.table}"), None)
    if known is not None and known.run_id != order.run_id:
        why = f"it holds the run {known.run_id}; the first 12 characters of run ids must differ"
        raise IntegrityError.refused(known.table, why, "publish with another run id")
    return known if views.exists(connection, order.quoted_table) else None


def _swap(connection: Connection, order: PublishOrder, rows: int, known: Generation | None) -> None:
    published_before = live(connection, order.schema, order.project) is not None
    views.check_ours(connection, order.schema, order.view, published_before)

    def act() -> None:
        replace_view(connection, order)
        if known is None or known.status != "live":
            _record(connection, order, rows)

    views.swap(connection, order.quoted_view, order.swap_tries, act)


def _record(connection: Connection, order: PublishOrder, rows: int) -> None:
    known = "UPDATE mlctl.generations SET status = 'old' WHERE schema_name = %s AND project = %s AND status = 'live'"
    connection.execute(known, (order.schema, order.project))
    insert = (
        "INSERT INTO mlctl.generations (schema_name, project, run_id, view_name, table_name, rows, release, as_of, "
        "published_at, status) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'live')"
    )
    which = (order.schema, order.project, order.run_id, order.view, order.table)
    connection.execute(insert, (*which, rows, order.release, order.as_of, order.now))


def _retire(connection: Connection, order: PublishOrder) -> None:
    """Drops the tables beyond the last `keep`; one that somebody reads or builds on waits for next time."""
    from psycopg import errors, sql

    kept = [one for one in history(connection, order.schema, order.project) if one.status != "dropped"]
    tables = list(dict.fromkeys(one.table.removeprefix("mlctl.") for one in kept))
    busy = (errors.LockNotAvailable, errors.DependentObjectsStillExist, ConflictError)
    for table in tables[max(order.keep, 1) :]:
        with suppress(*busy), connection.transaction():
            _hold(connection, order)
            views.lock_briefly(connection)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("mlctl", table)))
            connection.execute("UPDATE mlctl.generations SET status = 'dropped' WHERE table_name = %s", (table,))


def _generation(schema: str, project: str, row: TupleRow) -> Generation:
    number, run_id, view, table, rows, release, as_of, published_at, status = row
    return Generation(
        number=number,
        project=project,
        run_id=run_id,
        view=f"{schema}.{view}",
        table=f"mlctl.{table}",
        rows=rows,
        release=release,
        as_of=as_of.astimezone(UTC),
        published_at=published_at.astimezone(UTC),
        status=status,
    )
