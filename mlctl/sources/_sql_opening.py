"""Which database a dsn names, and the transaction in which it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import ConfigError
from mlctl.sources._sql_postgres import postgres
from mlctl.sources._sql_sqlite import sqlite

if TYPE_CHECKING:
    from mlctl.sources._sql_asking import Asking
    from mlctl.sources._sql_options import SqlOptions

_DSN: Final = re.compile(r"postgres(?:ql)?://|sqlite:///.|(?!.*://)[\w ]*=.")


@contextmanager
def opened(options: SqlOptions, dsn: str) -> Iterator[Asking]:
    """The transaction of the database that a dsn names; it is ended, and nothing of it stays.

    Raises:
        ConfigError: The dsn is of another database, or none.
        DataError: The SQLite file is missing or is none, or the database does not have what is asked.
        ExternalError: The database does not answer.
    """
    if not _DSN.match(dsn):
        # an empty one would read whatever database the library finds by itself
        raise ConfigError.unknown_database(f"sources.{options.name}.dsn")
    opener: Any = sqlite if dsn.startswith("sqlite:") else postgres
    with opener(options, dsn) as asking:
        yield asking
