"""Rows that were not known at a moment are planted, and no feature of that moment may move."""

from __future__ import annotations

import json
from pathlib import Path

from tests import world

PEEKS = '''
"""A kind that looks at all events, future ones too."""
from typing import Literal
import numpy as np
from pydantic import Field
from mlctl.features import Add, ColumnOptions

class Options(ColumnOptions):
    """Options."""
    kind: Literal["peeks"] = Field(default="peeks", description="peeks")

EXAMPLE = {"kind": "peeks", "source": "orders", "column": "amount", "windows": ["all"]}
EMPTY = 0.0

def tile(options, events):
    return {"n": Add(None)}

def finalize(options, state, seen):
    return state["n"] * 0.0 + np.nansum(seen.events.number(options.column))
'''


def test_features_that_keep_to_what_was_known_pass_and_the_canaries_before_the_moment_do_move_them(
    workspace: Path,
) -> None:
    done = world.mlctl(workspace, "leakcheck", "shop", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["leaks"] == []
    assert {mark["kind"] for mark in report["planted"]} == {"future", "known", "outcome"}
    assert all(mark["moved"] for mark in report["planted"] if mark["kind"] == "known")
    assert any("no knowledge_time" in line for line in report["unproved"])


def test_a_feature_that_looks_ahead_is_found(workspace: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    (plugin / "peeks-1.dist-info").mkdir(parents=True)
    (plugin / "peeks.py").write_text(PEEKS)
    (plugin / "peeks-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: peeks\nVersion: 1\n")
    (plugin / "peeks-1.dist-info/entry_points.txt").write_text("[mlctl.features]\npeeks = peeks\n")
    config = workspace / "projects/shop/project.yaml"
    world.replace(config, "features:\n", "features:\n  ahead: {kind: peeks, source: orders, column: amount_eur}\n")

    done = world.mlctl(workspace, "leakcheck", "shop", PYTHONPATH=str(plugin))

    assert done.returncode == 3, done.stderr
    assert "1 features see what was not known at their moment: ahead" in done.stderr
    assert "future rows of orders" in done.stderr
    assert json.loads((workspace / ".mlctl/shop/leakcheck.json").read_text())["leaks"] == ["ahead"]


def test_what_is_older_than_it_may_be_is_an_alarm_that_names_what_depends_on_it(workspace: Path) -> None:
    assert world.mlctl(workspace, "freshness").returncode == 0
    config = workspace / "projects/shop/project.yaml"
    world.replace(config, "table: orders, ", "table: orders, max_age: 36h, ")

    done = world.mlctl(workspace, "freshness", "shop", "--json")

    assert done.returncode == 9, done.stderr
    ages = {age["source"]: age for age in json.loads(done.stdout)["projects"]["shop"]}
    assert ages["orders"]["stale"]
    assert ages["orders"]["asked_by"] == ["sources.orders"]
    assert any(reader.startswith("features.") for reader in ages["orders"]["readers"])
    assert not ages["customers"]["stale"]
