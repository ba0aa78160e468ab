"""Money by hand: what a month, a feature, a run and a thousand predictions cost, and what another cadence would."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlctl import costs
from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.errors import ConfigError, DataError
from mlctl.workspace import Places
from tests.test_alarms import project

SHOP = Places("shop")
NOW = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def line(act: str, cpu_s: float, day: int = 2, **more: object) -> None:
    spent = Spent(wall_s=2 * cpu_s, cpu_s=cpu_s, written_bytes=2**30)
    ledger.append(SHOP, Entry(datetime(2026, 11, day, tzinfo=UTC), "shop", act, spent, **more))  # type: ignore[arg-type]


def a_run(name: str, scale: float, day: int = 2) -> None:
    line("features", 360 * scale, day, run=name, details={"seconds": {"orders": 3.0, "spend": 1.0}})
    line("train", 720 * scale, day, run=name)
    line("score", 36 * scale, day, run=name, predictions=1000)
    line("run", 84 * scale, day, run=name)


def test_a_month_adds_up_by_act_feature_run_and_prediction() -> None:
    a_run("one", 1.0)
    a_run("two", 3.0, day=9)
    line("serve", 3600, predictions=2000)
    line("train", 3600, day=1)
    ledger.append(SHOP, Entry(datetime(2026, 10, 31, tzinfo=UTC), "shop", "train", Spent(cpu_s=9e9)))
    shop = project(cost={"cpu_hour": 1.0, "gib_month": 0.0, "prediction": 0.001, "budget_month": 10})

    month = costs.monthly(SHOP, shop, None, NOW)

    # a run: (360 + 720 + 36 + 84) / 3600 = 1/3 and 1000 predictions of 0.001; three times as much: 1 and the same
    assert (month.runs, month.a_run) == (2, pytest.approx((4 / 3 + 2) / 2))
    assert month.total == pytest.approx(4 / 3 + 2 + 1 + 2 + 1)
    assert month.predictions == 4000
    assert month.a_thousand == pytest.approx(month.total / 4)
    # 15 of 30 days are over
    assert month.forecast == pytest.approx(2 * month.total)
    acts = {act.name: (act.times, round(act.money, 6)) for act in month.acts}
    assert acts["train"] == (3, 1.8)
    assert next(iter(acts)) == "serve"
    # features were 1440 s in all, of which orders took three quarters
    assert [(one.name, round(one.money, 6)) for one in month.features] == [("orders", 0.3), ("spend", 0.1)]


def test_what_is_written_and_kept_has_its_price() -> None:
    line("score", 0.0, details={ledger.DATABASE_BYTES: 2**20})
    shop = project(cost={"cpu_hour": 1, "gib_month": 2.0, "gib_written": 0.5})
    kept = SHOP.state / "kept"
    kept.write_bytes(b"x" * 2**20)

    month = costs.monthly(SHOP, shop, "2026-11", NOW)

    lines = (SHOP.ledger / "2026-11.ndjson").stat().st_size
    assert month.stored == pytest.approx(2.0 * (2**20 + 2**20 + lines) / 2**30)
    assert month.total == pytest.approx(0.5 + month.stored)


def test_another_cadence_costs_a_refresh_as_often_and_runs_that_did_nothing_say_nothing() -> None:
    a_run("one", 1.0)
    a_run("two", 3.0)
    line("features", 9e9, run="broken", outcome="failed")
    line("run", 1.0, run="idle")
    shop = project(cost={"cpu_hour": 1.0, "budget_month": 30, "every": "1d"})

    answer = costs.what_if(SHOP, shop, "every=6h")

    assert (answer.measured, answer.a_refresh) == (2, pytest.approx((1 / 3 + 1) / 2))
    by_name = {one.every: one for one in answer.cadences}
    assert by_name["6h"].times == pytest.approx(365.25 / 12 * 4)
    assert by_name["6h"].money == pytest.approx(365.25 / 12 * 4 * 2 / 3)
    assert [by_name[name].within for name in ("6h", "1d")] == [False, True]
    # stages and score of one take 2232 s of wall time, of three times as much 6696 s
    assert by_name["1h"].busy_share == pytest.approx((2232 + 6696) / 2 / 3600)


def test_what_cannot_be_answered_is_told() -> None:
    shop = project()
    with pytest.raises(DataError, match="no rows in the ledger"):
        costs.what_if(SHOP, shop, "every=6h")
    for text in ("6h", "every", "every=often", "always=6h"):
        with pytest.raises(ConfigError):
            costs.what_if(SHOP, shop, text)
    with pytest.raises(ConfigError):
        costs.monthly(SHOP, shop, "2026-13", NOW)
    assert costs.monthly(SHOP, shop, "2026-01", NOW).total == 0


def test_a_month_that_costs_too_much_is_a_finding() -> None:
    from datetime import date

    from mlctl.monitors import Window, budget

    line("train", 7200, day=3)
    shop = project(cost={"cpu_hour": 1.0, "budget_month": 3})

    def found(day: int) -> list[str]:
        facts = {"cost": costs.budget_facts(SHOP, shop, datetime(2026, 11, day, tzinfo=UTC))}
        window = Window(date(2026, 11, day), NOW, facts=facts)
        return [finding.value for finding in budget.observe(budget.Options(), window, None)]

    assert found(4) == []  # 20 by the end, but the month is too young to tell
    assert found(16) == ["4.00 EUR by its end, 2.00 spent"]
    assert found(28) == []
    line("train", 7200, day=17)
    assert found(18) == ["4.00 EUR spent"]
    assert budget.observe(budget.Options(), Window(date(2026, 11, 18), NOW), None) == []
