"""What databases can hold and hand on that would come out as something else, or as a crash; each is refused."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from mlctl.database import server_url
from mlctl.errors import ConfigError, DataError, ExternalError
from tests.sources import read

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def postgres(connection: psycopg.Connection, postgres_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs statements in an empty PostgreSQL that the environment names."""
    monkeypatch.setenv("SHOP_DSN", server_url(postgres_root))
    return connection.execute


def asked(query: str, **options: Any) -> pl.DataFrame:
    return read("sql", dsn="${oc.env:SHOP_DSN}", query=query, **options)


def in_sqlite(folder: Path, query: str) -> pl.DataFrame:
    sqlite3.connect(folder / "shop.sqlite").close()
    (folder / "shop.sqlite").touch()
    return read("sql", dsn=f"sqlite:///{folder}/shop.sqlite", query=query)


# PostgreSQL


@pytest.mark.parametrize("number", ["1e400", "-1e308", "1e-400", "1e-310", "NaN", "Infinity", "0.1234567890123456"])
def test_a_numeric_outside_the_floats_is_refused_and_exact_as_text(number: str, postgres: Any) -> None:
    query = f"SELECT 0::numeric AS v UNION ALL SELECT '{number}'::numeric"
    with pytest.raises(DataError, match=r"column v: a float would change 1 numbers(.|\n)*decimals: text"):
        asked(query)
    (written,) = postgres(f"SELECT '{number}'::numeric::text").fetchone()
    assert set(asked(query, decimals="text")["v"].to_list()) == {"0", written}


@pytest.mark.parametrize(
    "moment",
    [
        *("timestamptz '0001-12-31 BC'", "timestamptz '10000-01-01'", "timestamp '200000-01-01'", "date '10000-01-01'"),
        *("date '0044-03-15 BC'", "timestamp 'infinity'", "date '-infinity'"),
    ],
)
def test_a_time_of_no_common_calendar_is_refused_with_its_column(moment: str, postgres: Any) -> None:
    with pytest.raises(DataError, match="column v: 1 values are infinity or not of the years 1 to 9999"):
        asked(f"SELECT {moment} AS v")


def test_the_first_and_the_last_moment_of_the_calendar_are_read(postgres: Any) -> None:
    found = asked("SELECT timestamptz '0001-01-01 00:00+00' AS a, timestamptz '9999-12-31 23:59:59.999999+00' AS b")
    assert [value.isoformat() for value in found.row(0)] == [
        "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59.999999+00:00",
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT E'\\'' AS a; COMMIT; DROP TABLE victim --'",
        "SELECT 1 AS a -- ends here for PostgreSQL\r; COMMIT; DROP TABLE victim",
        "SELECT 1 AS a) AS b; COMMIT; DROP TABLE victim; --",
        "SELECT E'\\'' AS a) AS b; COMMIT; DROP TABLE victim --'",
        "SELECT /* /* */ 1 AS a */ ; COMMIT; DROP TABLE victim",
        "WITH gone AS (DELETE FROM victim RETURNING a) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false), lo_create(0)",
        "SELECT 1 AS a INTO stolen",
        "SELECT nextval('counter')",
    ],
)
def test_a_query_that_would_write_never_does(query: str, postgres: Any) -> None:
    postgres("CREATE TABLE victim AS SELECT 7 AS a")
    postgres("CREATE SEQUENCE counter")
    postgres("COMMIT")
    with pytest.raises((DataError, ValueError)):
        asked(query)
    assert postgres("SELECT a FROM victim").fetchall() == [(7,)]
    assert postgres("SELECT last_value, is_called FROM counter").fetchone() == (1, False)
    assert postgres("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


def test_marks_of_parameters_in_a_query_are_plain_letters(postgres: Any) -> None:
    assert asked("SELECT '%s %(x)s $1 :a ? {}' AS v").rows() == [("%s %(x)s $1 :a ? {}",)]


def test_types_that_were_declared_over_others_are_read_as_those(postgres: Any) -> None:
    postgres("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    postgres("CREATE DOMAIN price AS numeric(10, 2)")
    postgres("CREATE DOMAIN moment AS timestamptz")
    postgres("COMMIT")
    found = asked("SELECT 'ok'::mood AS a, 1.5::price AS b, '2025-01-01 00:00+00'::moment AS c", time="c")
    assert found.dtypes == [pl.String, pl.Float64, pl.Datetime("us", "UTC")]
    assert found.row(0)[:2] == ("ok", 1.5)


# SQLite


def test_bytes_that_are_no_text_are_refused_and_a_nul_inside_a_text_is_kept(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF8"):
        in_sqlite(tmp_path, "SELECT CAST(x'61ff' AS TEXT) AS v")
    assert in_sqlite(tmp_path, "SELECT 'a' || char(0) || 'b' AS v").rows() == [("a\0b",)]


def test_a_file_that_another_program_locks_is_told_as_a_database_that_is_away(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 1 AS a")
    command = [sys.executable, "-c", LOCKER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        with pytest.raises(ExternalError, match="database is locked"):
            read("sql", dsn=f"sqlite:///{path}", table="orders")
        locker.communicate("")
    assert read("sql", dsn=f"sqlite:///{path}", table="orders").rows() == [(1,)]


def test_a_log_that_was_not_yet_merged_into_the_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE orders AS SELECT 1 AS a")
        connection.execute("INSERT INTO orders VALUES (2)")
        connection.commit()
        assert Path(f"{path}-wal").stat().st_size > 0
        assert read("sql", dsn=f"sqlite:///{path}", table="orders").rows() == [(1,), (2,)]


@pytest.mark.parametrize("name", ["a b#?%.db", 'Köln\'s & "x".db'])
def test_a_file_of_any_name_is_found(name: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / name)) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 1 AS a")
    assert read("sql", dsn=f"sqlite:///{tmp_path}/{name}", table="orders").rows() == [(1,)]


# connection strings


@pytest.mark.parametrize("dsn", ["", " ", "mysql://ann:s3cret@db/shop", "sqlite://", "sqlite:///", "shop.db"])
def test_a_dsn_of_no_known_database_is_a_fault_of_the_configuration(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(ConfigError, match=r"sources\.orders\.dsn\nwhy: it is neither postgresql") as told:
        asked("SELECT 1 AS a")
    assert "s3cret" not in str(told.value)


def test_a_missing_file_names_the_dsn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shop\.db\nnext: correct sources\.orders\.dsn"):
        read("sql", dsn=f"sqlite:///{tmp_path}/shop.db", table="orders")
    assert os.listdir(tmp_path) == []
