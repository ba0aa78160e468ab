"""A disk that takes no more, played by the limit of a file's size: exit 7, the file's name, and the same command goes on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl.database import generations, open_database, start, stop
from mlctl.errors import ExternalError
from mlctl.spec import Database
from tests import world

WAL_SEGMENT = 2**24


def run_limited(folder: Path, most_bytes: int) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.run(
        [str(world.MLCTL), "run", "shop"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=world.surroundings(),
        preexec_fn=limit,
        check=False,
    )


def half_written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".tmp" or ".new." in path.name]


def test_a_run_that_cannot_write_names_the_file_and_goes_on_later(finished_workspace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    world.git(tmp_path, "clone", "--quiet", str(finished_workspace), "clone")
    world.git(folder, "rm", "--quiet", "projects/shop/params.yaml")
    for most_bytes, named in (
        (1_000, "params.yaml"),
        (20_000, "orders.parquet"),
        (1_000_000, ".mlctl/postgres"),  # by now every stage has ended; the log of a database has 16 MiB
    ):
        done = run_limited(folder, most_bytes)
        assert done.returncode == 7, done.stderr
        error = done.stderr[done.stderr.index("error:") :]
        assert named in error
        assert "File too large" in error
        assert len(error.splitlines()) == 4, error
        assert half_written(folder) == []
        assert world.at_work(folder) == {}

    done = world.mlctl(folder, "run", "shop")

    assert done.returncode == 0, done.stderr
    world.git(folder, "reset", "--quiet")
    assert world.git(folder, "status", "--porcelain") == ""
    assert world.psql(folder, "SELECT count(*) FROM shop_scores") == "600"


@contextmanager
def files_of_at_most(most_bytes: int) -> Iterator[None]:
    """Whatever is started meanwhile keeps the limit for its life."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def publish(root: Path, run_id: str, rows: int) -> generations.Generation:
    when = datetime(2026, 11, 1, tzinfo=UTC)
    order = generations.PublishOrder("public", "shop", run_id * 4, "release", when, when, "customer_id")
    scores = pl.DataFrame({"customer_id": [f"c{row:08d}" for row in range(rows)]})
    with open_database(Database(), root) as connection:
        return generations.publish(connection, order, scores.with_columns(score=pl.lit(0.5), decision=pl.lit("stay")))


def seen(root: Path) -> tuple[int, list[str]]:
    """How many scores readers see, and which tables of scores there are."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'mlctl' AND tablename LIKE 'shop%' ORDER BY 1"
    with open_database(Database(), root) as connection:
        row = connection.execute("SELECT count(*) FROM shop_scores").fetchone()
        return (row or (-1,))[0], [name for (name,) in connection.execute(tables)]


def test_a_database_that_cannot_grow_keeps_the_live_scores_and_takes_the_next_ones_later(tmp_path: Path) -> None:
    with files_of_at_most(WAL_SEGMENT):
        start(tmp_path)
    try:
        publish(tmp_path, "aaaa", 1_000)

        with pytest.raises(ExternalError) as refused:
            publish(tmp_path, "bbbb", 400_000)

        assert "could not extend file" in refused.value.why
        assert "File too large" in refused.value.why
        assert seen(tmp_path) == (1_000, ["shop_scores_aaaaaaaaaaaa"])
        publish(tmp_path, "cccc", 2_000)
        assert seen(tmp_path) == (2_000, ["shop_scores_aaaaaaaaaaaa", "shop_scores_cccccccccccc"])
        stop(tmp_path)
        start(tmp_path)

        publish(tmp_path, "bbbb", 400_000)

        assert seen(tmp_path)[0] == 400_000
    finally:
        stop(tmp_path)
