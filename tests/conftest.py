"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlctl.database import open_database, start, stop
from mlctl.spec import Database
from tests import world

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


@pytest.fixture(scope="session")
def finished_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which `mlctl run shop` has ended well and everything is committed. Not to be changed."""
    folder = world.make_workspace(tmp_path_factory.mktemp("finished") / "workspace")
    done = world.mlctl(folder, "run", "shop")
    assert done.returncode == 0, done.stderr
    world.commit(folder, "outputs")
    return folder


@pytest.fixture
def workspace(finished_workspace: Path, tmp_path: Path) -> Path:
    """A copy of the finished workspace, without its database."""
    return world.copy_workspace(finished_workspace, tmp_path / "workspace")
