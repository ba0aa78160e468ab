"""What a rollout must survive many times over: commands that are killed, many who change it, ramps that are as they should be.

Run it by

    pytest -m scale tests/scale/test_rollout_faults.py -s

It takes about twenty minutes on two cores.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlctl import rollout
from mlctl.errors import ConflictError
from mlctl.release import read_manifest
from mlctl.rollout import Note, Rollout, Traffic, buckets
from mlctl.rollout.detector import Detector
from mlctl.spec import Guards
from mlctl.workspace import Places
from tests import challengers, killed_lines, world
from tests.test_rollout_detector import drawn, false_alarms

pytestmark = pytest.mark.scale

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SHOP = Places("shop")
PROCESSES, OPERATIONS, KILLS, RAMPS = 8, 10_000, 200, 1000


def operate(folder: str, seed: int, count: int) -> None:
    """Reads and changes at random; writes down when each began and ended, and what it saw."""
    os.chdir(folder)
    chance, done = random.Random(seed), []
    seen = rollout.read(SHOP)
    for number in range(count):
        started = time.monotonic_ns()
        if chance.random() < 0.4:
            seen = rollout.read(SHOP)
            done.append(("read", started, time.monotonic_ns(), seen.revision, seen.seal))
            continue
        wanted = Traffic("aaa", "bbb", "split", 1 + chance.randrange(99_999))
        try:
            made = rollout.change(SHOP, seen, wanted, Note(f"{seed}/{number}", NOW, "again"))
        except ConflictError:
            done.append(("conflict", started, time.monotonic_ns(), 0, ""))
            seen = rollout.read(SHOP)
        else:
            own = made.note is not None and made.note.by == f"{seed}/{number}"
            done.append(("change" if own else "same", started, time.monotonic_ns(), made.revision, made.seal))
            seen = made
    Path(f"done-{seed}.json").write_text(json.dumps(done))


def test_ten_thousand_operations_of_eight_processes_are_in_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    SHOP.folder.mkdir(parents=True)
    rollout.change(SHOP, Rollout(), Traffic("aaa"), Note("0", NOW, "begin"))
    spawned = multiprocessing.get_context("spawn")
    share = OPERATIONS // PROCESSES
    workers = [spawned.Process(target=operate, args=(str(tmp_path), seed, share)) for seed in range(1, PROCESSES + 1)]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - started
    operations = [tuple(one) for path in tmp_path.glob("done-*.json") for one in json.loads(path.read_text())]
    history = rollout.verified_history(SHOP)
    assert len(operations) == OPERATIONS
    # what was changed is in the history once, and nothing else is
    changed = [one for one in operations if one[0] == "change"]
    assert sorted(one[3] for one in changed) == [state.revision for state in history[1:]]
    seals = {state.revision: state.seal for state in history}
    told = [one for one in operations if one[3]]
    assert all(seals[one[3]] == one[4] for one in told)
    # who began after another had ended saw at least its state, and nobody saw one that had not begun
    began = {one[3]: one[1] for one in changed}
    assert all(began[one[3]] <= one[2] for one in told if one[3] in began)
    newest = 0
    for moment, _, one in sorted([(one[1], 1, one) for one in told] + [(one[2], 0, one) for one in told]):
        if moment == one[2]:
            newest = max(newest, one[3])
        else:
            assert one[3] >= newest
    counted = Counter(one[0] for one in operations)
    print(f"\n{OPERATIONS:,} operations of {PROCESSES} processes in {seconds:.0f} s: {dict(counted)}, one order")


def test_a_change_that_is_killed_before_every_line_is_as_before_or_as_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, killed_lines.__file__], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    print(f"\nkilled before each of {told['lines']} lines: {told['seen']}")
    assert told["faults"] == []


def state(folder: Path) -> dict[str, Any]:
    """Everything that a promotion or a ramp leaves, without moments."""
    lines = [json.loads(line) for line in (folder / "projects/shop/history.jsonl").read_text().splitlines()]
    files = sorted(str(path.relative_to(folder)) for path in (folder / "projects/shop").rglob("*") if path.is_file())
    names = ("champion", "challenger", "mode", "weight", "revision", "why")
    return {"history": [{name: line[name] for name in names} for line in lines], "files": files}


def test_promote_and_ramp_that_are_killed_at_random_moments_end_as_undisturbed(
    finished_workspace: Path, tmp_path: Path
) -> None:
    chance, killed = random.Random(5), Counter[str]()
    acts = (["promote", "shop"], ["ramp", "shop", "1"], ["ramp", "shop", "50"], ["ramp", "shop", "0"])

    def prepared(name: str) -> Path:
        return world.copy_workspace(finished_workspace, tmp_path / name)

    def between(folder: Path, act: list[str]) -> None:
        if act[0] == "promote":
            kept = next(path for path in (folder / "projects/shop/releases").iterdir() if path.is_dir())
            challengers.made(kept, folder / ".mlctl/shop/release", card="once more")

    undisturbed = prepared("undisturbed")
    took: dict[str, float] = {}
    for act in acts:
        started = time.monotonic()
        assert world.mlctl(undisturbed, *act).returncode == 0
        took[" ".join(act)] = time.monotonic() - started
        between(undisturbed, act)
    expected = state(undisturbed)
    for round_ in range(KILLS // len(acts)):
        folder = prepared(f"round-{round_}")
        for act in acts:
            words = " ".join(act)
            process = world.begin(folder, *act)
            time.sleep(chance.uniform(0.0, took[words]))
            process.kill()
            killed[f"{words} {'ended before' if process.wait() == 0 else 'killed'}"] += 1
            process.communicate()
            path = folder / "projects/shop/rollout.flagd.json"
            if path.is_file():
                rollout.flag_file.parsed("shop", path.read_text())
            done = world.mlctl(folder, *act)
            assert done.returncode == 0, (words, done.stderr)
            between(folder, act)
        assert state(folder) == expected, round_
        assert world.at_work(folder) == {}
        release = folder / "projects/shop/releases" / expected["history"][-1]["champion"]
        assert read_manifest(release, "")["id"] == release.name
        subprocess.run(["rm", "-r", str(folder)], check=True)
    print(f"\n{KILLS} kills: {dict(killed)}")


def test_of_a_thousand_ramps_of_a_good_challenger_at_most_ten_are_ended() -> None:
    started = time.process_time()
    ended = false_alarms(ramps=RAMPS, rows=5_000, seed=1)
    print(f"\n{RAMPS:,} ramps of 5,000 rows: {ended} ended, {time.process_time() - started:.0f} s of computing")
    assert ended <= RAMPS // 100


def test_a_bad_challenger_meets_few() -> None:
    chance = random.Random(2)
    for name, share in (("always", 1.0), ("four of five", 0.8), ("two of three", 2 / 3)):
        met = []
        for _ in range(200):
            detector = Detector(Guards())
            for far, _slow in drawn(chance, 5_000):
                detector.compared(far)
            bad = 0
            while not detector.tripped:
                far = chance.random() < share
                bad += far
                detector.compared(far)
            met.append(bad)
        print(f"\nfar {name}: sent away after {statistics.median(met):.0f} bad rows, {sorted(met)[197]} in 99 %")
        assert sorted(met)[197] <= 50 or share < 0.8


def test_a_share_is_as_large_as_it_says() -> None:
    keys = [f"c{number:07d}" for number in range(1_000_000)]
    started = time.process_time()
    parts = buckets.parts("churn", Traffic("aaa", "bbb"), keys)
    seconds = time.process_time() - started
    for percent in (0.1, 1, 10, 50):
        share = 100 * float((parts < percent * 1000).mean())
        print(f"\n{percent:g} % of a million: {share:.4f} %")
        assert abs(share - percent) < 0.1 or percent > 1
    print(f"a million keys in {seconds:.2f} s of computing")
