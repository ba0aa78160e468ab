"""The figures that the product promises, measured on this machine: python -m pytest -m scale tests/scale -s."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from tests import world

pytestmark = pytest.mark.scale


def wall_s(command: list[str], folder: Path) -> float:
    """Wall seconds of one command, with bytecode cached as it is on a user's machine."""
    environment = {name: value for name, value in world.surroundings().items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    elapsed = time.perf_counter() - begin
    assert done.returncode == 0, done.stderr[-2000:]
    return elapsed


def told(what: str, seconds: float, limit: float) -> None:
    print(f"\n{what}: {seconds:.2f} s (limit {limit:g} s, {os.cpu_count()} cores)")
    assert seconds <= limit


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of the committed state."""
    target = tmp_path_factory.mktemp("speed") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(world.ROOT), str(target)], check=True)
    return target


def test_help_answers_within_three_tenths_of_a_second(tmp_path: Path) -> None:
    runs = [wall_s([str(world.MLCTL), "--help"], tmp_path) for _ in range(6)]

    told("mlctl --help, median of 5 after one", statistics.median(runs[1:]), 0.3)


def test_the_default_world_is_scored_within_a_minute(clone: Path) -> None:
    told("mlctl run projects/churn, nothing there", wall_s([str(world.MLCTL), "run", "projects/churn"], clone), 60)


def test_a_run_without_changes_takes_three_seconds(clone: Path) -> None:
    runs = [wall_s([str(world.MLCTL), "run", "projects/churn"], clone) for _ in range(3)]

    told("mlctl run projects/churn, nothing changed, median of 3", statistics.median(runs), 3)


def test_from_the_clone_to_the_first_scores_takes_three_minutes(tmp_path: Path) -> None:
    steps = (
        f"git clone --quiet {world.ROOT} fresh && cd fresh && unset VIRTUAL_ENV"
        " && PIP_NO_CACHE_DIR=1 .ci/setup && . .venv/bin/activate && mlctl run projects/churn"
    )

    told("git clone, installation without a cache and first scores", wall_s(["bash", "-c", steps], tmp_path), 180)
