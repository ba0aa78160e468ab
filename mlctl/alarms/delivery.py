"""From messages that wait to deliveries: retried, in order, and never lost.

Each channel gets its messages in the order in which they were written. A channel that does not answer is tried a few
times and then left alone until the next command; one that refuses a message (a wrong address, a wrong key) keeps the
message and gets the ones behind it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from mlctl import kinds
from mlctl.alarms import journal
from mlctl.alarms.journal import Waiting
from mlctl.alerts import Message, example, with_secrets
from mlctl.errors import ConfigError, ExternalError
from mlctl.spec import Project
from mlctl.workspace import Places

TRIES: Final = 3
PAUSE_S: Final = 0.2
"""Before the second try, and twice as long before the third: a broken connection, not an outage, is bridged."""


@dataclass(frozen=True)
class Delivered:
    """What became of one message on one channel.

    Attributes:
        channel: The channel.
        message: The message.
        why: Why it still waits; empty when it was delivered.
    """

    channel: str
    message: Message
    why: str = ""

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        told = {"channel": self.channel, "message": self.message.id, "subject": self.message.subject()}
        return {**told, "delivered": not self.why, "why": self.why}


def deliver(places: Places, project: Project, now: datetime) -> list[Delivered]:
    """Sends what waits. A channel's failure is an outcome and no error: the work that found the alarm goes on.

    Raises:
        ConflictError: Another command sends.
        ExternalError: The disk refused; nothing is lost.
    """
    outcomes: list[Delivered] = []
    with journal.writing(places):
        away: dict[str, str] = {}
        for waiting in journal.read(places).waiting:
            if waiting.channel in away:
                outcomes.append(Delivered(waiting.channel, waiting.message, away[waiting.channel]))
                continue
            failure = _sent(project, waiting)
            named = {"message": waiting.message.id, "channel": waiting.channel}
            if failure is None:
                journal.add(places, "delivered", now, **named)
                outcomes.append(Delivered(waiting.channel, waiting.message))
                continue
            why, later = failure
            journal.add(places, "failed", now, why=why, later=later, **named)
            outcomes.append(Delivered(waiting.channel, waiting.message, why))
            if later:
                away[waiting.channel] = why
    return outcomes


def _sent(project: Project, waiting: Waiting) -> tuple[str, bool] | None:
    """None when the channel took it; else why not, and whether the same may work later."""
    options = project.alerts.get(waiting.channel)
    if options is None:
        return f"alerts: has no channel {waiting.channel!r} any more", False
    channel = kinds.load("alerts", options.kind)
    for attempt in range(TRIES):
        try:
            channel.send(with_secrets(waiting.channel, options), waiting.message)
        except ExternalError as error:
            if not error.retry or attempt + 1 == TRIES:
                return f"{error.where}: {error.why}", error.retry
            time.sleep(PAUSE_S * 2**attempt)
        except ConfigError as error:
            return error.what, False
        else:
            return None
    raise AssertionError("the last try returns")


def dry_run(project: Project, now: datetime) -> list[tuple[str, str]]:
    """What each channel would deliver of a test message; nothing leaves this process."""
    message = replace(example(now=now), project=project.name)
    return [
        (name, kinds.load("alerts", options.kind).payload(options, message)) for name, options in project.alerts.items()
    ]


def try_out(project: Project, names: Sequence[str], now: datetime) -> list[Delivered]:
    """Sends a test message, without the journal: what is not delivered does not wait.

    Raises:
        ConfigError: There is no such channel.
    """
    message = replace(example(now=now), project=project.name)
    for name in names:
        if name not in project.alerts:
            raise ConfigError.unknown_key(f"alerts.{name}", [f"alerts.{known}" for known in project.alerts])
    outcomes = []
    for name in names or project.alerts:
        failure = _sent(project, Waiting(message, name))
        outcomes.append(Delivered(name, message, failure[0] if failure else ""))
    return outcomes
