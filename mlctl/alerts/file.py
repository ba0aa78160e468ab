"""A line of JSON at the end of a file, for any program that reads files.

Use it to keep every message, or where another program carries alarms on. Not where people should see them at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from mlctl.alerts import ChannelOptions, Message
from mlctl.errors import ExternalError
from mlctl.files import append_line


class Options(ChannelOptions):
    """Options of a file."""

    kind: Literal["file"] = Field(default="file", description="file")
    path: str = Field(min_length=1, description="the file, relative to the workspace; it is only ever added to")


EXAMPLE: Final[dict[str, object]] = {"kind": "file", "path": "alerts.ndjson", "at_least": "warn"}


def payload(options: Options, message: Message) -> str:
    """The line, and where it goes."""
    return f"{options.path}: {_line(message)}"


def send(options: Options, message: Message) -> None:
    """Adds the line, and flushes it to the disk.

    Raises:
        ExternalError: The disk refused.
    """
    path = Path(options.path)
    try:
        append_line(path, _line(message))
    except ExternalError as error:
        raise ExternalError.undelivered("file", options.path, error.why, retry=True) from error


def _line(message: Message) -> str:
    return json.dumps({"format_version": "1.0", **message.record()}, sort_keys=True, ensure_ascii=False)
