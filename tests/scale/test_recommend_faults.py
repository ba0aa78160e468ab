"""A recommender's run and its index, killed at moments drawn by lot, end where undisturbed ones end.

Run it by `pytest -m scale tests/scale/test_recommend_faults.py -s`. PostgreSQL killed under a build is in
`tests/test_index.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests import world
from tests.stories.test_recommend_online import PROJECT, products, views

pytestmark = pytest.mark.scale

KILLS = 12
PATIENCE_S = 10


def begun_and_killed(folder: Path, words: tuple[str, ...], after_s: float) -> bool:
    """Whether a command was still at work when it and all that it began were killed."""
    process = world.begin(folder, *words)
    try:
        process.communicate(timeout=after_s)
        return False
    except subprocess.TimeoutExpired:
        pass
    process.kill()
    for pid in world.at_work(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()
    end = time.monotonic() + PATIENCE_S
    while world.at_work(folder):
        assert time.monotonic() < end, world.at_work(folder)
    return True


def begin_anew(folder: Path) -> None:
    """Takes away what a run has made, also from DVC's cache, so that the next one has everything to do."""
    for place in (folder / ".mlctl", folder / ".dvc/cache"):
        shutil.rmtree(place, ignore_errors=True)
    (folder / "dvc.lock").unlink(missing_ok=True)


def made(folder: Path) -> dict[str, bytes]:
    """What a run leaves: the release, the metrics and the plots."""
    places = [folder / ".mlctl/shop/release", folder / "projects/shop/metrics", folder / "projects/shop/plots"]
    return {str(path.relative_to(folder)): path.read_bytes() for place in places for path in sorted(place.iterdir())}


def seconds_of(folder: Path, *words: str) -> float:
    started = time.monotonic()
    done = world.mlctl(folder, *words)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - started


def test_a_recommenders_run_and_index_that_are_killed_at_any_moment_end_as_undisturbed_ones(tmp_path: Path) -> None:
    begun = world.make_workspace(tmp_path / "workspace", PROJECT)
    (begun / "raw").mkdir()
    products().write_parquet(begun / "raw/products.parquet")
    views().write_parquet(begun / "raw/views.parquet")
    whole = world.copy_workspace(begun, tmp_path / "undisturbed")
    draw = np.random.default_rng(5)
    needed_s = seconds_of(whole, "run", "shop")

    killed = ended = 0
    while killed < KILLS:
        if begun_and_killed(begun, ("run", "shop"), draw.uniform(0.05, 0.6) * needed_s):
            killed += 1
            continue
        ended += 1
        assert made(begun) == made(whole)
        begin_anew(begun)

    seconds_of(begun, "run", "shop")
    assert made(begun) == made(whole)
    print(f"\nrun: killed {killed} times, ended in between {ended} times")

    seconds_of(begun, "db", "start")
    try:
        seconds_of(begun, "index", "shop")
        needed_s = seconds_of(begun, "reembed", "shop")
        live = "SELECT count(*), (SELECT count(*) FROM shop_items) FROM mlctl.indexes WHERE status = 'live'"
        dropped = []
        for _ in range(KILLS):
            words = ("reembed", "shop")
            dropped.append(begun_and_killed(begun, words, draw.uniform(0.3, 0.95) * needed_s))
            # readers always see one whole index
            assert world.psql(begun, live) == "1|60"
        done = world.mlctl(begun, "reembed", "shop", "--json")
        assert done.returncode == 0, done.stderr
        again = json.loads(done.stdout)
        assert again["generation"]["rows"] == 60
        assert world.psql(begun, live) == "1|60"
        half_made = "SELECT count(*) FROM mlctl.indexes WHERE status = 'building'"
        assert world.psql(begun, half_made) == "0"
        assert sum(dropped) >= KILLS // 2
        print(f"index: killed {sum(dropped)} times of {KILLS}")
    finally:
        world.mlctl(begun, "db", "stop")
