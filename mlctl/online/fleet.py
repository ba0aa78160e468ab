"""Generations of the online store by way of the database, for servers on other machines.

One machine computes and puts the generation there; every other one fetches it, proves its hashes and maps its own copy.
No request asks the database: a lookup takes as long as on the machine that computed, the answers are the same bytes,
and while the database is away servers go on with what they have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from mlctl import online
from mlctl.database import views
from mlctl.errors import IntegrityError

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

_PART_BYTES: Final = 8 * 2**20
_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS mlctl;
CREATE TABLE IF NOT EXISTS mlctl.online (
    schema text NOT NULL, project text NOT NULL, id text NOT NULL, manifest text NOT NULL,
    published_at timestamptz NOT NULL, live boolean NOT NULL, PRIMARY KEY (schema, project, id)
);
CREATE TABLE IF NOT EXISTS mlctl.online_parts (
    schema text NOT NULL, project text NOT NULL, id text NOT NULL, file text NOT NULL, place integer NOT NULL,
    bytes bytea NOT NULL, PRIMARY KEY (schema, project, id, file, place),
    FOREIGN KEY (schema, project, id) REFERENCES mlctl.online ON DELETE CASCADE
);
"""


class Shelf(NamedTuple):
    """Whose generations they are: the database's schema of the project, and its name."""

    schema: str
    project: str


def publish(connection: Connection, shelf: Shelf, folder: Path, now: datetime, again: str) -> tuple[str, bool]:
    """Puts the generation that answers here into the database; gives its id, and whether it was there already.

    Whoever fetches sees it whole or not at all. The one before stays, older ones go. `again` is the command that makes
    one.

    Raises:
        IntegrityError: There is no generation, or it is damaged.
        ExternalError: The database refuses or went away; what was there before is as it was.
    """
    store = online.open_store(folder, again)
    if store is None:
        raise IntegrityError.missing(str(folder), again)
    made = folder / store.id
    with views.told(connection):
        views.set_up(connection, "mlctl.online_parts", _TABLES, shelf.schema)
        if _live(connection, shelf) == store.id:
            return store.id, True
        manifest = (made / "manifest.json").read_text(encoding="utf-8")
        whose = (*shelf, store.id)
        with connection.transaction():
            connection.execute("SELECT FROM mlctl.online WHERE schema = %s AND project = %s FOR UPDATE", shelf)
            connection.execute("DELETE FROM mlctl.online WHERE schema = %s AND project = %s AND id = %s", whose)
            connection.execute("DELETE FROM mlctl.online WHERE schema = %s AND project = %s AND NOT live", shelf)
            connection.execute("UPDATE mlctl.online SET live = false WHERE schema = %s AND project = %s", shelf)
            connection.execute("INSERT INTO mlctl.online VALUES (%s, %s, %s, %s, %s, true)", (*whose, manifest, now))
            for name in json.loads(manifest)["files"]:
                with (made / name).open("rb") as stream:
                    _put(connection, (*whose, name), stream)
    return store.id, False


def fetch(connection: Connection, shelf: Shelf, folder: Path, again: str) -> tuple[str, bool]:
    """Takes the generation that answers in the database; gives its id, and whether it was here already.

    `again` is the command that makes one.

    Raises:
        IntegrityError: There is none, or what came does not hash to what its manifest says; what answers here stays.
        ExternalError: The database or the disk.
    """
    again = f"{again} --database put"
    with views.told(connection), connection.transaction():
        # all parts as of one moment, whoever publishes meanwhile
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        identity = _live(connection, shelf) if views.exists(connection, "mlctl.online_parts") else ""
        if not identity:
            raise IntegrityError.missing(f"the online store of {shelf.project} in the database", again)
        if online.current(folder) == identity:
            return identity, True
        whose = (*shelf, identity)
        found = connection.execute(
            "SELECT manifest FROM mlctl.online WHERE schema = %s AND project = %s AND id = %s", whose
        ).fetchone()
        manifest: dict[str, Any] = json.loads(found[0]) if found else {}
        online.adopt(folder, manifest, partial(_get, connection, whose), again)
    return identity, False


def _live(connection: Connection, shelf: Shelf) -> str:
    query = "SELECT id FROM mlctl.online WHERE schema = %s AND project = %s AND live"
    found = connection.execute(query, shelf).fetchone()
    return str(found[0]) if found else ""


def _put(connection: Connection, whose: tuple[str, ...], stream: IO[bytes]) -> None:
    read: Callable[[], bytes] = partial(stream.read, _PART_BYTES)
    for place, part in enumerate(iter(read, b"")):
        connection.execute("INSERT INTO mlctl.online_parts VALUES (%s, %s, %s, %s, %s, %s)", (*whose, place, part))


def _get(connection: Connection, whose: tuple[str, ...], file: str, path: Path) -> None:
    """Writes a file of a generation, a part at a time."""
    query = "SELECT bytes FROM mlctl.online_parts WHERE (schema, project, id, file, place) = (%s, %s, %s, %s, %s)"
    with path.open("wb") as stream:
        place = 0
        while found := connection.execute(query, (*whose, file, place)).fetchone():
            stream.write(found[0])
            place += 1
