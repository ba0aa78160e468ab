"""Views that show one generation: what stands behind them, who may read them, and how they change in one moment.

Scores and item vectors are written beside what readers see, verified, and then shown by a swap of the view. What both
need is here: the lock of whoever publishes, the swap that readers hardly notice, the grants that outlive it, and what
the database says as an error of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from mlctl.errors import ConflictError, ExternalError
from mlctl.files import sha256_of

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

IDENTIFIER_BYTES: Final = 63

_SWAP_LOCK: Final = "250ms"

_SHOWN: Final = """
SELECT EXISTS (
    SELECT FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = pg_depend.objid
    WHERE pg_depend.classid = 'pg_rewrite'::regclass AND pg_rewrite.ev_class = to_regclass(%s)
      AND pg_depend.refclassid = 'pg_class'::regclass AND pg_depend.refobjid = to_regclass(%s)
)
"""

_HOLDERS: Final = """
SELECT string_agg(DISTINCT format('pid %%s of %%s (%%s)', pid, usename, application_name), ', ')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE relation = to_regclass(%s) AND granted AND pid <> pg_backend_pid()
"""


def where(connection: Connection) -> str:
    """The database for a message: host, port and name."""
    return f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}"


def quoted(*names: str) -> str:
    """A name with its schema, as SQL writes it.

    >>> quoted("public", "churn_scores")
    '"public"."churn_scores"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


@contextmanager
def told(connection: Connection) -> Iterator[None]:
    """Makes an error of ours of what the database says.

    Raises:
        ExternalError: The database refuses or went away.
    """
    import psycopg

    place = where(connection)
    try:
        yield
    except psycopg.Error as error:
        why = error.diag.message_primary or " ".join(str(error).split())
        raise ExternalError.database(place, why) from error


def exists(connection: Connection, relation: str) -> bool:
    """Whether a table, view or index is there; the name is quoted where it must be."""
    return connection.execute("SELECT to_regclass(%s)::text", (relation,)).fetchone() != (None,)


def set_up(connection: Connection, table: str, statements: str, schema: str) -> None:
    """Makes what is missing; behind a lock, since two CREATE ... IF NOT EXISTS at once refuse each other.

    Args:
        connection: In autocommit mode.
        table: The table that `statements` make, such as `mlctl.generations`.
        statements: SQL that may be said again.
        schema: The schema of the view.
    """
    from psycopg import sql

    ready = exists(connection, table)
    found = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    if ready and found is not None:
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_key("mlctl"),))
        if not ready:
            connection.execute(statements.encode())
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))


def hold(connection: Connection, name: str, what: str) -> None:
    """Locks a name until the transaction ends, which a killed process or a pooler cannot outlive.

    Args:
        connection: In a transaction.
        name: What is locked, such as `public.churn`.
        what: The same for people, such as `the scores of churn`, and where it is.

    Raises:
        ConflictError: Another transaction holds it.
    """
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_key(f"mlctl {name}"),)).fetchone()
    if row != (True,):
        raise ConflictError.held(what, f"{name} in {where(connection)}")


@contextmanager
def holding(connection: Connection, name: str, what: str) -> Iterator[None]:
    """Locks a name over several transactions, until the block or the connection ends.

    Raises:
        ConflictError: Another connection holds it.
    """
    import psycopg

    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_key(f"mlctl {name}"),)).fetchone()
    if row != (True,):
        raise ConflictError.held(what, f"{name} in {where(connection)}")
    try:
        yield
    finally:
        # a connection that is gone holds nothing any more
        with suppress(psycopg.Error):
            connection.execute("SELECT pg_advisory_unlock(%s)", (_key(f"mlctl {name}"),))


def shows(connection: Connection, view: str, table: str) -> bool:
    """Whether the view is there and shows this table; both as SQL writes them."""
    return connection.execute(_SHOWN, (view, table)).fetchone() == (True,)


def check_ours(connection: Connection, schema: str, view: str, published_before: bool) -> None:
    """Refuses to replace what mlctl did not make.

    Raises:
        ExternalError: Something with the view's name exists that no publication of this project made.
    """
    asked = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)"
    row = connection.execute(asked, (quoted(schema, view),)).fetchone()
    if row is not None and not (published_before and row == ("v",)):
        why = f"{schema}.{view} exists and is not a view that mlctl made; rename it, or set database.schema"
        raise ExternalError.database(where(connection), why)


def show(connection: Connection, schema: str, view: str, select: sql.Composable) -> None:
    """Lets a view show a query; who was allowed to read it still is.

    Raises:
        ExternalError: A column has another name or type than before, and other views build on the view.
    """
    from psycopg import errors, sql

    name = sql.Identifier(schema, view)
    shown = sql.SQL("VIEW {} AS ").format(name) + select
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE OR REPLACE ") + shown)
        return
    except errors.InvalidTableDefinition:
        grants = _grants(connection, quoted(schema, view))
    try:
        # a column has another name or type, which REPLACE refuses
        connection.execute(sql.SQL("DROP VIEW {}").format(name))
    except errors.DependentObjectsStillExist as error:
        others = " ".join((error.diag.message_detail or "").split())
        why = f"the key of {schema}.{view} has another name or type, and others build on it: {others}"
        raise ExternalError.database(where(connection), why) from None
    connection.execute(sql.SQL("CREATE ") + shown)
    for privilege, role in grants:
        to = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privilege), name, to))


def swap(connection: Connection, view: str, tries: int, act: Callable[[], None]) -> None:
    """Does what changes a view in one short transaction; asks a few times where a reader's open one holds it.

    Args:
        connection: The database.
        view: The view's schema and name as SQL writes them.
        tries: How often it is asked for; 30 take about 35 s.
        act: What is done while it is locked.

    Raises:
        ConflictError: The view was held each time.
    """
    from psycopg import errors

    for attempt in range(tries):
        with suppress(errors.LockNotAvailable, errors.DeadlockDetected), connection.transaction():
            lock_briefly(connection)
            act()
            return
        time.sleep(min(0.05 * 2**attempt, 1.0))
    row = connection.execute(_HOLDERS, (view,)).fetchone()
    holders = row[0] if row is not None else None
    place = f"a transaction that has read it is still open: {holders or 'it has just ended'}"
    raise ConflictError.held(view.replace('"', ""), place)


def lock_briefly(connection: Connection) -> None:
    """Lets this transaction wait so shortly for a lock that readers behind it hardly notice."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (_SWAP_LOCK,))


def _grants(connection: Connection, view: str) -> list[tuple[str, str]]:
    """What others were allowed on the view: privilege and role; an empty role is everybody."""
    asked = (
        "SELECT privilege_type, coalesce(rolname, '') FROM pg_class, aclexplode(relacl) AS one "
        "LEFT JOIN pg_roles ON pg_roles.oid = grantee "
        "WHERE pg_class.oid = to_regclass(%s) AND grantee <> relowner ORDER BY 2, 1"
    )
    return [(privilege, role) for privilege, role in connection.execute(asked, (view,)).fetchall()]


def _key(text: str) -> int:
    return int.from_bytes(bytes.fromhex(sha256_of(text)[:16]), signed=True)
