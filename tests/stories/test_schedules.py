"""What is due is handed to schedulers in their own words, and what was missed is told."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests import world

SCHEDULE = """schedule:
  time_zone: Europe/Vienna
  score: 0 2 * * *
  monitor: 30 6 * * mon-fri
  retrain: 0 3 * * sun
"""
KINDS = ("airflow", "cron", "cronjob", "github", "timers")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a schedule, exported for every scheduler; nothing has run in it."""
    folder = world.make_workspace(tmp_path_factory.mktemp("due") / "workspace", world.PROJECT + SCHEDULE)
    for kind in KINDS:
        made = world.mlctl(folder, "export", kind, "shop")
        assert made.returncode == 0, made.stderr
    return folder


def files(folder: Path, kind: str) -> dict[str, str]:
    root = folder / "deploy/shop" / kind
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_cron_names_zone_and_lock_and_catches_up_what_a_machine_that_was_off_missed(shop: Path) -> None:
    text = files(shop, "cron")["shop"]
    lines = [line for line in text.splitlines() if not line.startswith("#")]

    assert "CRON_TZ=Europe/Vienna" in lines
    score = next(line for line in lines if line.startswith("0 2 * * * USER "))
    assert f"cd {shop}" in score
    assert "flock -n .mlctl/locks/shop.score.cron.lock" in score
    assert "ingest shop --latest && " in score
    assert sum(line.startswith("@reboot ") for line in lines) == 2
    for line in lines[2:]:
        command = line.split("USER ", 1)[1]
        assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


def test_systemds_own_judge_accepts_the_units(shop: Path) -> None:
    made = files(shop, "timers")

    assert len(made) == 6
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 06:30:00 Europe/Vienna" in made["mlctl-shop-monitor.timer"]
    assert "Persistent=true" in made["mlctl-shop-score.timer"]
    assert "[ $$? -eq 9 ]" in made["mlctl-shop-monitor.service"]
    if shutil.which("systemd-analyze"):
        paths = [str(shop / "deploy/shop/timers" / name) for name in made if name.endswith(".timer")]
        judged = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
        assert "Failed to parse" not in judged.stderr
        assert "Unknown" not in judged.stderr


def test_kubernetes_schema_accepts_the_cron_jobs(shop: Path) -> None:
    for text in files(shop, "cronjob").values():
        job: dict[str, Any] = yaml.safe_load(text)
        kubernetes_validate.validate(job, "1.34", strict=True)
        assert job["spec"]["timeZone"] == "Europe/Vienna"
        assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_dags_are_python_with_one_run_at_a_time(shop: Path) -> None:
    made = files(shop, "airflow")

    assert set(made) == {"mlctl_shop_monitor.py", "mlctl_shop_retrain.py", "mlctl_shop_score.py"}
    for text in made.values():
        keywords = {
            node.arg: node.value.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant)
        }
        assert (keywords["max_active_runs"], keywords["catchup"], keywords["timezone"]) == (1, False, "Europe/Vienna")


def test_the_workflows_run_at_local_time_and_keep_one_comment(shop: Path) -> None:
    made = {name: yaml.safe_load(text) for name, text in files(shop, "github").items()}
    score = made[".github/workflows/shop-score.yml"]

    # `on` is true for a reader of YAML 1.1
    assert [entry["cron"] for entry in score[True]["schedule"]] == ["0 1 * * *", "0 0 * * *"]
    assert score["concurrency"] == {"group": "mlctl-shop", "cancel-in-progress": False}
    guard = score["jobs"]["score"]["steps"][0]["run"].replace("${{ github.event.schedule }}", "$SCHEDULE")
    for schedule, zone, runs in (
        ("0 1 * * *", "Etc/GMT-1", "yes"),
        ("0 0 * * *", "Etc/GMT-1", "no"),
        ("", "UTC", "yes"),
    ):
        told = shop / "told.txt"
        told.unlink(missing_ok=True)
        environment = world.surroundings(SCHEDULE=schedule, TZ_OF_SCHEDULE=zone, GITHUB_OUTPUT=str(told))
        subprocess.run(["sh", "-e", "-c", guard], env=environment, check=True)
        assert told.read_text() == f"now={runs}\n"
    gate = made[".github/workflows/gate.yml"]["jobs"]["gate"]["steps"]
    comment = next(step["run"] for step in gate if "comment" in step.get("name", ""))
    assert subprocess.run(["sh", "-n", "-c", comment], check=False).returncode == 0
    assert "<!-- mlctl gate -->" in comment
    assert made[".github/workflows/shop-reproduce.yml"][True]["schedule"] == [{"cron": "41 4 * * 1"}]


def test_this_repository_runs_the_workflows_that_a_team_copies(shop: Path) -> None:
    """The gate and the weekly reproduction are the exported ones, byte by byte; its own is the test of the package."""
    ours, made = world.ROOT / ".github/workflows", files(shop, "github")
    reproduce = made[".github/workflows/shop-reproduce.yml"]

    assert (ours / "gate.yml").read_text() == made[".github/workflows/gate.yml"]
    for project in ("churn", "recommend", "support"):
        assert (ours / f"{project}-reproduce.yml").read_text() == reproduce.replace("shop", project)
    steps = yaml.safe_load((ours / "ci.yml").read_text())["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run", ".venv/bin/mlctl validate"]


def test_a_run_that_was_missed_is_told_until_it_is_done(workspace: Path) -> None:
    project = workspace / "projects/shop/project.yaml"
    project.write_text(project.read_text() + "schedule: {score: '* * * * *', monitor: '* * * * *', grace: 1h}\n")

    told = world.mlctl(workspace, "freshness", "shop", "--json")

    assert told.returncode == 9
    missed = json.loads(told.stdout)["missed"]
    # the workspace was scored when it was made, within the hour of grace; nobody has ever watched it
    assert [(late["act"], late["last"]) for late in missed] == [("monitor", "")]
    watched = json.loads(world.mlctl(workspace, "monitor", "shop", "--date", "2026-10-31", "--json").stdout)
    assert watched["days"][0]["monitors"]["missed_runs"]["verdict"] == "note"
    assert json.loads(world.mlctl(workspace, "freshness", "shop", "--json").stdout)["missed"] == []


def test_every_fault_of_every_project_is_told_with_its_line_and_nothing_is_written(shop: Path, tmp_path: Path) -> None:
    folder = world.copy_workspace(shop, tmp_path / "workspace")
    assert world.mlctl(folder, "validate").returncode == 0
    world.replace(folder / "projects/shop/project.yaml", "0 3 * * sun", "0 3 1 * sun")
    world.replace(folder / "projects/shop/project.yaml", "depth: 3", "dept: 3")

    done = world.mlctl(folder, "validate", "projects/shop/project.yaml")

    assert done.returncode == 2
    assert "shop: projects/shop/project.yaml:15: model.dept: unknown key; did you mean 'depth'?" in done.stderr
    assert "schedule.retrain" in done.stderr
    assert not (folder / "projects/shop/params.yaml").exists()
    hook = yaml.safe_load((world.ROOT / ".pre-commit-hooks.yaml").read_text())[0]
    assert (hook["id"], hook["entry"]) == ("mlctl-validate", "mlctl validate")
