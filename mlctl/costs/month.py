"""What a month cost: by act, by feature, for a run and for a thousand predictions, against the budget."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from mlctl.costs import ledger
from mlctl.costs.ledger import DATABASE_BYTES, Entry
from mlctl.costs.prices import GIB, money
from mlctl.errors import ConfigError
from mlctl.spec import Project
from mlctl.workspace import Places

_THOUSAND: Final = 1000


@dataclass(frozen=True)
class Line:
    """A line of the table: an act, or a feature.

    Attributes:
        name: Which.
        times: How often.
        cpu_s: Seconds of processors.
        wall_s: Seconds that passed; 0 for a feature.
        written_bytes: Written to disks; 0 for a feature.
        predictions: Scores that were made.
        money: What it cost.
    """

    name: str
    times: int
    cpu_s: float
    wall_s: float
    written_bytes: int
    predictions: int
    money: float


@dataclass(frozen=True)
class Month:
    """What a project cost in one month.

    Attributes:
        project: The project.
        month: Such as `2026-11`.
        currency: Of all money here.
        acts: By act, the dearest first.
        features: By feature, of the acts that compute features, the dearest first.
        stored_bytes: What the project keeps on disk now, and in the database by the last line that says so.
        stored: What keeping that for the whole month costs.
        runs: How many runs there were.
        a_run: What a run cost, with its stages and scores: the median; None without runs.
        predictions: Scores that were made.
        a_thousand: What a thousand predictions cost, everything counted; None without predictions.
        total: All of it, with what is kept.
        budget: What the month may cost, if the project says so.
        forecast: What the whole month will have cost if it goes on so; the total of a month that is over.
    """

    project: str
    month: str
    currency: str
    acts: tuple[Line, ...]
    features: tuple[Line, ...]
    stored_bytes: int
    stored: float
    runs: int
    a_run: float | None
    predictions: int
    a_thousand: float | None
    total: float
    budget: float | None
    forecast: float

    def record(self) -> dict[str, Any]:
        """The month as JSON-ready data."""
        lines = {name: [dict(vars(line)) for line in getattr(self, name)] for name in ("acts", "features")}
        return {"format_version": "1.0", **vars(self), **lines}


def month_of(text: str | None, now: datetime) -> tuple[datetime, datetime]:
    """The half-open stretch of a month such as `2026-11`; None: the present one.

    Raises:
        ConfigError: It is no month.
    """
    try:
        year, month = (int(part) for part in (text or f"{now:%Y-%m}").split("-"))
        first = datetime(year, month, 1, tzinfo=UTC)
    except ValueError as error:
        raise ConfigError.bad_argument(f"--month {text}", "it is no month; write 2026-11") from error
    return first, first + timedelta(days=calendar.monthrange(year, month)[1])


def monthly(places: Places, project: Project, month: str | None, now: datetime) -> Month:
    """What a month cost by the prices of today.

    Args:
        places: The project's paths.
        project: Its `cost:`.
        month: Such as `2026-11`; None: the present one.
        now: The present; it says how much of the month is over.

    Raises:
        ConfigError: It is no month.
    """
    begin, end = month_of(month, now)
    entries, prices = list(ledger.read(places, begin, end)), project.cost
    stored_bytes = _stored(places, entries) if entries else 0
    stored = stored_bytes / GIB * prices.gib_month
    worked = sum(money(prices, entry) for entry in entries)
    predictions = sum(entry.predictions for entry in entries)
    of_runs = _runs(project, entries)
    over = min(max((now - begin) / (end - begin), 1e-9), 1.0)
    return Month(
        project=places.name,
        month=f"{begin:%Y-%m}",
        currency=prices.currency,
        acts=_acts(project, entries),
        features=_features(project, entries),
        stored_bytes=stored_bytes,
        stored=stored,
        runs=len(of_runs),
        a_run=median(of_runs) if of_runs else None,
        predictions=predictions,
        a_thousand=(worked + stored) / predictions * _THOUSAND if predictions else None,
        total=worked + stored,
        budget=prices.budget_month,
        forecast=worked / over + stored,
    )


def budget_facts(places: Places, project: Project, now: datetime) -> dict[str, Any]:
    """What the month of a moment has cost by then, and what it may cost: for the monitor of the budget."""
    found = monthly(places, project, None, now)
    return {name: getattr(found, name) for name in ("month", "currency", "total", "forecast", "budget")}


def _stored(places: Places, entries: Sequence[Entry]) -> int:
    """Bytes on disk now, and in the database when something was last published."""
    published = [int(entry.details[DATABASE_BYTES]) for entry in entries if DATABASE_BYTES in entry.details]
    return ledger.folder_bytes(places.state) + ledger.folder_bytes(places.data) + sum(published[-1:])


def _acts(project: Project, entries: Sequence[Entry]) -> tuple[Line, ...]:
    lines = []
    for act in dict.fromkeys(entry.act for entry in entries):
        own = [entry for entry in entries if entry.act == act]
        lines.append(
            Line(
                name=act,
                times=len(own),
                cpu_s=sum(entry.spent.cpu_s for entry in own),
                wall_s=sum(entry.spent.wall_s for entry in own),
                written_bytes=sum(entry.spent.written_bytes for entry in own),
                predictions=sum(entry.predictions for entry in own),
                money=sum(money(project.cost, entry) for entry in own),
            )
        )
    return _dearest(lines)


def _features(project: Project, entries: Sequence[Entry]) -> tuple[Line, ...]:
    """What each feature took, and its share of the whole act that computed it: reading the tables serves them all."""
    seconds: dict[str, float] = {}
    cost: dict[str, float] = {}
    times: dict[str, int] = {}
    for entry in entries:
        own = entry.details.get("seconds", {}) if entry.act in ("features", "score") else {}
        whole = sum(own.values())
        for name, value in own.items():
            seconds[name] = seconds.get(name, 0.0) + value
            times[name] = times.get(name, 0) + 1
            cost[name] = cost.get(name, 0.0) + (value / whole * money(project.cost, entry) if whole else 0.0)
    return _dearest(Line(name, times[name], value, 0.0, 0, 0, cost[name]) for name, value in seconds.items())


def _runs(project: Project, entries: Sequence[Entry]) -> list[float]:
    """What each run cost, with its stages and scores."""
    cost: dict[str, float] = {}
    for entry in entries:
        if entry.run:
            cost[entry.run] = cost.get(entry.run, 0.0) + money(project.cost, entry)
    return list(cost.values())


def _dearest(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (-line.money, -line.cpu_s, line.name)))
