"""Story: after a run, one command tells everything on one page, and DVC draws the same curves."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world

FILES = ("calibration", "coverage", "importance", "lift", "pr", "roc")


def test_the_report_of_a_run(workspace: Path) -> None:
    done = world.mlctl(workspace / "projects", "report", "shop")
    path = workspace / ".mlctl" / "shop" / "report" / "index.html"
    told = json.loads(world.mlctl(workspace, "report", "shop", "--json").stdout)
    evaluation = json.loads((workspace / ".mlctl/shop/evaluation/report.json").read_text())
    manifest = json.loads((workspace / ".mlctl/shop/release/manifest.json").read_text())

    assert (done.returncode, done.stdout) == (0, ".mlctl/shop/report/index.html\n"), done.stderr
    assert path.read_text().startswith("<!doctype html>")
    assert told["missing"] == []
    assert told["models"]["measured"] == evaluation["everybody"]["models"]
    assert told["lineage"]["release"] == manifest["id"]
    assert told["curves"]["roc"][evaluation["model"]]["true_positive_share"][-1] == 1.0
    assert told["errors"] and told["errors"][0]["reasons"]
    assert told["dependence"]


def test_the_report_is_the_same_bytes_from_anywhere_and_at_any_time(workspace: Path) -> None:
    world.mlctl(workspace, "report", "shop", "-o", "one.html")
    world.mlctl(workspace / "projects", "report", "shop", "-o", "../two.html", TZ="Asia/Tokyo", PYTHONHASHSEED="3")

    assert (workspace / "one.html").read_bytes() == (workspace / "two.html").read_bytes()


def test_markdown_goes_to_stdout_and_a_refusal_is_told(workspace: Path) -> None:
    world.replace(workspace / "projects/shop/project.yaml", "min: 0.7}", "min: 0.999}")
    assert world.mlctl(workspace, "run", "shop").returncode == 4

    done = world.mlctl(workspace, "report", "shop", "--format", "md")

    assert done.returncode == 0, done.stderr
    assert "## Gate: refused" in done.stdout
    assert "| **refused** | roc\\_auc of everybody |" in done.stdout


def test_a_project_that_never_ran_says_what_is_missing(tmp_path: Path) -> None:
    folder = world.make_workspace(tmp_path / "new")
    before = world.mlctl(folder, "report", "shop")
    world.mlctl(folder, "compose", "shop")
    after = world.mlctl(folder, "report", "shop", "--format", "md")

    assert (before.returncode, "mlctl compose projects/shop" in before.stderr) == (2, True)
    assert (after.returncode, after.stderr) == (0, "")
    assert "There is no evaluation yet; mlctl run projects/shop makes it." in after.stdout


def test_dvc_draws_every_curve(workspace: Path) -> None:
    done = world.dvc(workspace, "plots", "show", "--json")
    drawn = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr
    assert not drawn.get("errors")
    shown = {name.rsplit("/", 1)[-1]: found for name, found in drawn["data"].items()}
    assert set(shown) == {f"{name}.csv" for name in FILES}
    for name, found in shown.items():
        points = (
            json.loads(found[0]["content"])["data"]["values"]
            if isinstance(found[0]["content"], str)
            else found[0]["content"]["data"]["values"]
        )
        assert points, name
