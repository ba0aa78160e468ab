"""Two at once: the first works, the second says who is at it and changes nothing."""

from __future__ import annotations

import signal
from pathlib import Path

from tests import world


def test_while_one_runs_every_other_writer_is_told_who_it_is(workspace: Path) -> None:
    (workspace / "dvc.lock").unlink()
    first = world.begin(workspace, "run", "shop")
    assert first.stderr is not None
    assert "ingest" in first.stderr.readline(), "it holds the project from here on"
    first.send_signal(signal.SIGSTOP)
    before = world.git(workspace, "status", "--porcelain")

    for command in (["run", "shop"], ["run", "projects/shop", "model.depth=2"], ["run", "shop", "-m", "model.depth=1,2"],
                    ["ingest", "shop", "--as-of", "2026-11-15"]):  # fmt: skip
        other = world.mlctl(workspace, *command)
        assert other.returncode == 5, (command, other.stderr)
        assert f"pid {first.pid} on " in other.stderr
        assert ": mlctl run shop" in other.stderr
        assert "wait for it to end" in other.stderr

    assert world.git(workspace, "status", "--porcelain") == before
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0
    assert world.git(workspace, "status", "--porcelain") == ""
    assert world.psql(workspace, "SELECT count(*) FROM shop_scores") == "600"


def test_two_that_begin_at_the_same_moment_leave_one_publication(workspace: Path) -> None:
    (workspace / "dvc.lock").unlink()
    both = [world.begin(workspace, "run", "shop") for _ in range(2)]
    words = [run.communicate()[1] for run in both]
    assert sorted(run.returncode for run in both) == [0, 5], words
    assert world.git(workspace, "status", "--porcelain") == ""
    assert world.psql(workspace, "SELECT count(*) FROM mlctl.generations") == "1"
