"""When something is due: five fields as cron writes them, in a time zone.

  minute hour day-of-month month day-of-week

Each is `*`, a number, a list, a range, or steps (`*/15`, `1-5`, `mon,thu`). Days are named of the month or of the week,
not both: cron takes either then, and other schedulers both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_YEARS: Final = 5
"""So far back a due moment is looked for; the 29th of February comes round within that."""


@dataclass(frozen=True)
class Cron:
    """A parsed line: the values of each field in order, and the text that they were read from."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def due_before(self, moment: datetime, zone: str) -> datetime | None:
        """The last moment at or before another one at which it was due, in UTC; None when there was none for years.

        >>> parse("30 2 * * mon").due_before(datetime(2026, 11, 28, tzinfo=UTC), "Europe/Vienna").isoformat()
        '2026-11-23T01:30:00+00:00'
        """
        place = ZoneInfo(zone)
        day = moment.astimezone(place).date()
        for _ in range(_YEARS * 366):
            if self._on(day.day, day.month, day.isoweekday() % 7):
                for hour in reversed(self.hours):
                    for minute in reversed(self.minutes):
                        due = datetime.combine(day, time(hour, minute), place).astimezone(UTC)
                        if due <= moment:
                            return due
            day -= timedelta(days=1)
        return None

    def on_calendar(self, zone: str) -> str:
        """The same as systemd writes it.

        >>> parse("0,30 2 1 */6 *").on_calendar("Europe/Vienna")
        '*-01,07-01 02:00,30:00 Europe/Vienna'
        >>> parse("5 4 * * sun").on_calendar("UTC")
        'Sun *-*-* 04:05:00 UTC'
        """
        week = ",".join(_DAYS[day].capitalize() for day in self.weekdays)
        date = f"*-{_listed(self.months, 12)}-{_listed(self.days, 31)}"
        clock = f"{_listed(self.hours, 24)}:{_listed(self.minutes, 60)}:00"
        return " ".join([*([week] if len(self.weekdays) < 7 else []), date, clock, zone])

    def _on(self, day: int, month: int, weekday: int) -> bool:
        return day in self.days and month in self.months and weekday in self.weekdays


def parse(text: str) -> Cron:
    """What a line of cron says.

    Raises:
        ValueError: It is none, or names days both of the month and of the week.
    """
    words = text.lower().split()
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"{text!r} is not minute, hour, day of the month, month and day of the week, such as 0 2 * * *"
        )
    if "*" not in (words[2], words[4]):
        raise ValueError(f"{text!r} names days of the month and of the week; schedulers differ in what that means")
    fields = [_values(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    fields[4] = tuple(sorted({day % 7 for day in fields[4]}))
    return Cron(text, *fields)


def _values(text: str, field: str, low: int, high: int, names: tuple[str, ...]) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            every = int(step) if step else 1
            start = low if first == "*" else _number(first, low, names)
            end = high if first == "*" or (step and not last) else _number(last or first, low, names)
        except ValueError as error:
            raise ValueError(f"{part!r} is no {field}") from error
        if not low <= start <= end <= high or every < 1 or (step and first != "*" and not last):
            raise ValueError(f"{part!r} is no {field}: it lies between {low} and {high}")
        found |= set(range(start, end + 1, every))
    return tuple(sorted(found))


def _number(word: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(word) + low if word in names else int(word)


def _listed(values: tuple[int, ...], most: int) -> str:
    return "*" if len(values) == most else ",".join(f"{value:02d}" for value in values)


def _checked(text: str) -> str:
    parse(text)
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is no time zone, such as Europe/Vienna or UTC") from error
    return text


CronText = Annotated[str, AfterValidator(_checked)]
"""Five fields of cron in YAML; `parse` reads them."""
Zone = Annotated[str, AfterValidator(_zone)]
"""A time zone of the IANA database in YAML."""
