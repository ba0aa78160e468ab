"""An alarm holds a ramp or takes a challenger's share away, once, as the policy says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mlctl import alarms, rollout
from mlctl.responding import Response, respond
from mlctl.rollout import Note, Traffic
from mlctl.watching.watch import Observation, Report, WatchedDay
from tests.test_alarms import SHOP, finding, project

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_five_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa", "bbbb").at(5), Note("ann", NOW, "a first step"))


def found(day: int, action: str, *findings: object) -> Response:
    observation = Observation("drift", "psi", "", tuple(findings), ())  # type: ignore[arg-type]
    report = Report("shop", (WatchedDay(date(2026, 11, day), 10, ("bbbb",), (), (observation,)),))
    return respond(SHOP, project(respond={"act": {"drift": action}}), report, NOW, lambda *_: None)


def test_a_ramp_is_held_while_the_alarm_is_open() -> None:
    assert found(1, "hold").outcomes == {}
    assert found(2, "hold", finding("a")).outcomes == {"hold": "done"}
    holder = alarms.held(SHOP)
    assert holder is not None
    assert holder.cause == "drift"
    assert rollout.read(SHOP).traffic.percent == 5
    assert found(3, "hold").open == ()
    assert alarms.held(SHOP) is None


def test_a_challenger_is_taken_back_once_and_the_history_says_why() -> None:
    assert found(1, "rollback", finding("a")).outcomes == {"rollback": "done"}
    assert rollout.read(SHOP).traffic.percent == 0
    history = rollout.verified_history(SHOP)
    assert history[-1].note is not None
    assert "respond.act.drift: rollback on alarm" in history[-1].note.why

    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa", "bbbb").at(1), Note("ann", NOW, "again"))
    again = found(2, "rollback", finding("a"))
    assert [decision.verdict for decision in again.decisions] == ["done"]
    assert rollout.read(SHOP).traffic.percent == 1


def test_what_cannot_be_held_is_refused_and_said() -> None:
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa"), Note("ann", NOW, "away"))

    assert found(1, "hold", finding("a")).outcomes == {"hold": "refused"}
    assert alarms.held(SHOP) is None
