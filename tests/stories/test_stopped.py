"""Stopped anywhere, the same command goes on and ends in the same state."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests import world

OUTPUT = {
    "check": ".mlctl/shop/checked",
    "features": ".mlctl/shop/features",
    "train": ".mlctl/shop/model",
    "evaluate": ".mlctl/shop/evaluation",
    "gate": "projects/shop/metrics/gate.json",
    "package": ".mlctl/shop/release",
}
STAGES = [*OUTPUT, "score"]


def state(folder: Path) -> dict[str, str]:
    """Hashes of everything that a run leaves behind."""
    kept = ["dvc.lock", "data.dvc", "projects/shop/params.yaml", *sorted(OUTPUT.values())]
    files = [
        path
        for name in kept
        for path in ([folder / name] if (folder / name).is_file() else sorted((folder / name).iterdir()))
    ]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def make_stage_run_again(folder: Path, stage: str) -> None:
    """Takes away what the stage made, everywhere: DVC could bring it back from its cache."""
    shutil.rmtree(folder / ".dvc/cache", ignore_errors=True)
    if stage in OUTPUT:
        path = folder / OUTPUT[stage]
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def begun(folder: Path, stage: str) -> subprocess.Popen[str]:
    """A run that has just said that a stage begins."""
    process = subprocess.Popen(
        [str(world.MLCTL), "run", "shop"], cwd=folder, stderr=subprocess.PIPE, text=True, env=world.surroundings()
    )
    for line in process.stderr or ():
        if line.split() == [stage, "..."]:
            return process
    raise AssertionError(f"the run ended before {stage}")


def stage_process(folder: Path, stage: str) -> int:
    """Pid of the process of a stage that works in a workspace."""
    for _ in range(100_000):
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                here = (entry / "cwd").readlink() == folder
            except OSError:
                continue
            if here and stage in words and "-m" not in words:
                return int(entry.name)
    raise AssertionError(f"no process of {stage}")


def goes_on(folder: Path, finished_workspace: Path) -> None:
    done = world.mlctl(folder, "run", "shop")
    assert done.returncode == 0, done.stderr
    assert state(folder) == state(finished_workspace)
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_goes_on(workspace: Path, finished_workspace: Path, stage: str) -> None:
    make_stage_run_again(workspace, stage)
    process = begun(workspace, stage)

    process.kill()
    process.wait()

    goes_on(workspace, finished_workspace)


@pytest.mark.parametrize("stage", ["check", "train", "package"])
def test_a_killed_stage_is_told_and_goes_on(workspace: Path, finished_workspace: Path, stage: str) -> None:
    make_stage_run_again(workspace, stage)
    process = begun(workspace, stage)

    os.kill(stage_process(workspace, stage), signal.SIGKILL)

    assert process.stderr is not None
    assert f"stage {stage} was killed by signal 9" in process.stderr.read()
    assert process.wait() == 8
    goes_on(workspace, finished_workspace)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_stop_says_that_the_same_command_goes_on(
    workspace: Path, finished_workspace: Path, number: int, code: int
) -> None:
    make_stage_run_again(workspace, "train")
    process = begun(workspace, "train")

    process.send_signal(number)

    assert process.stderr is not None
    assert "the same command goes on" in process.stderr.read()
    assert process.wait() == code
    goes_on(workspace, finished_workspace)


def test_of_two_at_once_one_works_and_the_other_says_who(workspace: Path, finished_workspace: Path) -> None:
    make_stage_run_again(workspace, "train")
    first = begun(workspace, "train")

    second = world.mlctl(workspace, "run", "shop")

    assert second.returncode == 5
    assert f"pid {first.pid} on" in second.stderr
    assert "mlctl run shop" in second.stderr
    first.communicate()
    assert first.returncode == 0
    assert state(workspace) == state(finished_workspace)


def test_a_file_that_cannot_be_written_stops_the_run_and_leaves_nothing(
    workspace: Path, finished_workspace: Path
) -> None:
    make_stage_run_again(workspace, "train")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    limited = subprocess.run(
        [str(world.MLCTL), "train", "shop"],
        cwd=workspace, capture_output=True, text=True, env=world.surroundings(), preexec_fn=small_files_only, check=False,
    )  # fmt: skip

    assert limited.returncode == 7, limited.stderr
    assert "cannot write" in limited.stderr
    assert "the same command goes on" in limited.stderr
    goes_on(workspace, finished_workspace)
