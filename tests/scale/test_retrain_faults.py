"""Killed at random moments, again and again: retraining, promotion and rollback end where undisturbed ones end."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world

pytestmark = pytest.mark.scale
KILLS = int(os.environ.get("KILLS", "200"))
MONTHS = [f"2026-{month:02d}-01" for month in (9, 10, 11, 12)]
TIMELESS = (
    "data.dvc",
    "dvc.lock",
    "projects/shop/params.yaml",
    "projects/shop/metrics/*.json",
    "projects/shop/plots/*",
)
PATIENCE_S = 30


def state(folder: Path) -> dict[str, object]:
    """Everything that a retraining leaves, without the moments at which it was done."""
    files = {str(path.relative_to(folder)): path.read_bytes() for name in TIMELESS for path in folder.glob(name)}
    entries = sorted((folder / "projects/shop/releases").glob("*.json"))
    numbers = {path.stem: json.loads(path.read_text())["number"] for path in entries}
    flag = json.loads((folder / "projects/shop/rollout.flagd.json").read_text())["flags"]["shop"]["variants"]
    return {"files": files, "numbers": numbers, "answers": flag}


def commands(month: str, folder: Path) -> Iterator[list[str]]:
    """A month's way, each command named so that it means the same when it is typed again."""
    yield ["retrain", "shop", "--as-of", month]
    answers = state(folder)["answers"]
    assert isinstance(answers, dict)
    yield ["promote", f"shop/{answers['challenger']}"]
    yield ["rollback", "shop", "--to", "shop/1"]


def killed(folder: Path, words: list[str], after_s: float) -> bool:
    """Whether the command was still at work when it was killed."""
    run = world.begin(folder, *words)
    try:
        run.wait(after_s)
    except subprocess.TimeoutExpired:
        run.kill()
    finally:
        run.communicate()
    end = time.monotonic() + PATIENCE_S
    while world.at_work(folder):
        assert time.monotonic() < end, world.at_work(folder)
    return run.returncode == -9


def test_two_hundred_kills_leave_what_an_undisturbed_way_leaves(tmp_path: Path) -> None:
    """Both go the same way over four months; the one is killed on its way, at moments that a seed chose."""
    calm, wild = (world.make_workspace(tmp_path / name / "workspace") for name in ("calm", "wild"))
    draw, kills, rounds = random.Random(7), 0, 0
    for folder in (calm, wild):
        assert world.mlctl(folder, "retrain", "shop", "--as-of", "2026-08-01").returncode == 0
    while kills < KILLS:
        month = MONTHS[rounds % len(MONTHS)]
        for words in commands(month, calm):
            assert world.mlctl(calm, *words).returncode == 0, words
            while draw.random() < 0.9 and kills < KILLS:
                if not killed(wild, words, draw.uniform(0.2, 12.0 if words[0] == "retrain" else 1.5)):
                    break
                kills += 1
            assert world.mlctl(wild, *words).returncode == 0, words
        assert state(wild) == state(calm), (rounds, kills)
        assert world.git(wild, "status", "--porcelain") == world.git(calm, "status", "--porcelain")
        left = [path for path in wild.rglob("*") if path.suffix == ".tmp" or ".new." in path.name]
        assert left == []
        rounds += 1
    print(f"{kills} kills over {rounds} rounds of retrain, promote and rollback: the same bytes")
