"""What could be smaller is said with its numbers, and nothing is said where too little was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlctl.advice import advise
from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.files import write_json
from tests.test_alarms import SHOP, project


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def line(act: str, wall_s: float, cpu_s: float, **more: object) -> None:
    spent = Spent(wall_s=wall_s, cpu_s=cpu_s, peak_bytes=200 * 2**20)
    ledger.append(SHOP, Entry(datetime(2026, 11, 1, tzinfo=UTC), "shop", act, spent, **more))  # type: ignore[arg-type]


def told() -> dict[str, str]:
    return {
        advice.about: f"{advice.say}; {advice.because}" for advice in advise(SHOP, project(cost={"cpu_hour": 3600}))
    }


def test_nothing_is_said_of_nothing() -> None:
    assert told() == {}
    line("run", 10, 1, run="a")
    line("train", 100, 90, run="a")
    assert told() == {}


def test_a_server_that_is_idle_gets_less() -> None:
    for _ in range(3):
        line("serve", 900, 9, predictions=1000)

    assert told() == {
        "memory": "give a serving process 300 MiB; a serving process held 200 MiB at most, of 3 stretches",
        "workers": "one worker is enough; ask for a tenth of a core; "
        "serving took 1.0% of a core for 3,000 answers in 0.8 h",
    }


def test_runs_that_find_nothing_and_stages_of_one_core_are_told() -> None:
    for name in ("a", "b", "c"):
        line("run", 5, 2, run=name)
    line("train", 100, 110, run="c")
    line("train", 100, 110, run="d")
    line("train", 100, 110, run="e")

    found = told()
    assert found["cores"] == "more than one core does nothing for train; 330 s of processors in 300 s, over 3 times"
    # two of five runs did nothing: less than half
    assert "cadence" not in found
    line("run", 5, 2, run="f")
    line("compose", 1, 1, run="g")
    assert told()["cadence"].endswith("4 of 7 runs found nothing to do and cost 7 EUR")


def test_a_dear_feature_that_the_model_does_not_use_is_named() -> None:
    line("features", 2, 1, details={"seconds": {"orders": 3.0, "spend": 6.0, "plan": 1.0}})
    write_json(SHOP.evaluation / "report.json", {"model": "xgboost"})
    importance = {"orders_30d": 0.6, "plan=annual": 0.3995, "spend": 0.0005}
    write_json(SHOP.model / "report.json", {"models": {"xgboost": {"importance": importance}}})

    assert told() == {
        "feature": "try without spend: mlctl run projects/shop '~features.spend'; "
        "60% of the computing of features, 0.05% of the model's importance"
    }
