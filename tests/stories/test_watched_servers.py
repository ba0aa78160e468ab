"""Prometheus and Grafana ask for nothing but what servers tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import served, world


@pytest.fixture(scope="module")
def exported(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("watched") / "workspace")
    for kind in ("prometheus", "grafana"):
        made = world.mlctl(folder, "export", kind, "shop")
        assert made.returncode == 0, made.stderr
    return folder / "deploy/shop"


def rules(folder: Path) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((folder / "prometheus/shop.rules.yml").read_text())["groups"]
    return list(group["rules"])


def board(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "grafana/shop.dashboard.json").read_text()))


def test_rules_and_dashboard_ask_for_metrics_that_a_server_tells(exported: Path, server: served.Server) -> None:
    status, told, _ = server.ask("GET", "/metrics")
    assert status == 200
    known = {line.split()[2] for line in told.decode().splitlines() if line.startswith("# TYPE")}
    # of a histogram TYPE names the whole, and the series have endings
    known |= {f"{name}_{end}" for name in known for end in ("bucket", "sum", "count")}

    asked = set(re.findall(r"mlctl_\w+", json.dumps([rules(exported), board(exported)["panels"]])))

    assert len(asked) > 10
    assert asked - known == set()


def test_every_rule_says_what_it_means_and_whose_it_is(exported: Path) -> None:
    for rule in rules(exported):
        assert rule["labels"]["severity"] in ("alarm", "warn")
        assert rule["annotations"]["summary"].startswith("shop: ")
        assert 'job="shop"' in rule["expr"]
    assert len({rule["alert"] for rule in rules(exported)}) == len(rules(exported))


def test_panels_lie_beside_each_other_and_have_names(exported: Path) -> None:
    panels = board(exported)["panels"]

    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(panels) == len({panel["id"] for panel in panels})
    assert all(panel["title"] and panel["targets"] for panel in panels)
