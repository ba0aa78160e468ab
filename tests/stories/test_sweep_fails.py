"""A sweep that cannot be done leaves the workspace as the committed configuration makes it."""

from __future__ import annotations

from pathlib import Path

from tests import world


def test_a_bad_combination_is_told_before_the_first_is_tried(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "-m", "model.depth=2,99")
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
    assert "model.depth: input should be less than or equal to 12, not 99" in done.stderr
    assert world.git(workspace, "status", "--porcelain") == ""


def test_a_combination_that_fails_on_the_way_ends_the_sweep_and_the_committed_state_is_back(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "-m", "model.depth=2", "label.is=0,-1")
    assert done.returncode == 3, done.stderr
    assert "1 of 2: model.depth=2 label.is=0" in done.stderr
    assert "the label does not vary" in done.stderr
    assert "back to the committed configuration" in done.stderr
    assert world.git(workspace, "status", "--porcelain") == ""


def test_nothing_of_the_snapshot_is_part_of_an_experiment(workspace: Path) -> None:
    overrides = ("refresh.as_of=2026-10-01", "++sources.orders.seed=8", "+sources.new={kind: demo, table: items}",
                 "~refresh", "name=other")  # fmt: skip
    for override in overrides:
        for way in ([override], ["-m", override, "model.depth=2"]):
            done = world.mlctl(workspace, "run", "shop", *way)
            assert done.returncode == 2, (override, done.stderr)
            assert done.stderr.startswith("error:")
    assert world.git(workspace, "status", "--porcelain") == ""
