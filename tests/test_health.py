"""One page a project and one for all: what was promised, what is now, what happened; escaped, whole and offline."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlctl import alarms, health, rollout
from mlctl.alarms import Found
from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.files import canonical_json, write_json
from mlctl.monitors import Measured
from mlctl.rollout import Note, Traffic
from mlctl.sketches import shelf
from mlctl.watching.watch import Observation, Report, WatchedDay
from tests import drift
from tests.test_alarms import SHOP, finding, project

NOW = datetime(2026, 11, 11, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> & \"quoted\" 'x'"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def report() -> Report:
    """Ten days: a feature that leaves its band on the last two, one that does not, and performance that is known."""
    days = []
    for index in range(10):
        mean = 1.0 if index < 8 else 9.0
        measured = (
            Measured("mean", HOSTILE, mean, 1.0, 0.5, 1.5),
            Measured("mean", "calm", 2.0, 2.0, 1.0, 3.0),
            Measured("share", "not known", None),
        )
        performance = (
            Measured("realised roc_auc", "everybody", 0.85, 0.88, 0.8, None),
            Measured("estimated roc_auc", "everybody", 0.86, 0.88, 0.8, None),
            Measured("share of labels in", "everybody", index / 10),
        )
        found = (finding(HOSTILE),) if index >= 8 else ()
        observations = (Observation("drift", "psi", "", found, measured), Observation("perf", "p", "", (), performance))
        days.append(WatchedDay(date(2026, 11, 1) + timedelta(index), 100, ("aaaa",), (), observations))
    return Report("shop", tuple(days))


@pytest.fixture
def told() -> dict[str, Any]:
    """The health of a shop in which a release came, an alarm was told and money was spent."""
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa"), Note("ann", datetime(2026, 11, 3, tzinfo=UTC), "first"))
    shop = project(about=HOSTILE, cost={"cpu_hour": 3600, "budget_month": 100})
    alarms.hear(SHOP, shop, [Found("drift", (finding(HOSTILE),))], date(2026, 11, 9), NOW)
    ledger.append(SHOP, Entry(datetime(2026, 11, 5, tzinfo=UTC), "shop", "retrain", Spent(cpu_s=2.0)))
    write_json(
        SHOP.evaluation / "report.json",
        {
            "model": "logistic",
            "everybody": {"models": {"logistic": {"roc_auc": {"value": 0.88, "low": 0.86, "high": 0.9}}}},
        },
    )
    return health.contents(SHOP, shop, report(), NOW)


def test_what_left_its_band_comes_first_and_events_stand_on_their_day(told: dict[str, Any]) -> None:
    first = told["series"][0]
    assert (first["where"], first["days_beyond"]) == (HOSTILE, 2)
    # 9.0 lies 7.5 above the band, whose half is 0.5
    assert first["farthest"] == 15.0
    assert [(event["day"], event["kind"]) for event in told["events"]] == [
        ("2026-11-03", "release"),
        ("2026-11-05", "act"),
        ("2026-11-09", "alarm"),
    ]
    assert told["promised"]["metrics"] == {"roc_auc": {"value": 0.88, "low": 0.86, "high": 0.9}}
    assert (told["now"]["verdict"], told["now"]["quiet_days"], told["now"]["open_alarms"]) == ("alarm", 8, 1)
    assert told["cost"]["total"] == pytest.approx(2.0, rel=1e-3)
    json.loads(canonical_json(told))


class Page(HTMLParser):
    """What a page asks for, and which ids it has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src", "action") and value:
                self.addresses.append(value)


def test_a_page_is_whole_escaped_and_offline(told: dict[str, Any]) -> None:
    text = health.page(told)
    page = Page()
    page.feed(text)

    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert all(address.startswith("#") for address in page.addresses)
    assert not re.search(r"https?://", text)
    for words in ("alarm on 2026-11-10", "0.880 [0.860, 0.900]", "champion aaaa", "2.00 EUR in 2026-11", "roc_auc"):
        assert words in text, words
    assert text == health.page(told)


def test_a_project_without_anything_says_so() -> None:
    day = WatchedDay(date(2026, 11, 1), 0, (), (), ())
    found = health.contents(SHOP, project(), Report("shop", (day,)), NOW)
    text = health.page(found)

    for words in ("Nothing was evaluated here yet", "The project has no monitors", "There was none in these days"):
        assert words in text
    assert "all is quiet" in health.short(found)


def test_the_overview_names_who_is_ill_and_everything_is_written(told: dict[str, Any]) -> None:
    well = health.contents(SHOP, project(), Report("shop", report().days[:5]), NOW)

    paths = health.written([{**well, "project": "calm"}, told], "html")
    text = Path(".mlctl/health.html").read_text()
    shown = health.written([told, {**well, "project": "calm"}], "md")
    data = json.loads(str(health.written([told, {**well, "project": "calm"}], "json")))

    assert [str(path) for path in paths][-1] == ".mlctl/health.html"
    assert "1 of 2 alarmed" in text
    assert [str(Path(".mlctl") / link) for link in re.findall('href="([^#"]+)"', text)] == [
        str(path) for path in reversed(paths[:-1])
    ], "who is ill comes first"
    assert "roc_auc 0.880" in text
    assert "<script" not in text
    assert str(shown).startswith("| project | now |")
    assert [one["now"] for one in data["projects"]] == ["alarm", "all is quiet"]


def test_values_lie_beside_training_those_that_moved_first() -> None:
    known, day = drift.baseline(1, 60, days=14), date(2026, 11, 10)
    draw = np.random.default_rng(1)
    table = drift.vanished(drift.scaled(drift.rows(draw, 200), draw), draw)
    told = {"day": day, "origin": "batch", "name": "a", "release": "aaaa", "scored_at": NOW}
    shelf.keep(SHOP, known, known.sheet(table), told)

    found = health.contents(SHOP, project(), report(), NOW)
    first = found["shapes"][0]
    (plan,) = [one for one in found["shapes"] if one["column"] == "f07"]
    page = health.page(found)

    # everything times ten lies where training had nothing
    assert first["column"] == "f00"
    assert [bar["now"] for bar in first["bars"]][-1] == 1.0
    assert first["bars"][-1]["values"].startswith("from ")
    assert all(sum(bar[when] for bar in first["bars"]) == pytest.approx(1) for when in ("training", "now"))
    assert {bar["values"]: bar["now"] for bar in plan["bars"]}["c"] == 0.0
    assert "Values against training" in page
    assert page.count("<svg") >= len(found["shapes"])
