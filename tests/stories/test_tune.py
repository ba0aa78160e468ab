"""Tuning looks at training rows alone, goes on where it was killed, and ends in the same study whoever helped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests import world

BUDGET = ("--trials", "8", "--json")
WIDE = "tune: {search: {trees: {low: 5, high: 60}, depth: {low: 1, high: 4}, l2: {low: 0.1, high: 10.0, log: true}}}\n"


@pytest.fixture
def shop(workspace: Path) -> Path:
    path = workspace / "projects/shop/project.yaml"
    world.replace(path, "{kind: xgboost, trees: 30, depth: 3}", "{kind: xgboost}")
    path.write_text(path.read_text() + WIDE)
    assert world.mlctl(workspace, "compose", "shop").returncode == 0
    for stage in ("check", "features", "freeze"):
        assert world.mlctl(workspace, stage, "shop").returncode == 0
    return workspace


def found(folder: Path, *words: str) -> dict:
    done = world.mlctl(folder, "tune", "shop", *BUDGET, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_worker_two_and_a_killed_one_end_in_the_same_options(shop: Path, tmp_path: Path) -> None:
    others = [world.copy_workspace(shop, tmp_path / name) for name in ("two", "killed")]
    alone = found(shop)

    assert found(others[0], "--workers", "2") == alone
    run = world.begin(others[1], "tune", "shop", "--trials", "8")
    for line in run.stderr or ():
        if " 3 of 8" in line:
            break
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    # as if it had been killed while it wrote: Optuna's own lock is left, and half a line
    (journal,) = (others[1] / ".mlctl/shop/tune").glob("*.journal")
    journal.write_bytes(journal.read_bytes() + b'{"op_code":')
    if not journal.with_name(f"{journal.name}.lock").is_symlink():
        journal.with_name(f"{journal.name}.lock").symlink_to(journal)
    assert found(others[1]) == alone
    assert alone["trials"] == 8
    assert [share for share, _ in alone["curve"]] == [0.125, 0.25, 0.5, 1.0]
    assert "rows" in alone["advice"]


def test_the_test_rows_are_never_read(shop: Path) -> None:
    (shop / ".mlctl/shop/features/test.parquet").unlink()
    (shop / ".mlctl/shop/features/cold.parquet").unlink()

    assert found(shop)["trials"] == 8


def test_two_processes_share_a_study_in_the_database(shop: Path) -> None:
    alone = found(shop)
    path = shop / "projects/shop/project.yaml"
    world.replace(path, "tune: {", "tune: {shared: true, ")
    (shop / "projects/shop/tuned.yaml").unlink(missing_ok=True)
    assert world.mlctl(shop, "compose", "shop").returncode == 0
    assert world.mlctl(shop, "db", "start").returncode == 0
    try:
        first = world.begin(shop, "tune", "shop", "--trials", "8")
        second = world.begin(shop, "tune", "shop", "--trials", "8")
        for run in (first, second):
            _, words = run.communicate()
            assert run.returncode == 0, words
            assert "Warning" not in words
        (shop / "projects/shop/tuned.yaml").unlink(missing_ok=True)
        assert found(shop) == alone
    finally:
        world.mlctl(shop, "db", "stop")


def test_what_was_found_lies_under_what_people_write(shop: Path) -> None:
    tuned = shop / "projects/shop/tuned.yaml"
    tuned.write_text("# found\nmodel:\n  kind: xgboost\n  trees: 21\n  depth: 2\n")
    path = shop / "projects/shop/project.yaml"

    told = json.loads(world.mlctl(shop, "compose", "shop", "model.depth=4", "--json").stdout)
    assert (told["model"]["trees"], told["model"]["depth"]) == (21, 4)

    world.replace(path, "{kind: xgboost}", "{kind: xgboost, trees: 33}")
    assert json.loads(world.mlctl(shop, "compose", "shop", "model.l2=2", "--json").stdout)["model"]["trees"] == 33
    assert "tuned.yaml:5" in world.mlctl(shop, "explain", "model.depth", "--project", "shop").stdout

    tuned.write_text("model: {trees: 21}\n")
    refused = world.mlctl(shop, "compose", "shop")
    assert refused.returncode == 2
    assert "tuned.yaml" in refused.stderr


def test_an_option_that_the_model_does_not_have_cannot_be_searched(shop: Path) -> None:
    world.replace(shop / "projects/shop/project.yaml", "search: {trees:", "search: {leaves:")
    assert world.mlctl(shop, "compose", "shop").returncode == 0

    done = world.mlctl(shop, "tune", "shop")

    assert done.returncode == 2
    assert "tune.search.leaves" in done.stderr


def test_what_tune_says_counts_without_a_run_before(shop: Path) -> None:
    world.replace(shop / "projects/shop/project.yaml", "tune: {search", "tune: {trials: 3, search")

    done = world.mlctl(shop, "tune", "shop", "--json")

    assert json.loads(done.stdout)["trials"] == 3
