"""Requests, rows and fallbacks: written down by a server, added up over servers, and told when they are not as usual."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mlctl import kinds
from mlctl.monitors import Window
from mlctl.server.measures import Measures
from mlctl.server.tally import Tally, added_up
from mlctl.sketches import Sheet
from mlctl.timetables import Missed
from tests import drift

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAY = date(2026, 3, 3)


def found(kind: str, window: Window, **options: Any) -> list[tuple[str, str]]:
    module = kinds.load("monitors", kind)
    told = module.observe(kinds.options("monitors", {"kind": kind, **options}), window, None)
    return [(one.severity, one.rule) for one in told]


def test_a_servers_requests_are_written_down_added_up_and_judged(tmp_path: Path) -> None:
    for server, (slow, failed) in enumerate(((0, 0), (5, 2))):
        measures = Measures(f"shop{server}")
        tally = Tally(tmp_path / str(server), lambda: NOW, measures, lambda line: None)
        for _ in range(200):
            measures.request("/predict", 200, 0.0015)
        for _ in range(slow):
            measures.request("/predict", 200, 0.7)
        for _ in range(failed):
            measures.request("/predict", 500, 0.001)
        tally.write()
        tally.write()
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.rglob("*.json"))]
    both = added_up(records)
    assert both is not None

    assert both["codes"] == {"200": 405, "500": 2}
    # of 407 requests 402 took at most 2 ms, and 403 are needed for 99 of 100
    assert found("latency", Window(DAY, NOW, facts={"requests": both})) == [("alarm", "errors"), ("alarm", "p99_ms")]
    assert found("latency", Window(DAY, NOW, facts={"requests": records[0]})) == []
    assert found("latency", Window(DAY, NOW, facts={"requests": records[0]}), min_requests=500) == [
        ("note", "requests")
    ]


def test_rows_that_halve_or_stay_away_are_told_against_days_before() -> None:
    before = {DAY - timedelta(days=back): 1000 + back for back in range(1, 15)}
    usual = Window(DAY, NOW, sheet=Sheet(1010, {}), earlier=before)

    assert found("volume", usual) == []
    assert found("volume", replace(usual, sheet=Sheet(500, {}))) == [("alarm", "rows.few")]
    assert found("volume", replace(usual, sheet=Sheet(2500, {}))) == [("alarm", "rows.many")]
    # every day had rows: one without any is not told, two are
    assert found("volume", replace(usual, sheet=None)) == []
    assert found("volume", replace(usual, day=DAY + timedelta(days=1), sheet=None)) == [("alarm", "rows.none")]


def test_answers_that_failed_are_told_with_their_reasons() -> None:
    known = drift.baseline(3, 200, days=15)
    table = drift.rows(np.random.default_rng(1), 300)
    failed = pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("timeout")).otherwise("reason").alias("reason")
    (told,) = drift.observed("fallback", known, DAY, table.with_columns(failed))

    assert (told.rule, told.cause) == ("faults", "timeout 9")
    assert told.value.startswith("3.00% of 300 rows")


def test_a_missed_run_is_told_and_one_that_was_never_done_here_is_a_note() -> None:
    due = "2026-03-03T02:00:00+00:00"
    missed = [Missed("shop", "score", due, "2026-03-02T02:00:05+00:00"), Missed("shop", "retrain", due, "")]
    late = Window(DAY, NOW, facts={"missed": missed})

    assert found("missed_runs", late) == [("alarm", "score.missed"), ("note", "retrain.missed")]
    assert found("missed_runs", Window(DAY, NOW, facts={"missed": []})) == []
    assert found("missed_runs", Window(DAY, NOW)) == []


def test_of_few_rows_a_day_chance_is_no_alarm_and_weekends_are_not_either() -> None:
    monday = date(2026, 3, 2)
    twenties = {monday + timedelta(days=step): 20 for step in range(10)}
    weekends = {monday + timedelta(days=step): 500 if step % 7 >= 5 else 1000 for step in range(12)}

    # 4 deviations of a count of 20, of which one day in 30,000 comes by chance
    assert found("volume", Window(date(2026, 3, 12), NOW, sheet=Sheet(38, {}), earlier=twenties)) == []
    assert found("volume", Window(date(2026, 3, 12), NOW, sheet=Sheet(90, {}), earlier=twenties)) == [
        ("alarm", "rows.many")
    ]
    # the second Saturday, half as many as on the days before
    assert found("volume", Window(date(2026, 3, 14), NOW, sheet=Sheet(500, {}), earlier=weekends)) == []
    assert found("volume", Window(date(2026, 3, 16), NOW, sheet=Sheet(300, {}), earlier=weekends)) == [
        ("alarm", "rows.few")
    ]
    # two days without any of three a day come every few months
    threes = {monday + timedelta(days=step): 3 for step in range(10)}
    assert found("volume", Window(date(2026, 3, 13), NOW, earlier=threes)) == []
    assert found("volume", Window(date(2026, 3, 16), NOW, earlier=threes)) == [("alarm", "rows.none")]
