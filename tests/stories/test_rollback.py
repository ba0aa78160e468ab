"""Scores of another moment, and back to those of before: readers always find one whole generation."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world


def shown(folder: Path) -> str:
    return world.psql(folder, "select min(as_of)::date || ' ' || count(*) || ' ' || min(release) from shop_scores")


def runs(folder: Path) -> list[dict]:
    done = world.mlctl(folder, "rollback", "scores", "shop", "--list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_scores_of_an_earlier_moment_are_shown_and_taken_back(workspace: Path) -> None:
    assert world.mlctl(workspace, "score", "shop").returncode == 0
    before = shown(workspace)
    assert world.mlctl(workspace, "score", "shop", "--as-of", "2026-08-01").returncode == 0
    earlier = shown(workspace)
    assert earlier.startswith("2026-08-01 ")
    assert before.startswith("2026-11-01 600 ")

    for _ in range(2):  # typed again, as after a kill, it goes back no further
        back = world.mlctl(workspace, "rollback", "scores", "shop")
        assert back.returncode == 0, back.stderr
        assert shown(workspace) == before
    assert "it did already, and nothing is changed" in back.stderr
    assert [run["status"] for run in runs(workspace)] == ["old", "live"]

    forward = runs(workspace)[0]["run_id"]
    for _ in range(2):
        assert world.mlctl(workspace, "rollback", "scores", "shop", "--to", forward[:6]).returncode == 0
        assert shown(workspace) == earlier


def test_nothing_before_the_first_run_and_no_unknown_run_can_be_shown(workspace: Path) -> None:
    assert world.mlctl(workspace, "score", "shop").returncode == 0
    before = shown(workspace)

    first = world.mlctl(workspace, "rollback", "scores", "shop")
    unknown = world.mlctl(workspace, "rollback", "scores", "shop", "--to", "ffff")

    assert (first.returncode, unknown.returncode) == (2, 2)
    assert "no run before the live one is kept" in first.stderr
    assert runs(workspace)[0]["run_id"] in unknown.stderr
    assert shown(workspace) == before


def test_a_moment_behind_the_snapshot_cannot_be_scored(workspace: Path) -> None:
    done = world.mlctl(workspace, "score", "shop", "--as-of", "2027-01-01")

    assert done.returncode == 2
    assert "the snapshot ends at 2026-11-01" in done.stderr


def test_only_a_release_or_scores_go_back(workspace: Path) -> None:
    done = world.mlctl(workspace, "rollback", "model", "shop")

    assert done.returncode == 2
    assert "what can go back: NAME, or scores NAME" in done.stderr
