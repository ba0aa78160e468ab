"""An alert channel is a function from findings to a delivery.

Findings come as a `Message`: those of one cause together, with what to do about them. A kind says how a message looks
there (`payload`, which touches nothing and shows no secret: that is the dry run) and delivers it (`send`). What is
decided around it (who is told what, once, and again after an outage) is no matter of the kind: `mlctl/alarms/`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, Field

from mlctl.environment import from_environment
from mlctl.kinds import Record
from mlctl.times import moment, moment_text

Level = Literal["warn", "alarm"]
"""How bad it is: something to look at in daytime, or something that somebody should be woken for."""
State = Literal["open", "worse", "reminder", "recovered", "test"]
"""What a message tells of its alarm."""
_WORDS: Final[dict[State, str]] = {
    "open": "ALARM",
    "worse": "WORSE",
    "reminder": "STILL OPEN",
    "recovered": "RECOVERED",
    "test": "TEST",
}


class ChannelOptions(Record):
    """What every channel says, whatever its kind."""

    kind: str = Field(description="the channel: mlctl explain alerts")
    at_least: Level = Field(
        default="alarm",
        description="what is told here: alarm (what somebody should act on), or warn (all of it)",
    )


@dataclass(frozen=True)
class Message:
    """What people are told.

    Attributes:
        id: The same message always has the same one, so that whoever gets it twice can tell.
        alarm: The alarm that it is about; its first message and its recovery name the same.
        project: The project.
        state: What is told of the alarm.
        severity: How bad it is.
        cause: What the findings have in common.
        title: All of it in a few words.
        lines: The findings, one each, and what may be behind them.
        runbook: What to do, as the project's YAML says it; may be empty.
        at: When the alarm came to be in this state.
    """

    id: str
    alarm: str
    project: str
    state: State
    severity: Level
    cause: str
    title: str
    lines: tuple[str, ...]
    runbook: str
    at: datetime

    def subject(self) -> str:
        """One line; a line break or control character that came from data is a space in it."""
        word = "WARNING" if self.state == "open" and self.severity == "warn" else _WORDS[self.state]
        text = f"[{word}] {self.project}: {self.title}"
        return "".join(character if character.isprintable() else " " for character in text)

    def text(self) -> str:
        """Everything, as plain text."""
        parts = [self.subject(), "", *self.lines]
        if self.runbook and self.state != "recovered":
            parts += ["", "What to do:", self.runbook.strip()]
        return "\n".join([*parts, "", f"alarm {self.alarm}, {self.cause}, {moment_text(self.at)}", ""])

    def record(self) -> dict[str, Any]:
        """The message as JSON-ready data."""
        return {**asdict(self), "lines": list(self.lines), "at": moment_text(self.at)}


def message_of(record: dict[str, Any]) -> Message:
    """The message that a record of it says."""
    return Message(**{**record, "lines": tuple(record["lines"]), "at": moment(record["at"])})


class Channel(Protocol):
    """The functions of a channel's kind (the module itself satisfies this)."""

    Options: type[ChannelOptions]
    EXAMPLE: dict[str, object]

    def payload(self, options: Any, message: Message) -> str:
        """What would be delivered and where to, with every secret left as the reference that the YAML holds."""
        ...

    def send(self, options: Any, message: Message) -> None:
        """Delivers the message.

        Args:
            options: With the secrets filled in (`with_secrets`).
            message: The message.

        Raises:
            ExternalError: It was not delivered; `retry` says whether the same may be taken later.
        """
        ...


def with_secrets(name: str, options: ChannelOptions) -> Any:
    """The options of a channel with every `${oc.env:NAME}` filled in.

    Raises:
        ConfigError: A variable is not set.
    """
    return _filled(options, f"alerts.{name}")


def _filled(value: Any, key: str) -> Any:
    if isinstance(value, BaseModel):
        names = type(value).model_fields
        return value.model_copy(update={name: _filled(getattr(value, name), f"{key}.{name}") for name in names})
    if isinstance(value, dict):
        return {name: _filled(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_filled(item, key) for item in value)
    return from_environment(value, key) if isinstance(value, str) else value


def example(state: State = "test", now: datetime | None = None) -> Message:
    """A message for trying a channel out.

    >>> example(now=moment("2026-11-01")).subject()
    '[TEST] example: this is a test, nothing is wrong'
    """
    at = now or moment("2026-01-01")
    made = Message(
        id=f"test-{at:%Y%m%dT%H%M%S}",
        alarm="test",
        project="example",
        state=state,
        severity="alarm",
        cause="test",
        title="this is a test, nothing is wrong",
        lines=("Whoever reads this would be told of an alarm.",),
        runbook="Nothing.",
        at=at,
    )
    return replace(made, state=state)
