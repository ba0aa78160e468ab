"""What another cadence would cost: what one refresh takes, as often as it would be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Final

from mlctl.costs import ledger
from mlctl.costs.ledger import Entry
from mlctl.costs.prices import money
from mlctl.errors import ConfigError, DataError
from mlctl.spec import Project
from mlctl.times import duration
from mlctl.workspace import Places

_MONTH: Final = timedelta(days=365.25 / 12)
_LADDER: Final = ("1h", "3h", "6h", "12h", "1d", "2d", "1w", "4w")
"""Cadences that are shown beside the one that is asked for."""


@dataclass(frozen=True)
class Cadence:
    """One cadence.

    Attributes:
        every: Such as `6h`.
        times: Refreshes in an average month.
        money: What they cost a month.
        within: Whether the month's budget holds them; None without a budget.
        busy_share: Share of the time in which a refresh is under way; above 1 the next begins before one has ended.
    """

    every: str
    times: float
    money: float
    within: bool | None
    busy_share: float


@dataclass(frozen=True)
class WhatIf:
    """What refreshes cost at other cadences.

    Attributes:
        project: The project.
        currency: Of all money here.
        a_refresh: What one refresh cost: the median of those measured.
        cheapest: The least that one cost.
        dearest: The most that one cost.
        measured: How many refreshes that did work were measured.
        wall_s: How long one takes: the median.
        cadences: The one that the project says, the one that was asked for, and others between them.
        now: The cadence that the project says.
        asked: The cadence that was asked for.
    """

    project: str
    currency: str
    a_refresh: float
    cheapest: float
    dearest: float
    measured: int
    wall_s: float
    cadences: tuple[Cadence, ...]
    now: str
    asked: str

    def record(self) -> dict[str, Any]:
        """The answer as JSON-ready data."""
        return {"format_version": "1.0", **vars(self), "cadences": [dict(vars(one)) for one in self.cadences]}


def what_if(places: Places, project: Project, text: str) -> WhatIf:
    """What the project would cost a month if it were refreshed as often as `every=6h` says.

    A refresh is a run whose features were computed anew; runs that found nothing to do cost next to nothing and say
    nothing about other cadences. What serving costs does not depend on it and is left out.

    Args:
        places: The project's paths.
        project: Its `cost:`.
        text: `every=DURATION`.

    Raises:
        ConfigError: It says something else.
        DataError: No refresh has been measured yet.
    """
    key, sign, every = text.partition("=")
    try:
        duration(every)
    except ValueError as error:
        raise ConfigError.bad_argument(f"--what-if {text}", str(error), "mlctl cost --what-if every=6h") from error
    if key != "every" or not sign:
        raise ConfigError.bad_argument(f"--what-if {text}", "what can be asked for: every=6h")
    refreshes = _refreshes(list(ledger.read(places)))
    if not refreshes:
        raise DataError.no_rows(
            "the ledger", "no run has computed features here yet", f"mlctl run projects/{places.name}"
        )
    costs = [sum(money(project.cost, entry) for entry in own) for own in refreshes]
    wall_s = median(sum(entry.spent.wall_s for entry in own if entry.act != "run") for own in refreshes)
    shown = sorted({*_LADDER, project.cost.every, every}, key=duration)
    return WhatIf(
        project=places.name,
        currency=project.cost.currency,
        a_refresh=median(costs),
        cheapest=min(costs),
        dearest=max(costs),
        measured=len(costs),
        wall_s=wall_s,
        cadences=tuple(_cadence(project, one, median(costs), wall_s) for one in shown),
        now=project.cost.every,
        asked=every,
    )


def _refreshes(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The lines of each run that computed features, failed ones left out."""
    by_run: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.run:
            by_run.setdefault(entry.run, []).append(entry)
    return [
        own
        for own in by_run.values()
        if any(entry.act == "features" for entry in own) and all(entry.outcome != "failed" for entry in own)
    ]


def _cadence(project: Project, every: str, a_refresh: float, wall_s: float) -> Cadence:
    times = _MONTH / duration(every)
    budget = project.cost.budget_month
    within = None if budget is None else times * a_refresh <= budget
    return Cadence(every, times, times * a_refresh, within, wall_s / duration(every).total_seconds())
