"""A disk that takes no more, played by the limit of a file's size: exit 7, the file's name, and the same command goes on."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

from tests import world


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
