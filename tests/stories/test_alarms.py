"""Somebody is told: a watch that finds something pages once, survives an outage, and starts what the policy says, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import receivers, world

WATCHED = """\
monitors:
  stale: {kind: freshness, max_age: 1h, runbook: Ask the shop why no orders come.}
alerts:
  log: {kind: log, at_least: warn}
  hook: {kind: webhook, url: "http://127.0.0.1:PORT/hook"}
respond: {act: {stale: rollback}}
cost: {cpu_hour: 3600}
"""


@pytest.fixture(scope="module")
def watched(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A workspace whose only monitor finds something every day, and the port of its hook, where nobody listens yet."""
    port = receivers.closed_port()
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("alarms") / "workspace")
    path = folder / "projects/shop/project.yaml"
    path.write_text(path.read_text() + WATCHED.replace("PORT", str(port)))
    return folder, port


def test_a_dry_run_tells_nobody(watched: tuple[Path, int]) -> None:
    folder, _ = watched

    done = world.mlctl(folder, "monitor", "shop", "--dry-run")

    assert done.returncode == 9
    assert "a dry run" in done.stderr
    assert not (folder / ".mlctl/shop/alerts").exists()


def test_an_alarm_goes_out_once_and_waits_for_a_hook_that_is_down(watched: tuple[Path, int]) -> None:
    folder, port = watched

    first = world.mlctl(folder, "monitor", "shop")
    assert first.returncode == 9
    assert "of stale, since 2026-10-31" in first.stderr
    assert "hook: [ALARM] shop" in first.stderr
    assert "not delivered: http://127.0.0.1" in first.stderr
    assert "rollback failed: the override 'rollback' cannot be applied" in first.stderr

    with receivers.http(port) as server:
        again = world.mlctl(folder, "monitor", "shop", "--json")
        flushed = world.mlctl(folder, "alerts", "flush", "shop")

    assert [body["runbook"] for body in server.bodies()] == ["Ask the shop why no orders come."]
    assert "[ALARM]" not in again.stderr
    assert again.returncode == 9
    response = json.loads(again.stdout)["response"]
    assert [outcome["delivered"] for outcome in response["delivered"]] == [True]
    assert [(decision["action"], decision["verdict"]) for decision in response["decisions"]] == [("rollback", "done")]
    assert response["outcomes"] == {}
    assert flushed.returncode == 0


def test_people_silence_and_judge_what_they_were_told(watched: tuple[Path, int]) -> None:
    folder, _ = watched
    (alarm,) = json.loads(world.mlctl(folder, "alerts", "show", "shop", "--json").stdout)["open"]

    assert world.mlctl(folder, "alerts", "silence", "shop", "stale", "--until", "2099-01-01").returncode == 0
    marked = world.mlctl(folder, "alerts", "mark", "shop", alarm["id"][:4], "--false", "--because", "a holiday")
    assert marked.returncode == 0
    shown = world.mlctl(folder, "alerts", "show", "shop").stdout
    assert alarm["id"] in shown
    assert "silent until 2099-01-01: stale tester" in shown
    assert "1 alarms, 1 false" in world.mlctl(folder, "alerts", "budget", "shop").stdout
