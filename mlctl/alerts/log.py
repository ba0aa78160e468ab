"""A line on stderr, which whoever runs the command keeps: the journal, the scheduler's log, cron's mail.

Use it always, as the last resort. Not alone: nobody is woken by a log.
"""

from __future__ import annotations

import sys
from typing import Final, Literal

from pydantic import Field

from mlctl.alerts import ChannelOptions, Message
from mlctl.errors import ExternalError


class Options(ChannelOptions):
    """Options of a log."""

    kind: Literal["log"] = Field(default="log", description="log")


EXAMPLE: Final[dict[str, object]] = {"kind": "log", "at_least": "warn"}
_SHOWN: Final = 3
"""Findings that stand in the line."""


def payload(options: Options, message: Message) -> str:
    """The one line."""
    more = "; ".join(message.lines[:_SHOWN])
    text = f"{message.subject()} | {more} | alarm {message.alarm}"
    return "".join(character if character.isprintable() else " " for character in text)


def send(options: Options, message: Message) -> None:
    """Writes the line.

    Raises:
        ExternalError: Nobody reads stderr any more.
    """
    try:
        sys.stderr.write(f"{payload(options, message)}\n")
        sys.stderr.flush()
    except (OSError, ValueError) as error:
        raise ExternalError.undelivered("log", "stderr", str(error), retry=True) from error
