"""What a change touches is said before it is done, and what was said is done exactly, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlctl import changes
from mlctl.workspace import Places
from tests import world

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ALL = ["check", "features", "freeze", "train", "evaluate", "gate", "package", "score"]


@pytest.fixture(scope="module")
def shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("plan") / "workspace")


def planned(folder: Path, *words: str) -> dict[str, Any]:
    done = world.mlctl(folder, "plan", "shop", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["projects"][0]
    return found


@pytest.mark.parametrize(
    ("change", "kind", "steps"),
    [
        ("about=Whom", "metadata", ["package", "score"]),
        ("gate.ranks.min=0.71", "evaluation-only", ["gate", "package", "score"]),
        ("model.depth=2", "model-only", ["freeze", "train", "evaluate", "gate", "package", "score"]),
        ("features.weeks={kind: count, source: orders, windows: [7d]}", "feature-additive", ALL),
        ("label.horizon=60d", "label-breaking", ALL),
        ("database.keep=3", "serving-only", []),
    ],
)
def test_each_kind_of_change_reaches_as_far_as_it_must(
    shop: Path, monkeypatch: pytest.MonkeyPatch, change: str, kind: str, steps: list[str]
) -> None:
    monkeypatch.chdir(shop)
    before = world.git(shop, "status", "--porcelain")

    found = changes.plan([Places("shop")], None, [change], NOW).projects[0]

    assert found.kinds == (kind,)
    assert [step.name for step in found.steps] == steps
    assert all(step.seconds and step.money for step in found.steps), "the ledger knows what they took"
    assert world.git(shop, "status", "--porcelain") == before, "nothing is written"


def test_nothing_changed_means_nothing_to_do_and_new_data_means_everything(shop: Path) -> None:
    assert planned(shop)["steps"] == []
    found = planned(shop, "--as-of", "2026-12-01")
    assert found["kinds"] == ["data"]
    assert [step["name"] for step in found["steps"]] == ["ingest", *ALL]
    assert found["touched"][0].startswith("a new release becomes the champion, after none")


def test_a_plan_is_applied_exactly_goes_on_after_a_kill_and_is_refused_once_anything_has_moved(
    finished_workspace: Path, tmp_path: Path
) -> None:
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    plan = tmp_path / "plan.json"
    world.replace(folder / "projects/shop/project.yaml", "min: 0.7", "min: 0.71")
    world.commit(folder, "ask a little more")
    assert world.mlctl(folder, "plan", "--out", str(plan)).returncode == 0
    world.replace(folder / "projects/shop/project.yaml", "min: 0.71", "min: 0.72")

    moved = world.mlctl(folder, "apply", str(plan))
    assert moved.returncode == 5, moved.stderr
    assert "somebody changed what plan.json rests on first" in moved.stderr
    assert "projects/shop/project.yaml" in moved.stderr

    world.git(folder, "checkout", "--quiet", "projects/shop/project.yaml")
    world.killed_at(folder, "parity", "apply", str(plan))
    assert world.git(folder, "status", "--porcelain") != ""
    done = world.mlctl(folder, "apply", str(plan), "--json")
    assert done.returncode == 0, done.stderr
    stages = json.loads(done.stdout)["projects"][0]["stages"]
    ran = {stage["stage"] for stage in stages if stage["outcome"] == "ran"} - {"ingest", "compose"}
    # the first champion is part of the evaluation, so that is settled once more
    assert ran == {"evaluate", "gate", "package", "parity", "register", "promote", "score"}
    assert world.git(folder, "status", "--porcelain") == ""

    again = world.mlctl(folder, "apply", str(plan))
    assert again.returncode == 5, "what it rested on has moved by itself"
    plan.write_text(plan.read_text().replace('"as_of": ""', '"as_of": "2026-12-01"'))
    assert world.mlctl(folder, "apply", str(plan)).returncode == 6, "it was edited"


def test_history_that_no_longer_holds_is_named_and_computed_again(shop: Path, tmp_path: Path) -> None:
    """Its code is made another one's, as after an upgrade: no block of it holds, and the releases do."""
    plan, head = tmp_path / "plan.json", shop / ".mlctl/shop/history/history.json"
    words = ("backfill", "shop", "--start", "2026-08-03", "--end", "2026-09-01", "-f", "orders", "-f", "plan")
    assert world.mlctl(shop, *words).returncode == 0
    files = {str(path): path.read_bytes() for path in head.parent.glob("bucket-*/*.parquet")}
    head.write_text(json.dumps({**json.loads(head.read_text()), "code": "of another version"}))

    found = planned(shop, "--out", str(plan))
    assert [(step["name"], step["money"] > 0) for step in found["steps"]] == [("backfill", True)]
    assert found["partitions"]["partitions"] == json.loads(head.read_text())["partitions"]
    [stretch] = found["partitions"]["stretches"]
    assert stretch["columns"] == ["orders_30d", "orders_90d", "orders_365d", "plan"]
    assert (stretch["start"][:10], stretch["end"][:10], stretch["every"]) == ("2026-08-03", "2026-09-07", "168h")

    done = world.mlctl(shop, "apply", str(plan), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["backfills"]["shop"][0]["rows"] == stretch["rows"]
    assert {str(path): path.read_bytes() for path in head.parent.glob("bucket-*/*.parquet")} == files
    assert planned(shop)["steps"] == []
