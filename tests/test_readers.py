"""Readers of the scores never wait and never see a mixture, though publishers are killed at any moment."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import polars as pl

from mlctl.database import open_database
from mlctl.database.generations import publish
from mlctl.errors import ConflictError, ExternalError
from mlctl.spec import Database
from tests.test_generations import ORDER, SECOND, many, read, scored, wait_until

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

ROWS = 20_000
EVERY_S = 0.02
READ = "SELECT count(*), count(DISTINCT release), min(score), max(score) FROM {}_scores"

PUBLISHES_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from mlctl.database import open_database
from mlctl.spec import Database
from tests.test_readers import publish_run
with open_database(Database(), Path(sys.argv[1])) as connection:
    for number in count(int(sys.argv[2])):
        publish_run(connection, number)
        print(number, flush=True)
"""


def publish_run(connection: Connection, number: int, project: str = "churn") -> None:
    """Publishes a generation that any row tells from the others: all its rows have one release and one score."""
    order = replace(ORDER, project=project, run_id=f"{number:012x}", release=f"r{number}")
    scores = pl.DataFrame({"customer_id": pl.int_range(ROWS, eager=True), "reason": ["model"] * ROWS})
    publish(connection, order, scores.with_columns(score=pl.lit((number % 997) / 1000)))


@dataclass
class Seen:
    """What a reader of a project saw: the seconds of each read, and what was no whole generation."""

    project: str
    waits_s: list[float] = field(default_factory=list)
    mixtures: list[object] = field(default_factory=list)

    def read(self, connection: Connection) -> None:
        """Reads once."""
        begun = time.monotonic()
        row = connection.execute(READ.format(self.project)).fetchone()
        self.waits_s.append(time.monotonic() - begun)
        if row is None or row[:2] != (ROWS, 1) or row[2] != row[3]:
            self.mixtures.append(row)


def watched(root: Path, kills: int, seed: int = 1) -> tuple[Seen, Seen]:
    """Reads 50 times a second while one publisher after another is killed.

    Args:
        root: The workspace of the database.
        kills: How many publishers are killed, each some reads after its first publication.
        seed: Of the moments.

    Returns:
        What was seen of scores that nobody touched, read by turns on the same busy machine; and of those published.
    """
    still, moved = Seen("still"), Seen("churn")
    over, reads = threading.Event(), threading.Semaphore(0)

    def read_on() -> None:
        with open_database(Database(), root) as reader:
            while not over.wait(EVERY_S):
                still.read(reader)
                moved.read(reader)
                reads.release()

    with open_database(Database(), root) as connection:
        publish_run(connection, 0)
        publish_run(connection, 0, "still")
    draw, thread = Random(seed), threading.Thread(target=read_on)
    thread.start()
    try:
        for kill in range(kills):
            _killed(root, 1000 * (kill + 1), [reads] * draw.randrange(30))
    finally:
        over.set()
        thread.join()
    return still, moved


def _killed(root: Path, first: int, reads: list[threading.Semaphore]) -> None:
    """One publisher, killed so many reads after its first publication."""
    command = [sys.executable, "-c", PUBLISHES_FOR_EVER, str(root), str(first)]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"{first}\n".encode()
            for read in reads:
                assert read.acquire(timeout=60)
        finally:
            process.kill()


def told(still: Seen, moved: Seen) -> str:
    """The waits in one line."""
    lines = []
    for seen in (still, moved):
        waits = sorted(seen.waits_s)
        median, high = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        lines.append(
            f"{seen.project}: {len(waits)} reads, {len(seen.mixtures)} mixtures, median {median * 1000:.0f} ms, "
            f"99th of a hundred {high * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms"
        )
    return "; ".join(lines)


def test_readers_see_whole_generations_while_publishers_are_killed(connection: Connection, postgres_root: Path) -> None:
    still, moved = watched(postgres_root, kills=5)
    assert (still.mixtures, moved.mixtures) == ([], []), told(still, moved)
    assert len(moved.waits_s) > 50
    # what comes after goes on from whole scores, as soon as the server has noticed the last death
    for _ in range(600):
        try:
            publish_run(connection, 999_999)
            break
        except ConflictError:
            connection.execute("SELECT pg_sleep(0.1)")
    assert connection.execute("SELECT min(release) FROM churn_scores").fetchone() == ("r999999",)


def test_a_backend_that_ends_in_the_middle_of_copy_is_told_and_the_live_scores_stay(
    connection: Connection, postgres_root: Path
) -> None:
    publish(connection, ORDER, scored({"c1": 0.5}))
    told_errors: list[BaseException] = []

    def publish_many() -> None:
        with open_database(Database(), postgres_root) as other:
            try:
                publish(other, SECOND, many())
            except ExternalError as error:
                told_errors.append(error)

    thread = threading.Thread(target=publish_many)
    thread.start()
    wait_until(connection, "SELECT FROM pg_stat_progress_copy WHERE tuples_processed > 0")
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_progress_copy"
    assert connection.execute(ended).fetchone() == (1,)
    thread.join(timeout=60)
    assert read(connection) == [("c1", 0.5)]
    [error] = told_errors
    assert "the database cannot be used" in str(error)
    assert "a retry helps" in str(error)
