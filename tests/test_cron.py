"""When something is due: worked out by hand, over both changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlctl.cron import parse
from mlctl.errors import ConfigError
from mlctl.timetables.github import in_utc


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "now", "due"),
    [
        ("0 2 * * *", "2026-11-28T00:59", "2026-11-27T01:00"),
        ("0 2 * * *", "2026-11-28T01:00", "2026-11-28T01:00"),
        ("0 2 * * *", "2026-07-01T00:30", "2026-07-01T00:00"),
        ("*/20 6-7 * * 1-5", "2026-11-28T12:00", "2026-11-27T06:40"),
        ("15 0 1 jan,jul *", "2026-11-28T12:00", "2026-06-30T22:15"),
        ("0 0 29 2 *", "2026-11-28T12:00", "2024-02-28T23:00"),
        ("0 12 * * 7", "2026-11-28T12:00", "2026-11-22T11:00"),
    ],
)
def test_the_last_moment_at_which_it_was_due_in_vienna(line: str, now: str, due: str) -> None:
    assert parse(line).due_before(at(now), "Europe/Vienna") == at(due)


def test_what_was_never_due_is_not_found() -> None:
    assert parse("0 0 30 2 *").due_before(at("2026-11-28"), "UTC") is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 2 * *", "is not minute, hour"),
        ("60 2 * * *", "'60' is no minute"),
        ("0 2 1 * mon", "days of the month and of the week"),
        ("0 2 * * fun", "'fun' is no day of the week"),
        ("*/0 2 * * *", "is no minute"),
        ("5/2 2 * * *", "is no minute"),
    ],
)
def test_what_is_no_line_of_cron_is_refused(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(line)


def test_githubs_lines_are_in_utc_and_move_the_day_of_the_week() -> None:
    assert in_utc(parse("0 2 * * *"), timedelta(hours=1)) == ["0 1 * * *"]
    assert in_utc(parse("30 0,12 * * mon"), timedelta(hours=2)) == ["30 22 * * 0", "30 10 * * mon"]
    with pytest.raises(ConfigError, match="cannot be followed"):
        in_utc(parse("0 1 1 * *"), timedelta(hours=2))
