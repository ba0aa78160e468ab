"""What a model loses by features of some days ago is measured on the rows that judged it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlctl import config, staleness
from mlctl.files import read_json
from mlctl.workspace import Places

SHOP = Places("shop")


def test_older_features_lose_and_fresh_ones_are_those_of_the_evaluation(
    finished_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_workspace)
    found = staleness.staleness(SHOP, config.compose(SHOP).project, ["1d", "90d"])
    report = read_json(SHOP.evaluation / "report.json")
    evaluated = report["everybody"]["models"][report["model"]]
    assert found is not None

    assert found.fresh == pytest.approx(evaluated[found.metric]["value"], abs=1e-6)
    # orders of the last 90 days are all unknown by then
    worse = found.fresh - found.aged["90d"] if found.better == "higher" else found.aged["90d"] - found.fresh
    assert worse > 0.02
    assert abs(found.aged["1d"] - found.fresh) < worse
    assert json.loads(json.dumps(found.record()))["aged"].keys() == {"1d", "90d"}
