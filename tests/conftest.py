"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlctl.database import open_database, start, stop
from mlctl.spec import Database

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow


@pytest.fixture(scope="session")
def postgres_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace whose embedded PostgreSQL runs until the last test has ended."""
    root = tmp_path_factory.mktemp("postgres")
    start(root)
    yield root
    stop(root)


@pytest.fixture
def connection(postgres_root: Path) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection to an empty database."""
    with open_database(Database(), postgres_root) as connection:
        connection.execute("DROP SCHEMA IF EXISTS mlctl, public, sales CASCADE")
        connection.execute("CREATE SCHEMA public")
        yield connection
