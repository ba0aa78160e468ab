"""Requests that were really asked stand at the gate: the next model must answer them online as it does in a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import served, world


@pytest.fixture
def shop(finished_workspace: Path, tmp_path: Path) -> Path:
    return world.copy_workspace(finished_workspace, tmp_path / "workspace")


def judged(folder: Path, rule: str) -> dict:
    """What the gate says of one rule, and the command's exit code."""
    project = folder / "projects/shop/project.yaml"
    before = project.read_text()
    world.replace(project, "gate: {ranks", f"gate: {{replays: {rule}, ranks")
    world.mlctl(folder, "compose", "shop")
    code = world.mlctl(folder, "gate", "shop").returncode
    project.write_text(before)
    rules = json.loads((folder / "projects/shop/metrics/gate.json").read_text())["rules"]
    return {"code": code, **next(told for told in rules if told["rule"] == "replays")}


def test_logged_requests_gate_the_next_release(shop):
    quiet = judged(shop, "{measure: replay, max: 0}")
    strict = judged(shop, "{measure: replay, max: 0, first: refuse}")

    log = shop / ".mlctl/shop/predictions/20261101T000000000000-1.ndjson"
    log.parent.mkdir(parents=True, exist_ok=True)
    rows = served.rows_of(shop).to_dicts()
    lines = [{"id": f"a{n}", "score": 0.5, "inputs": row} for n, row in enumerate(rows)]
    log.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"id": "x", "score": 0.5}]))
    asked = judged(shop, "{measure: replay, max: 0}")
    wanted_more = judged(shop, "{measure: replay, min: 1}")

    assert (quiet["code"], quiet["found"]) == (0, "no request was logged with its inputs")
    assert strict["code"] == 4
    assert (asked["code"], asked["found"], asked["passed"]) == (0, "0", True)
    assert wanted_more["code"] == 4
