"""Killed at random moments, again and again: retrain, ramp, promote and rollback end where undisturbed ones end.

Two hundred kills take about half an hour on two cores, and can be made in slices, each with moments of its own:

    for seed in 1 2 3 4; do KILLS=50 MOST_S=400 SEED=$seed pytest -m scale tests/scale/test_retrain_faults.py -s; done
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world

pytestmark = pytest.mark.scale
KILLS, SEED = int(os.environ.get("KILLS", "200")), int(os.environ.get("SEED", "1"))
MOST_S = float(os.environ.get("MOST_S", "inf"))
"""No round begins after so many seconds."""
MONTHS = [f"{year}-{month:02d}-01" for year in (2026, 2027) for month in range(1, 13)]
FIRST, MOST_IN_A_ROW = 7, 8
SMALL = """\
name: shop
entity: {key: customer_id, source: customers}
sources:
  customers: {kind: demo, table: customers, customers: 200}
  orders: {kind: demo, table: orders, customers: 200}
features:
  orders: {kind: count, source: orders, windows: [90d]}
  days_since_order: {kind: days_since, source: orders}
label: {kind: count, source: orders, horizon: 90d, is: 0}
model: {kind: logistic}
gate: {ranks: {metric: roc_auc, min: 0.4}}
"""
TIMELESS = (
    "data.dvc",
    "dvc.lock",
    "projects/shop/params.yaml",
    "projects/shop/metrics/*.json",
    "projects/shop/plots/*",
)
TOLD = ("revision", "champion", "challenger", "mode", "weight", "by", "why", "evidence")
SCORES = "SELECT md5(string_agg(concat_ws('|', customer_id, score, decision, reason, release, variant, as_of), ';' ORDER BY customer_id)) FROM shop_scores"
WATCHED = """\
monitors: {stale: {kind: freshness, max_age: 1h}}
respond: {act: {stale: retrain}}
"""


def state(folder: Path) -> dict[str, object]:
    """Everything that these commands leave, without the moments at which it was done, and what readers see."""
    files = {str(path.relative_to(folder)): path.read_bytes() for name in TIMELESS for path in folder.glob(name)}
    entries = sorted((folder / "projects/shop/releases").glob("*.json"))
    numbers = {path.stem: json.loads(path.read_text())["number"] for path in entries}
    history = [json.loads(line) for line in (folder / "projects/shop/history.jsonl").read_text().splitlines()]
    commits = world.git(folder, "log", "--format=%s").splitlines()
    told = [{name: line[name] for name in TOLD} for line in history]
    return {
        "files": files,
        "numbers": numbers,
        "history": told,
        "commits": commits,
        "scores": world.psql(folder, SCORES),
    }


def left_over(folder: Path) -> list[Path]:
    """Files that something half-done would have left."""
    return [path for path in folder.rglob("*") if path.suffix in (".tmp", ".old") or ".new." in path.name]


def commands(month: str, folder: Path) -> Iterator[list[str]]:
    """A month's way."""
    yield ["retrain", "shop", "--as-of", month]
    for share in ("10", "50", "0"):
        yield ["ramp", "shop", share]
    flag = json.loads((folder / "projects/shop/rollout.flagd.json").read_text())["flags"]["shop"]
    for _ in range(2):
        yield ["promote", f"shop/{flag['variants']['challenger']}"]
        yield ["rollback", "shop"]


def killed(folder: Path, words: list[str], after_s: float) -> float | None:
    """Seconds until nothing of the killed command worked any more; None: it had ended before."""
    run = world.begin(folder, *words)
    try:
        run.wait(after_s)
    except subprocess.TimeoutExpired:
        run.kill()
    run.communicate()
    began = time.monotonic()
    while world.at_work(folder):
        assert time.monotonic() - began < world.PATIENCE_S, world.at_work(folder)
        time.sleep(0.05)
    return time.monotonic() - began if run.returncode == -9 else None


def test_two_hundred_kills_leave_what_an_undisturbed_way_leaves(tmp_path: Path) -> None:
    """Both go the same way month by month; the one is killed on its way, at moments that a seed chose."""
    calm = world.make_workspace(tmp_path / "calm" / "workspace", SMALL)
    draw, kills, orphans, rounds = random.Random(SEED), Counter[str](), [0.0], 0
    assert world.mlctl(calm, "retrain", "shop", "--as-of", MONTHS[FIRST - 1]).returncode == 0
    wild = world.copy_workspace(calm, tmp_path / "wild" / "workspace")
    ends = time.monotonic() + MOST_S
    while kills.total() < KILLS and time.monotonic() < ends:
        for words in commands(MONTHS[FIRST + rounds], calm):
            began = time.monotonic()
            assert world.mlctl(calm, *words).returncode == 0, words
            took_s = time.monotonic() - began
            for done_before in range(MOST_IN_A_ROW):
                # what was done before a kill is not done again, so that less and less is left
                orphan_s = killed(wild, words, draw.uniform(0.1, took_s * 0.85**done_before))
                if orphan_s is None or kills.total() == KILLS:
                    break
                kills[words[0]] += 1
                orphans.append(orphan_s)
            done = world.mlctl(wild, *words)
            assert done.returncode == 0, (words, done.stderr)
        assert state(wild) == state(calm), (rounds, kills)
        assert world.git(wild, "status", "--porcelain") == world.git(calm, "status", "--porcelain")
        assert left_over(wild) == []
        rounds += 1
        told = f"{dict(kills)} killed in {rounds} rounds: the same bytes"
        print(f"\n{told}; nothing worked {max(orphans):.1f} s after a kill", flush=True)


def test_an_alarm_retrains_and_commits_and_does_so_once(workspace: Path) -> None:
    path = workspace / "projects/shop/project.yaml"
    path.write_text(path.read_text() + WATCHED)
    world.commit(workspace, "watch the shop")

    watched = world.mlctl(workspace, "monitor", "shop")
    again = json.loads(world.mlctl(workspace, "monitor", "shop", "--json").stdout)["response"]

    assert watched.returncode == 9
    assert "mlctl retrain projects/shop --latest: respond.act.stale: retrain on alarm" in watched.stderr
    assert "retrain done: " in watched.stderr, watched.stderr
    assert world.git(workspace, "log", "--format=%s", "-1").startswith("Retrain shop")
    flag = json.loads((workspace / "projects/shop/rollout.flagd.json").read_text())["flags"]["shop"]
    assert flag["variants"]["champion"]
    assert (again["outcomes"], [one["verdict"] for one in again["decisions"]]) == ({}, ["done"])
