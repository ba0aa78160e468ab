"""Database: where scores go; `embedded` is a PostgreSQL of this workspace, any other is named by a connection string.

A password is in the connection string and in the environment of psql, and never in a message, a file or a command line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.database.embedded import programs, running, server_url, serving, start, stop
from mlctl.errors import ExternalError

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    from mlctl.spec import Database

__all__ = [
    "connect",
    "conninfo",
    "masked",
    "open_database",
    "psql",
    "reachable",
    "running",
    "server_url",
    "start",
    "stop",
    "without_password",
]

_SESSION: Final = {"statement_timeout": "30min", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "10min"}

_HOST: Final = r"(?:\[[^\]]*\]|[^:@/?#\[\],\s]*)(?::\d*)?"
_URL: Final = re.compile(
    rf"(postgres(?:ql)?://)(?:([^:@/?#\s]*)(:[^:@/?#\s]*)?@)?({_HOST}(?:,{_HOST})*(?:/[^?#@\s]*)?(?:\?[^#\s]*)?)"
)
_SECRETS: Final = ("password", "sslpassword", "oauth_client_secret")
_SECRET_PAIR: Final = re.compile(rf"\b({'|'.join(_SECRETS)})(\s*=\s*)('(?:\\.|[^'\\])*'|[^\s&]*)")
_UNREADABLE: Final = (
    "it is neither postgresql://USER:PASSWORD@HOST:PORT/NAME nor host=... dbname=...; "
    "in a URL write @ : / ? # of a password as %40 %3A %2F %3F %23"
)


def masked(dsn: str) -> str:
    """The connection string with every password replaced by `***`; URL and key=value forms.

    >>> masked("postgresql://ann:s3cret@db.example:5432/scores?sslmode=require")
    'postgresql://ann:***@db.example:5432/scores?sslmode=require'
    >>> masked("host=db.example user=ann password='two words'")
    'host=db.example user=ann password=***'
    """
    hidden = _SECRET_PAIR.sub(r"\1\2***", dsn)
    if "://" not in hidden:
        return hidden
    if parts := _URL.fullmatch(hidden):
        user = "" if parts[2] is None else f"{parts[2]}{':***' if parts[3] else ''}@"
        return f"{parts[1]}{user}{parts[4]}"
    # not a URL that can be taken apart: a password with a bare @ or / ends nobody knows where
    return f"{hidden.partition('://')[0]}://***"


@contextmanager
def open_database(spec: Database, root: Path) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection to the project's database, closed at the end; it commits each statement outside `transaction()`.

    Args:
        spec: Which database.
        root: The workspace. An embedded server that does not run is started, and stopped by the last who uses it.

    Raises:
        ExternalError: It cannot be reached or refuses; the message has no password.
    """
    with reachable(spec, root) as dsn, closing(connect(dsn, spec.connect_timeout_s)) as connection:
        yield connection


def psql(spec: Database, root: Path, arguments: list[str]) -> int:
    """Runs psql against the project's database; the password goes by the environment and never by the command line.

    Returns:
        The exit code of psql.

    Raises:
        ExternalError: The database cannot be started, its connection string cannot be read, or psql is missing.
    """
    from psycopg.conninfo import make_conninfo

    with reachable(spec, root) as dsn:
        parts = _parts(dsn)
        secret = {"PGPASSWORD": str(parts["password"])} if "password" in parts else {}
        place = make_conninfo("", **{key: value for key, value in parts.items() if key not in _SECRETS})
        program = shutil.which("psql") if spec.kind == "postgres" else None
        command = [program or str(programs() / "psql"), f"--dbname={place}", *arguments]
        try:
            return subprocess.run(command, env={**os.environ, **secret}, check=False).returncode
        except OSError as error:
            raise ExternalError.tool("psql", error.strerror or str(error)) from error


@contextmanager
def reachable(spec: Database, root: Path) -> Iterator[str]:
    """The connection string of the project's database, which runs at least until the block ends.

    Raises:
        ExternalError: The embedded server does not start.
    """
    if spec.dsn is not None:
        yield spec.dsn
        return
    with serving(root) as url:
        yield url


def connect(dsn: str, timeout_s: int) -> psycopg.Connection[TupleRow]:
    """A new connection; it commits each statement outside `transaction()`.

    Raises:
        ExternalError: The database cannot be reached or refuses; the message has no password.
    """
    import psycopg

    parts = {"application_name": "mlctl", "keepalives_idle": 30, **_parts(dsn)}
    parts |= {"connect_timeout": timeout_s, "client_encoding": "UTF8"}
    try:
        connection = psycopg.connect("", autocommit=True, **parts)
    except psycopg.Error as error:
        raise ExternalError.database(masked(dsn), without_password(dsn, error)) from None
    # by SET and not by the start-up packet, which connection poolers refuse
    for name, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return connection


def without_password(dsn: str, error: BaseException) -> str:
    """What a driver says, in one line without the passwords of the connection string."""
    why = " ".join(str(error).split())
    for secret in (str(value) for key, value in _parts(dsn).items() if key in _SECRETS and value):
        why = why.replace(secret, "***")
    return why[:500]


def conninfo(dsn: str, timeout_s: int) -> str:
    """The connection string for another driver that libpq serves, with the seconds to wait for a connection.

    Raises:
        ExternalError: It cannot be taken apart; the message has no password.
    """
    from psycopg.conninfo import make_conninfo

    parts = {**_parts(dsn), "application_name": "mlctl", "client_encoding": "UTF8", "connect_timeout": timeout_s}
    return make_conninfo("", **parts)


def _parts(dsn: str) -> dict[str, Any]:
    """The connection string taken apart; what libpq says about a broken one would quote the password."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise ExternalError.database(masked(dsn), f"the driver psycopg cannot be loaded: {error}") from error
    if "://" in dsn and not _URL.fullmatch(dsn):
        raise ExternalError.database(masked(dsn), _UNREADABLE)
    try:
        return dict(conninfo_to_dict(dsn))
    except ProgrammingError:
        raise ExternalError.database("the connection string", _UNREADABLE) from None
