"""Alarms: one page per cause, told once, silenced, recovered, delivered after an outage, acted upon once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlctl import alarms
from mlctl.alarms import Found, Silence, journal
from mlctl.config import validation
from mlctl.errors import ConfigError
from mlctl.findings import Finding
from mlctl.spec import Project
from mlctl.workspace import Places
from tests import receivers

SHOP = Places("shop")
DAY = date(2026, 11, 1)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def project(**sections: Any) -> Project:
    """The smallest project, with an alert for everybody unless it is said otherwise."""
    mapping = {
        "name": "shop",
        "entity": {"key": "customer_id"},
        "sources": {"orders": {"kind": "demo", "table": "orders"}},
        "features": {"orders": {"kind": "count", "source": "orders", "windows": ["30d"]}},
        "label": {"kind": "count", "source": "orders", "horizon": "90d", "is": 0},
        "model": {"kind": "logistic"},
        "metrics": {"log_loss": {"kind": "log_loss"}},
        "gate": {"better": {"metric": "log_loss", "better_than": "constant"}},
        "serving": {"kind": "batch"},
        "alerts": {"everybody": {"kind": "file", "path": "told.ndjson", "at_least": "warn"}},
    }
    made, faults = validation.read({**mapping, **sections})
    assert made is not None, faults
    return made


def finding(what: str, severity: Any = "alarm", cause: str = "", rule: str = "drift.mean") -> Finding:
    return Finding(severity, rule, what, "9", "at most 3", cause=cause)


def now(days: float = 0.0) -> datetime:
    return datetime(2026, 11, 1, 6, tzinfo=UTC) + timedelta(days=days)


def watch(days: int, *findings: Finding, monitor: str = "drift", shop: Project | None = None) -> list[str]:
    """What people are told on a day on which a monitor found this."""
    shop = shop or project()
    before = told()
    alarms.hear(SHOP, shop, [Found(monitor, findings, "Call the owner.")], DAY + timedelta(days), now(days))
    alarms.deliver(SHOP, shop, now(days))
    return told()[len(before) :]


def told(path: str = "told.ndjson") -> list[str]:
    lines = Path(path).read_text().splitlines() if Path(path).is_file() else []
    return [f"{message['state']} {message['title']}" for message in map(json.loads, lines)]


def test_two_hundred_columns_of_one_cause_are_one_page() -> None:
    storm = [finding(f"column_{index}", cause="orders changed its schema on 2026-10-31") for index in range(200)]

    (page,) = watch(0, *storm)

    assert page == "open 200 findings of drift, since 2026-11-01: orders changed its schema on 2026-10-31"
    (message,) = map(json.loads, Path("told.ndjson").read_text().splitlines())
    assert message["runbook"] == "Call the owner."
    assert message["lines"][-1] == "and 188 more: mlctl monitor projects/shop"


def test_two_hundred_causes_are_no_more_pages_than_were_asked_for() -> None:
    storm = [finding(f"column_{index}", cause=f"cause {index // 2:03}") for index in range(400)]
    pages = watch(0, *storm)

    assert len(pages) == 5
    assert pages[-1].startswith("open 392 findings of drift")
    assert watch(1, *storm) == []


def test_a_cause_of_one_finding_alone_is_told_with_it_and_makes_no_page_of_its_own() -> None:
    (page,) = watch(0, finding("a", cause="read by x"), finding("b", cause="read by y"))

    assert page == "open 2 findings of drift, since 2026-11-01"
    assert "allowed is at most 3 (read by x)" in Path("told.ndjson").read_text()


def test_an_open_alarm_is_told_again_only_when_it_is_worse_and_when_it_is_gone() -> None:
    assert watch(0, finding("a")) == ["open 1 finding of drift, since 2026-11-01"]
    assert watch(0, finding("a")) == []
    assert watch(1, finding("a")) == []
    assert watch(2, finding("a"), finding("b")) == ["worse 2 findings of drift, since 2026-11-01"]
    assert watch(3, finding("a"), finding("b"), finding("c")) == []
    assert watch(4) == ["recovered 3 findings of drift, from 2026-11-01, gone now"]
    assert watch(5) == []
    assert watch(6, finding("a")) == ["open 1 finding of drift, since 2026-11-07"]


def test_a_warning_that_becomes_an_alarm_is_told_to_those_who_only_hear_alarms() -> None:
    shop = project(
        alerts={
            "everybody": {"kind": "file", "path": "told.ndjson", "at_least": "warn"},
            "oncall": {"kind": "file", "path": "oncall.ndjson"},
        }
    )
    watch(0, finding("a", "warn"), shop=shop)
    assert told("oncall.ndjson") == []
    watch(1, finding("a"), shop=shop)
    assert told("oncall.ndjson") == ["worse 1 finding of drift, since 2026-11-01"]
    watch(2, shop=shop)
    assert told("oncall.ndjson")[1:] == ["recovered 1 finding of drift, from 2026-11-01, gone now"]


def test_what_could_not_be_judged_or_was_not_watched_is_not_recovered() -> None:
    watch(0, finding("a"))

    assert watch(1, Finding("note", "drift.few_rows", "a", "3 rows", "at least 100")) == []
    assert watch(2, monitor="freshness") == []
    assert [alarm.open for alarm in alarms.read(SHOP).alarms.values()] == [True]
    assert watch(3) == ["recovered 1 finding of drift, from 2026-11-01, gone now"]


def test_a_look_back_and_the_same_day_again_change_nothing() -> None:
    watch(5, finding("a"))

    assert watch(3, finding("b"), finding("c"), finding("d")) == []
    assert watch(5) == []
    assert watch(6) == ["recovered 1 finding of drift, from 2026-11-06, gone now"]


def test_a_flapping_alarm_waits_until_it_has_been_quiet_for_long_enough() -> None:
    shop = project(respond={"recover_after": 2})
    watch(0, finding("a"), shop=shop)

    assert watch(1, shop=shop) == []
    assert watch(2, finding("a"), shop=shop) == []
    assert watch(3, shop=shop) == []
    assert watch(4, shop=shop) == ["recovered 1 finding of drift, from 2026-11-01, gone now"]


def test_a_silence_ends_and_what_is_still_open_is_told_then() -> None:
    silence = Silence("drift", now(3), "ann", "the shop moves")
    assert alarms.silence(SHOP, silence, now()) == []

    assert watch(0, finding("a")) == []
    assert watch(1, finding("a")) == []
    assert watch(3, finding("a")) == ["open 1 finding of drift, since 2026-11-01"]
    assert alarms.read(SHOP).silenced(alarms.read(SHOP).open()[0], now(3)) is None


def test_an_alarm_that_came_and_went_in_silence_is_never_told() -> None:
    alarms.silence(SHOP, Silence("dri*", now(9)), now())
    watch(0, finding("a"))

    assert watch(1) == []
    assert watch(10) == []


def test_a_reminder_comes_when_it_was_asked_for() -> None:
    shop = project(respond={"repeat": "7d"})
    watch(0, finding("a"), shop=shop)

    assert watch(6, finding("a"), shop=shop) == []
    assert watch(7, finding("a"), shop=shop) == ["reminder 1 finding of drift, since 2026-11-01"]
    assert watch(8, finding("a"), shop=shop) == []


def test_what_a_person_calls_false_is_not_told_again_and_counts() -> None:
    (alarm,) = (watch(0, finding("a")), alarms.read(SHOP).open())[1]
    alarms.mark(SHOP, alarm.id[:4], now(), false=True, by_whom=("ann", "a holiday"))

    assert watch(1, finding("a"), finding("b"), finding("c")) == []
    watch(2)
    watch(3, finding("z", rule="volume.rows"), monitor="volume")
    (month,) = alarms.budget(SHOP, project(respond={"most_false": 0}))
    assert (month.month, month.alarms, month.false, month.spent) == ("2026-11", 2, 1, True)
    assert month.by_monitor == {"drift": (1, 1), "volume": (1, 0)}
    with pytest.raises(ConfigError, match="names no one alarm"):
        alarms.mark(SHOP, "", now(), false=True, by_whom=("", ""))


def test_an_outage_loses_nothing_and_the_order_stays() -> None:
    port = receivers.closed_port()
    shop = project(alerts={"hook": {"kind": "webhook", "url": f"http://127.0.0.1:{port}/"}})
    watch(0, finding("a"), shop=shop)
    watch(1, shop=shop)
    watch(2, finding("b"), shop=shop)
    assert [waiting.tries for waiting in alarms.read(SHOP).waiting] == [3, 0, 0]

    with receivers.http(port) as server:
        delivered = alarms.deliver(SHOP, shop, now(2))

    assert [outcome.why for outcome in delivered] == ["", "", ""]
    assert [body["state"] for body in server.bodies()] == ["open", "recovered", "open"]
    assert alarms.read(SHOP).waiting == ()


def test_a_message_that_is_refused_waits_and_those_behind_it_go_on() -> None:
    with receivers.http() as server:
        shop = project(alerts={"hook": {"kind": "webhook", "url": server.url}})
        server.answers = [400, 200]
        watch(0, *(finding(name, cause=name[0]) for name in ("a1", "a2", "b1", "b2")), shop=shop)

        assert len(server.posts) == 1
        (waiting,) = alarms.read(SHOP).waiting
        assert (waiting.tries, waiting.later, "400" in waiting.why) == (1, False, True)
        assert alarms.deliver(SHOP, shop, now())[0].why == ""
    assert alarms.drop(SHOP, "hook", now()) == 0


def test_a_channel_that_is_gone_or_has_no_secret_keeps_its_messages() -> None:
    os.environ.pop("NOT_SET", None)
    shop = project(alerts={"hook": {"kind": "webhook", "url": "${oc.env:NOT_SET}"}})
    watch(0, finding("a"), shop=shop)
    assert "NOT_SET" in alarms.read(SHOP).waiting[0].why
    alarms.deliver(SHOP, project(), now())
    assert "no channel 'hook' any more" in alarms.read(SHOP).waiting[0].why
    assert alarms.drop(SHOP, "hook", now()) == 1
    assert alarms.read(SHOP).waiting == ()


KILLED = """
import os, signal, sys
from datetime import date, datetime, UTC
from mlctl import alarms
from mlctl.alerts import file
from mlctl.workspace import Places
from tests import test_alarms as here

def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)

def sent_and_dead(options, message):
    really(options, message)
    die()

moment = sys.argv[1]
shop = here.project()
found = [alarms.Found("drift", (here.finding("a"),))]
if moment == "before it is written down":
    alarms.journal.add = die
alarms.hear(Places("shop"), shop, found, here.DAY, here.now())
if moment == "before it is sent":
    die()
really = file.send
if moment == "between the delivery and its line":
    file.send = sent_and_dead
alarms.deliver(Places("shop"), shop, here.now())
"""


@pytest.mark.parametrize(
    ("moment", "times"),
    [("before it is written down", 1), ("before it is sent", 1), ("between the delivery and its line", 2)],
)
def test_a_killed_command_loses_no_message(moment: str, times: int) -> None:
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", KILLED, moment], env=environment, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()

    watch(0, finding("a"))

    messages = [json.loads(line)["id"] for line in Path("told.ndjson").read_text().splitlines()]
    assert len(messages) == times
    assert len(set(messages)) == 1


def test_an_act_is_begun_once_for_an_alarm_and_never_by_a_warning_or_a_silenced_or_false_one() -> None:
    shop = project(respond={"act": {"perf*": "retrain", "*": "rollback"}})

    def asked(days: float = 0) -> list[tuple[str, str]]:
        return [(decision.action, decision.verdict) for decision in alarms.decisions(SHOP, shop, now(days))]

    watch(0, finding("a", "warn"), monitor="performance", shop=shop)
    assert asked() == []
    watch(1, finding("a"), monitor="performance", shop=shop)
    assert asked(1) == [("rollback", "act"), ("retrain", "act")]
    back, train = alarms.decisions(SHOP, shop, now(1))
    assert back.command == "mlctl rollback scores shop"
    assert alarms.begun(SHOP, back, now(1))
    assert not alarms.begun(SHOP, back, now(1))
    assert asked(1) == [("rollback", "unfinished"), ("retrain", "act")]
    alarms.ended(SHOP, back, "done", "run 1 is live again", now(1))
    assert asked(2) == [("rollback", "done"), ("retrain", "act")]
    alarms.silence(SHOP, Silence(train.alarms[0], now(5)), now(2))
    assert asked(2) == [("rollback", "done"), ("retrain", "silenced")]
    alarms.mark(SHOP, train.alarms[0], now(2), false=True, by_whom=("ann", ""))
    assert asked(6) == [("rollback", "done"), ("retrain", "false")]


def test_two_alarms_of_one_day_start_an_act_once() -> None:
    shop = project(respond={"act": {"*": "retrain"}})
    alarms.hear(SHOP, shop, [Found("drift", (finding("a"),)), Found("decay", (finding("b", rule="d.x"),))], DAY, now())

    decisions: Sequence[alarms.Decision] = alarms.decisions(SHOP, shop, now())

    assert [(decision.verdict, len(decision.alarms)) for decision in decisions] == [("act", 2)]
    assert alarms.begun(SHOP, decisions[0], now())
    assert {decision.verdict for decision in alarms.decisions(SHOP, shop, now(1))} == {"unfinished"}


def test_a_dry_run_shows_every_channel_and_writes_nothing() -> None:
    shop = project()

    ((name, shown),) = alarms.dry_run(shop, now())

    assert name == "everybody"
    assert "this is a test" in shown
    assert not Path("told.ndjson").exists()
    assert not journal.read(SHOP).alarms
