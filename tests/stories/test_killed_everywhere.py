"""Killed in every stage, again and again, on the way of one run: nothing is lost, and nobody stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import world

STAGES = ["compose", "check", "features", "train", "evaluate", "gate", "package", "score"]
MADE = ["dvc.lock", "data.dvc", "projects/shop/params.yaml", "projects/shop/metrics", "projects/shop/plots"]
SCORES = "SELECT customer_id, score, decision, reason, confidence, release, variant, as_of FROM shop_scores ORDER BY 1"
PATIENCE_S = 10


def begun(folder: Path, stage: str) -> subprocess.Popen[str]:
    """A run that has just said that a stage begins."""
    run = world.begin(folder, "run", "shop")
    heard = []
    for line in run.stderr or ():
        heard.append(line)
        if line.split() == [stage, "..."]:
            return run
    raise AssertionError(f"the run ended before {stage}: {heard}")


def at_work(folder: Path, ending: str) -> int:
    """Pid of the process in a folder whose command line ends so."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for pid, command in world.at_work(folder).items():
            if command.endswith(ending):
                return pid
    raise AssertionError(f"no process of {ending}: {world.at_work(folder)}")


def assert_nobody_works_in(folder: Path) -> None:
    """The children of a killed parent need a moment to end."""
    end = time.monotonic() + PATIENCE_S
    while world.at_work(folder):
        assert time.monotonic() < end, world.at_work(folder)


def release(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / ".mlctl/shop/release").iterdir()}


def test_a_run_that_is_killed_in_every_stage_ends_where_an_undisturbed_one_ends(
    finished_workspace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clone"
    world.git(tmp_path, "clone", "--quiet", str(finished_workspace), "clone")
    world.git(folder, "rm", "-r", "--quiet", *MADE)
    for stage in STAGES:
        run = begun(folder, stage)
        run.kill()
        run.communicate()
        assert_nobody_works_in(folder)
        if stage == "score":
            break
        run = begun(folder, stage)
        os.kill(at_work(folder, f"mlctl {stage} projects/shop"), signal.SIGKILL)
        _, words = run.communicate()
        assert run.returncode == 8, (stage, words)
        assert f"stage {stage} was killed by signal 9" in words
        assert "Traceback" not in words
        assert_nobody_works_in(folder)

    done = world.mlctl(folder, "run", "shop")

    assert done.returncode == 0, done.stderr
    world.git(folder, "reset", "--quiet")
    assert world.git(folder, "status", "--porcelain") == ""
    assert release(folder) == release(finished_workspace)
    assert world.psql(folder, SCORES) == world.psql(finished_workspace, SCORES)
    assert world.psql(folder, "SELECT count(*) FROM mlctl.generations") == "1"
    assert [path for path in folder.rglob("*") if path.suffix in (".tmp", ".old") or ".new." in path.name] == []
    assert not (folder / ".mlctl/postgres/postmaster.pid").exists(), "the last command stops the database"


def test_a_killed_dvc_is_told_as_killed_and_the_same_command_goes_on(workspace: Path) -> None:
    (workspace / "dvc.lock").unlink()
    run = begun(workspace, "compose")

    os.kill(at_work(workspace, "-m dvc repro package@shop"), signal.SIGKILL)

    _, words = run.communicate()
    assert run.returncode == 8, words
    assert "dvc repro was killed by signal 9" in words
    assert "the same command goes on" in words
    assert_nobody_works_in(workspace)
    assert world.mlctl(workspace, "run", "shop").returncode == 0
    assert world.git(workspace, "status", "--porcelain") == ""


def test_a_stop_is_a_stop_whatever_a_library_makes_of_it(tmp_path: Path) -> None:
    """Polars tells an exception that passes through it as a panic of Rust, which is no Exception."""
    script = """
import os, signal, sys
from mlctl import cli
class Panic(BaseException): ...
def command():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except BaseException as error:
        raise {wrapped}("told otherwise") from error
signal.signal(signal.SIGTERM, cli._stop)
sys.exit(cli._outcome(command))
"""
    for wrapped in ("Panic", "ValueError"):
        command = [sys.executable, "-c", script.replace("{wrapped}", wrapped)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 143, done.stderr
        assert done.stderr == "stopped; nothing is half-written, the same command goes on\n"
