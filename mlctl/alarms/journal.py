"""The journal of a project's alarms, and what its lines add up to: the book.

A line is an event: `heard` (what a watch changed, and the messages about it), `delivered`, `failed` or `dropped` (a
message on a channel), `silenced`, `marked`, `begun` and `ended` (what an alarm started).
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from mlctl.alerts import Level, Message, message_of
from mlctl.errors import ConfigError, listed
from mlctl.files import append_line, lock, read_lines
from mlctl.times import moment, moment_text
from mlctl.workspace import Places


@dataclass(frozen=True)
class Alarm:
    """A cause with its findings, open until they are gone.

    Attributes:
        id: Eight hexadecimal digits.
        cause: What the findings have in common, for people.
        severity: The gravest of its findings'.
        monitors: Who found them.
        findings: The findings now, a sentence each, by what they are about (`rule where`).
        opened_at: When it was first found.
        day: The watched day on which it was first found.
        runbook: What to do.
        quiet: Watched days since it was last found.
        open: False once it has recovered.
        told: The channels that were told of it.
        told_at: When somebody was last told.
        told_findings: How many findings it had then.
        messages: How many messages there were about it.
        verdict: What people said of it: `false`, `true` or nothing yet.
        acted: What it started, by action: `begun`, `done`, `failed` or `refused`.
    """

    id: str
    cause: str
    severity: Level
    monitors: tuple[str, ...]
    findings: Mapping[str, str]
    opened_at: datetime
    day: date
    runbook: str = ""
    quiet: int = 0
    open: bool = True
    told: tuple[str, ...] = ()
    told_at: datetime | None = None
    told_findings: int = 0
    messages: int = 0
    verdict: str = ""
    acted: Mapping[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The alarm as JSON-ready data."""
        told_at = None if self.told_at is None else moment_text(self.told_at)
        return {
            **vars(self),
            "monitors": list(self.monitors),
            "told": list(self.told),
            "opened_at": moment_text(self.opened_at),
            "told_at": told_at,
            "day": str(self.day),
        }


@dataclass(frozen=True)
class Silence:
    """Alarms that nobody is told of for a while: those whose id, cause or monitor the pattern matches."""

    pattern: str
    until: datetime
    by: str = ""
    because: str = ""

    def covers(self, alarm: Alarm, now: datetime) -> bool:
        """Whether it holds for an alarm now."""
        names = (alarm.id, alarm.cause, *alarm.monitors)
        return now < self.until and any(fnmatch.fnmatchcase(name, self.pattern) for name in names)


@dataclass(frozen=True)
class Waiting:
    """A message that a channel has not taken yet.

    Attributes:
        message: The message.
        channel: The channel's name in the project's YAML.
        tries: How often it was tried.
        why: What the channel said last.
        later: Whether it was said that the same may work later.
    """

    message: Message
    channel: str
    tries: int = 0
    why: str = ""
    later: bool = True


@dataclass(frozen=True)
class Book:
    """What the journal adds up to.

    Attributes:
        alarms: Every alarm there ever was, by id, in the order in which they came.
        waiting: What is still to be delivered, the oldest first.
        silences: Those that were asked for, the newest of each pattern.
        watched: The last day that was watched; None before the first.
    """

    alarms: Mapping[str, Alarm]
    waiting: tuple[Waiting, ...]
    silences: tuple[Silence, ...]
    watched: date | None

    def open(self) -> list[Alarm]:
        """The alarms that are open."""
        return [alarm for alarm in self.alarms.values() if alarm.open]

    def silenced(self, alarm: Alarm, now: datetime) -> Silence | None:
        """The silence that holds for an alarm now."""
        return next((silence for silence in self.silences if silence.covers(alarm, now)), None)

    def named(self, text: str) -> Alarm:
        """The alarm whose id begins so.

        Raises:
            ConfigError: There is none, or more than one.
        """
        found = [alarm for identity, alarm in self.alarms.items() if text and identity.startswith(text)]
        if len(found) != 1:
            known = listed([f"{alarm.id} ({alarm.cause})" for alarm in list(self.alarms.values())[-5:]]) or "none yet"
            raise ConfigError.bad_argument(text, f"it names no one alarm; the last ones: {known}")
        return found[0]


@contextmanager
def writing(places: Places) -> Iterator[None]:
    """Holds the journal: one command at a time decides and sends.

    Raises:
        ConflictError: Another command holds it.
    """
    with lock(places.alerts / "lock", f"the alarms of projects/{places.name}", wait_s=5.0):
        yield


def read(places: Places) -> Book:
    """The book of a project; an empty one where nothing was ever watched."""
    alarms: dict[str, Alarm] = {}
    waiting: dict[tuple[str, str], Waiting] = {}
    silences: dict[str, Silence] = {}
    watched: date | None = None
    for event in read_lines(places.alerts / "journal.ndjson"):
        kind = event.get("event")
        if kind == "heard":
            watched = date.fromisoformat(event["day"])
            alarms |= {record["id"]: _alarm(record) for record in event["alarms"]}
            for told in event["messages"]:
                message = message_of(told["message"])
                waiting |= {(message.id, channel): Waiting(message, channel) for channel in told["channels"]}
        elif kind in ("delivered", "dropped"):
            waiting.pop((event["message"], event["channel"]), None)
        elif kind == "failed":
            key = (event["message"], event["channel"])
            if key in waiting:
                tries = waiting[key].tries + 1
                waiting[key] = replace(waiting[key], tries=tries, why=event["why"], later=event["later"])
        elif kind == "silenced":
            silences[event["pattern"]] = Silence(
                event["pattern"], moment(event["until"]), event["by"], event["because"]
            )
        elif kind == "marked":
            alarms[event["alarm"]] = replace(alarms[event["alarm"]], verdict=event["verdict"])
        elif kind in ("begun", "ended"):
            for alarm in (alarms[identity] for identity in event["alarms"]):
                alarms[alarm.id] = replace(alarm, acted={**alarm.acted, event["action"]: event.get("outcome", "begun")})
    return Book(alarms, tuple(waiting.values()), tuple(silences.values()), watched)


def _alarm(record: Mapping[str, Any]) -> Alarm:
    told_at = record["told_at"]
    changed = {
        "monitors": tuple(record["monitors"]),
        "told": tuple(record["told"]),
        "opened_at": moment(record["opened_at"]),
        "told_at": None if told_at is None else moment(told_at),
        "day": date.fromisoformat(record["day"]),
    }
    return Alarm(**{**record, **changed})


def add(places: Places, event: str, now: datetime, **told: Any) -> None:
    """Adds an event.

    Raises:
        ExternalError: The disk refused.
    """
    line = {"event": event, "at": moment_text(now), **told}
    append_line(places.alerts / "journal.ndjson", json.dumps(line, sort_keys=True, ensure_ascii=False))


def silence(places: Places, asked: Silence, now: datetime) -> list[Alarm]:
    """Nobody is told of the alarms that a pattern matches until a moment; a moment that has passed ends a silence.

    Returns:
        The open alarms that it covers now.

    Raises:
        ConflictError: Another command holds the journal.
    """
    with writing(places):
        told = {"pattern": asked.pattern, "by": asked.by, "because": asked.because}
        add(places, "silenced", now, until=moment_text(asked.until), **told)
        return [alarm for alarm in read(places).open() if asked.covers(alarm, now)]


def mark(places: Places, text: str, now: datetime, *, false: bool, by_whom: tuple[str, str]) -> Alarm:
    """Writes down whether an alarm was a false one; what was said before is written over.

    Args:
        places: The project's paths.
        text: The alarm's id, or its beginning.
        now: When it is said.
        false: Whether it was a false one.
        by_whom: Who says so, and why.

    Raises:
        ConfigError: There is no such alarm.
        ConflictError: Another command holds the journal.
    """
    with writing(places):
        alarm = read(places).named(text)
        by, because = by_whom
        verdict = "false" if false else "true"
        add(places, "marked", now, alarm=alarm.id, verdict=verdict, by=by, because=because)
        return read(places).named(alarm.id)


def drop(places: Places, channel: str, now: datetime) -> int:
    """Gives up what a channel has not taken; how many messages that were.

    Raises:
        ConflictError: Another command holds the journal.
    """
    with writing(places):
        found = [waiting for waiting in read(places).waiting if waiting.channel == channel]
        for waiting in found:
            add(places, "dropped", now, message=waiting.message.id, channel=channel)
        return len(found)
