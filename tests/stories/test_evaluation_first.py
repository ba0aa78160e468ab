"""What judges a model is settled before there is one, and a release is held against the one before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests import world


def report(folder: Path, place: str) -> dict:
    return json.loads((folder / ".mlctl/shop" / place / "report.json").read_text())


def test_evaluate_without_a_model_says_what_the_constant_and_the_rule_are_worth(workspace: Path) -> None:
    world.replace(workspace / "projects/shop/project.yaml", "depth: 3}", "depth: 3, rule: days_since_order > 90}")
    assert world.mlctl(workspace, "compose", "shop").returncode == 0
    shutil.rmtree(workspace / ".mlctl/shop/model")
    shutil.rmtree(workspace / ".mlctl/shop/frozen")

    done = world.mlctl(workspace, "evaluate", "shop", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    models = told["everybody"]["models"]
    assert list(models) == ["constant", "rule"]
    assert models["constant"]["roc_auc"]["value"] == 0.5
    assert models["rule"]["roc_auc"]["value"] > 0.7
    assert told["sets"]["test"]["sha256"] == report(workspace, "features")["test"]["sha256"]
    assert "is frozen" in done.stderr


def test_training_is_refused_until_the_evaluation_is_frozen(workspace: Path) -> None:
    shutil.rmtree(workspace / ".mlctl/shop/frozen")

    refused = world.mlctl(workspace, "train", "shop")
    assert refused.returncode == 6
    assert "there is no frozen evaluation set" in refused.stderr
    assert "mlctl freeze projects/shop" in refused.stderr

    assert world.mlctl(workspace, "freeze", "shop").returncode == 0
    assert world.mlctl(workspace, "train", "shop").returncode == 0


def test_training_is_refused_on_rows_other_than_the_frozen_ones(workspace: Path) -> None:
    world.replace(workspace / "projects/shop/project.yaml", "windows: [90d]", "windows: [30d, 90d]")
    world.mlctl(workspace, "compose", "shop")
    world.mlctl(workspace, "check", "shop")
    world.mlctl(workspace, "features", "shop")

    refused = world.mlctl(workspace, "train", "shop")

    assert refused.returncode == 6
    assert "the train rows are not the ones that were frozen" in refused.stderr


def test_the_released_rung_is_the_highest_that_earned_its_place(finished_workspace: Path) -> None:
    trained, evaluated = report(finished_workspace, "model"), report(finished_workspace, "evaluation")
    rungs = trained["ladder"]["rungs"]

    assert [rung["name"] for rung in rungs] == ["constant", "logistic", "xgboost"]
    assert trained["adopted"] == [rung["name"] for rung in rungs if rung["earned"]][-1]
    assert all(rung["earned"] == (rung["against"] is None or rung["gain_low"] > 0) for rung in rungs)
    assert evaluated["model"] == trained["adopted"]
    manifest = json.loads((finished_workspace / ".mlctl/shop/release/manifest.json").read_text())
    assert manifest["model"] == trained["adopted"]


def test_a_project_may_insist_on_its_own_model(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "model.adopt=always", "--json")

    assert done.returncode == 0, done.stderr
    assert report(workspace, "model")["adopted"] == "xgboost"


def test_a_release_is_promoted_once_and_the_next_one_is_held_against_it(workspace: Path) -> None:
    first = world.mlctl(workspace, "promote", "shop", "--json")
    again = world.mlctl(workspace, "promote", "shop", "--json")
    promoted = json.loads(first.stdout)

    assert (promoted["already"], json.loads(again.stdout)["already"]) == (False, True)
    assert (workspace / f"projects/shop/releases/{promoted['release']}.dvc").is_file()
    world.commit(workspace, "promote")
    assert "releases/" not in world.git(workspace, "status", "--porcelain")

    world.replace(
        workspace / "projects/shop/project.yaml",
        "gate: {",
        "gate: {keeps: {metric: roc_auc, better_than: champion}, ",
    )
    world.replace(workspace / "projects/shop/project.yaml", "  spend: {kind: sum", "  money: {kind: sum")
    done = world.mlctl(workspace, "run", "shop", "--json")

    # the same model by other names is not better: refused, and it was compared on its own features
    assert done.returncode == 4
    evaluated = report(workspace, "evaluation")
    assert evaluated["champion"] == {"release": promoted["release"], "not_measured": None, "itself": False}
    difference = evaluated["everybody"]["models"]["champion"]["roc_auc"]["own_minus_this"]
    assert difference == {"low": 0.0, "high": 0.0}


def test_a_champion_that_is_not_there_is_told_with_the_way_to_get_it(workspace: Path) -> None:
    promoted = json.loads(world.mlctl(workspace, "promote", "shop", "--json").stdout)["release"]
    shutil.rmtree(workspace / "projects/shop/releases" / promoted)

    done = world.mlctl(workspace, "evaluate", "shop")

    assert done.returncode == 6
    assert f"dvc checkout projects/shop/releases/{promoted}.dvc" in done.stderr
    assert world.dvc(workspace, "checkout", f"projects/shop/releases/{promoted}.dvc").returncode == 0
    assert world.mlctl(workspace, "evaluate", "shop").returncode == 0


def test_a_backtest_judges_each_window_by_what_was_known_before_it(workspace: Path) -> None:
    done = world.mlctl(workspace, "run", "shop", "split={kind: backtest, windows: 3, moments: 2, every: 60d}", "--json")

    assert done.returncode == 0, done.stderr
    assert len(report(workspace, "features")["test"]["as_of"]) == 3
    assert report(workspace, "model")["held_out"]["rows"] == report(workspace, "features")["test"]["rows"]
