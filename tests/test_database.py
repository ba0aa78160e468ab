"""Where the database is: the embedded server's life, connections, and passwords that are never shown."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlctl.database import masked, open_database, psql, running, server_url, start, stop
from mlctl.errors import ExternalError
from mlctl.spec import Database

EMBEDDED = Database()


def from_environment(dsn: str, **changes: int) -> Database:
    """A database whose connection string came from the environment: YAML may not hold a password."""
    named = Database(kind="postgres", dsn="${oc.env:SCORES_DSN}", **changes)
    return named.model_copy(update={"dsn": dsn})


STARTS = "import sys; from pathlib import Path; from mlctl.database import start; start(Path(sys.argv[1]))"


def one(root: Path) -> object:
    """What the workspace's database answers to `SELECT 1`."""
    with open_database(EMBEDDED, root) as connection:
        row = connection.execute("SELECT 1").fetchone()
    return row[0] if row else None


def postmaster_pid(root: Path) -> int:
    """The pid of the embedded server."""
    return int((root / ".mlctl/postgres/postmaster.pid").read_text().splitlines()[0])


def test_a_server_that_a_command_started_is_stopped_at_its_end(tmp_path: Path) -> None:
    assert not running(tmp_path)
    assert one(tmp_path) == 1
    assert not running(tmp_path)
    assert one(tmp_path) == 1  # the second start finds the data of the first


def test_the_last_of_two_users_stops_the_server(tmp_path: Path) -> None:
    with open_database(EMBEDDED, tmp_path):
        first_pid = postmaster_pid(tmp_path)
        assert one(tmp_path) == 1
        assert postmaster_pid(tmp_path) == first_pid
        assert running(tmp_path)
    assert not running(tmp_path)


def test_a_started_server_stays_after_its_process_and_its_users(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", STARTS, str(tmp_path)], check=True, timeout=60)
    try:
        url = server_url(tmp_path)
        assert start(tmp_path) == url
        assert one(tmp_path) == 1
        assert running(tmp_path)
    finally:
        assert stop(tmp_path)
    assert not stop(tmp_path)
    with pytest.raises(ExternalError, match="does not run"):
        server_url(tmp_path)


def test_two_processes_that_start_at_once_both_find_one_server(tmp_path: Path) -> None:
    starters = [subprocess.Popen([sys.executable, "-c", STARTS, str(tmp_path)]) for _ in range(2)]
    try:
        assert [starter.wait(timeout=60) for starter in starters] == [0, 0]
        assert one(tmp_path) == 1
    finally:
        stop(tmp_path)


def test_the_next_start_mends_a_server_that_was_killed(tmp_path: Path) -> None:
    start(tmp_path)
    with open_database(EMBEDDED, tmp_path) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(postmaster_pid(tmp_path), signal.SIGKILL)
    for _ in range(2000):
        if not running(tmp_path):
            break
        time.sleep(0.005)
    assert (tmp_path / ".mlctl/postgres/postmaster.pid").exists()
    try:
        with open_database(EMBEDDED, tmp_path) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    finally:
        stop(tmp_path)


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    one(tmp_path)
    folder = tmp_path / ".mlctl/postgres"
    lines = [str(os.getpid()), str(folder), "1", "5432", str(folder), "", "1 1", "ready"]
    (folder / "postmaster.pid").write_text("\n".join(lines) + "\n")
    assert not running(tmp_path)
    assert one(tmp_path) == 1


def test_a_command_killed_while_it_made_the_data_leaves_nothing_that_looks_like_a_database(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTS, str(tmp_path)])
    for _ in range(6000):
        if list(tmp_path.glob(".mlctl/postgres.new.*/base")):
            break
        time.sleep(0.005)
    starter.kill()
    starter.wait(timeout=30)
    assert not (tmp_path / ".mlctl/postgres").exists()
    assert one(tmp_path) == 1
    assert list(tmp_path.glob(".mlctl/postgres.new.*")) == []


def test_a_server_that_cannot_start_tells_the_last_line_of_its_log(tmp_path: Path) -> None:
    one(tmp_path)
    with (tmp_path / ".mlctl/postgres/postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'plenty'\n")
    with pytest.raises(ExternalError, match=r'does not start: .*FATAL: .*postgresql\.conf" contains errors'):
        one(tmp_path)


@pytest.mark.parametrize("name", ["a b$c`d'e\"f,g", "l" * 150], ids=["hostile", "long"])
def test_any_path_of_a_workspace_works(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    assert one(root) == 1
    assert psql(EMBEDDED, root, ["-Atqc", "SELECT 1", "-o", os.devnull]) == 0


def test_psql_hands_its_exit_code_on(postgres_root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert psql(EMBEDDED, postgres_root, ["-Atc", "SELECT 6 * 7"]) == 0
    assert capfd.readouterr().out == "42\n"
    assert psql(EMBEDDED, postgres_root, ["-c", "SELECT nothing"]) == 1


def test_the_server_listens_to_nobody_but_its_socket(postgres_root: Path) -> None:
    with open_database(EMBEDDED, postgres_root) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT current_setting('application_name')").fetchone() == ("mlctl",)
    assert (postgres_root / ".mlctl/postgres").stat().st_mode & 0o077 == 0


def test_a_given_database_is_reached_by_its_connection_string(postgres_root: Path) -> None:
    given = Database(kind="postgres", dsn=server_url(postgres_root))
    with open_database(given, Path("nowhere")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert psql(given, Path("nowhere"), ["-qc", "SELECT 1", "-o", os.devnull]) == 0


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ann:s3cret-Word@127.0.0.1:{port}/scores",
        "host=127.0.0.1 port={port} user=ann password=s3cret-Word dbname=scores",
        "postgresql://ann@127.0.0.1:{port}/scores?password=s3cret-Word",
        "postgresql://ann:s3cret-W@rd@127.0.0.1:{port}/scores",
        "postgresql://ann:12/s3cret-Word@127.0.0.1/scores",
        "postgresql+psycopg2://ann:s3cret-Word@127.0.0.1:{port}/scores",
        "host=127.0.0.1 password=s3cret-Word two",
        "host=127.0.0.1 password='s3cret-Word",
        "s3cret-Word",
    ],
)
def test_an_unreachable_database_is_told_without_its_password(dsn: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        given = from_environment(dsn.format(port=taken.getsockname()[1]), connect_timeout_s=2)
        with pytest.raises(ExternalError) as told, open_database(given, tmp_path):
            pass
    assert told.value.exit_code == 7
    assert "s3cret" not in str(told.value)
    assert "rd@" not in str(told.value)
    assert told.value.__cause__ is None
    assert "\n" not in told.value.why


def test_a_database_that_does_not_exist_is_named(postgres_root: Path) -> None:
    given = Database(kind="postgres", dsn=server_url(postgres_root).replace("/postgres?", "/nowhere?"))
    with pytest.raises(ExternalError, match='database "nowhere" does not exist'), open_database(given, postgres_root):
        pass


def test_a_wrong_password_is_told_without_the_password(postgres_root: Path) -> None:
    rules = postgres_root / ".mlctl/postgres/pg_hba.conf"
    before = rules.read_text()
    with open_database(EMBEDDED, postgres_root) as connection:
        connection.execute("DROP ROLE IF EXISTS ann")
        connection.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        rules.write_text("local all ann scram-sha-256\n" + before)
        try:
            connection.execute("SELECT pg_reload_conf()")
            dsn = server_url(postgres_root).replace("//postgres@", "//ann:s3cret@")
            told = _refusal(from_environment(dsn), postgres_root)
        finally:
            rules.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
    assert "password authentication failed" in told
    assert "s3cret" not in told
    assert "ann:***@" in told


def _refusal(given: Database, root: Path) -> str:
    """What is said when the database refuses; the server takes a moment to read its rules again."""
    for _ in range(500):
        try:
            with open_database(given, root):
                time.sleep(0.01)
        except ExternalError as error:
            return str(error)
    return "never refused"


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://ann:x@h:1/d?sslpassword=y&a=b", "postgresql://ann:***@h:1/d?sslpassword=***&a=b"),
        ("postgres://h1:1,h2:2/d", "postgres://h1:1,h2:2/d"),
        ("postgresql://ann@[::1]:5432/d", "postgresql://ann@[::1]:5432/d"),
        ("host=h password = 'it\\'s' user=ann", "host=h password = *** user=ann"),
        ("postgresql://ann:p@ss@h/d", "postgresql://***"),
        ("mysql://ann:x@h/d", "mysql://***"),
        ("", ""),
    ],
)
def test_a_masked_connection_string_keeps_all_but_the_password(dsn: str, shown: str) -> None:
    assert masked(dsn) == shown
