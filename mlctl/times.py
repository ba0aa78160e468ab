"""Moments and durations as YAML writes them. All moments are aware datetimes in UTC; windows are half-open."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DURATION: Final = re.compile(r"([0-9]{1,5})([hdw])")


def duration(text: str) -> timedelta:
    """The length that a text such as `36h`, `30d` or `2w` says.

    Raises:
        ValueError: The text is something else, or zero.

    >>> duration("2w").days
    14
    """
    match = _DURATION.fullmatch(text)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write a count and a unit, such as 36h, 30d or 2w")
    return int(match[1]) * _UNITS[match[2]]


def moment(value: object) -> datetime:
    """A date or an ISO 8601 moment as a UTC datetime; a date is its first instant, a naive time is refused.

    Raises:
        ValueError: It is not a moment, or it has no time zone.

    >>> moment("2026-11-01").isoformat()
    '2026-11-01T00:00:00+00:00'
    """
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not a moment; write 2026-11-01 or 2026-11-01T06:00:00Z") from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; write it with Z or an offset")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError(f"{value!r} is not a moment; write 2026-11-01 or 2026-11-01T06:00:00Z")


def moment_text(value: datetime) -> str:
    """A UTC moment in the one form that artefacts use; midnight is written as the date alone.

    >>> moment_text(moment("2026-11-01T06:30:00Z"))
    '2026-11-01T06:30:00Z'
    """
    text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return text.removesuffix("T00:00:00Z")


def _checked_duration(text: str) -> str:
    duration(text)
    return text


def _checked_window(text: str) -> str:
    return text if text == "all" else _checked_duration(text)


Duration = Annotated[str, AfterValidator(_checked_duration)]
"""A length of time in YAML, such as `90d`; `duration()` gives the timedelta."""

WindowText = Annotated[str, AfterValidator(_checked_window)]
"""A look-back window in YAML: a duration, or `all` for the whole history."""

Moment = Annotated[datetime, BeforeValidator(moment), PlainSerializer(moment_text)]
"""A moment in YAML, such as `2026-11-01`; an aware datetime in UTC."""
