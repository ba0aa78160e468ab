"""What a rollout must survive many times over: many who change it, a change that is killed, ramps that are as they should be.

Commands that are killed whole are in `test_retrain_faults.py`.

Run it by

    pytest -m scale tests/scale/test_rollout_faults.py -s

It takes a few minutes on two cores.
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

import pytest

from mlctl import rollout
from mlctl.errors import ConflictError
from mlctl.rollout import Note, Rollout, Traffic, buckets
from mlctl.rollout.detector import Detector
from mlctl.spec import Guards
from mlctl.workspace import Places
from tests import killed_lines
from tests.test_rollout_detector import drawn, false_alarms

pytestmark = pytest.mark.scale

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SHOP = Places("shop")
PROCESSES, OPERATIONS, RAMPS = 8, 10_000, 1000


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
