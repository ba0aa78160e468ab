"""Overrides are experiments: they are shown and compared, nothing is published, and the committed configuration returns."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world


def test_an_override_publishes_nothing_and_a_plain_repro_is_back(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "model=logistic", "model.c=0.5", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["published"] is None
    assert told["overrides"] == ["model=logistic", "model.c=0.5"]
    assert [stage["outcome"] for stage in told["stages"]] == ["skipped"] * 2 + ["ran"] * 5
    difference = world.dvc(workspace, "params", "diff", "--json").stdout
    assert json.loads(difference)["projects/shop/params.yaml"]["model.c"]["new"] == 0.5
    assert world.git(workspace, "status", "--porcelain") != ""

    assert world.dvc(workspace, "repro").returncode == 0

    assert world.git(workspace, "status", "--porcelain") == ""


def test_a_sweep_ends_in_one_table(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "-m", "model.depth=1,2", "model.trees=10")

    lines = done.stdout.strip().splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].split()[0] == "overrides"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["model.depth=1", "model.trees=10"],
        ["model.depth=2", "model.trees=10"],
    ]
    assert world.git(workspace, "status", "--porcelain") == ""


def test_the_snapshot_is_no_part_of_an_experiment(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "sources.orders.customers=700")

    assert done.returncode == 2
    assert "edit project.yaml to change what is read" in done.stderr
    assert world.git(workspace, "status", "--porcelain") == ""
