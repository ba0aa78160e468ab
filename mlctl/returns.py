"""What a project brings: what acting changed, measured against those who are never acted upon, times its worth.

Everybody counts once, at the first moment at which the model would have had somebody act (`decide.above`): the share
with label 1 among those who were acted upon, and among those who would have been and are held out. The difference of
both is what acting did; its 95 % interval is Newcombe's (1998, method 10, from Wilson's intervals). Nothing else is
compared: who got another decision differs from these in all that the model sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl import costs, outcomes
from mlctl.costs import ledger
from mlctl.errors import ConfigError, Fault
from mlctl.judging.curves import wilson
from mlctl.outcomes import LABEL
from mlctl.plan import AS_OF
from mlctl.scoring import predictions
from mlctl.scoring.holdout import REASON
from mlctl.spec import Project
from mlctl.stages.features import checked_tables
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

FEW: Final = 30
"""With fewer entities of a group nothing is told of the difference."""


@dataclass(frozen=True)
class Group:
    """Entities that were acted upon, or held out, whose label is known: how many, and how many have label 1."""

    entities: int
    positive: int

    @property
    def share(self) -> float:
        """The share with label 1."""
        return self.positive / self.entities if self.entities else float("nan")


@dataclass(frozen=True)
class Returns:
    """What acting brought.

    Attributes:
        project: The project.
        currency: Of all money here.
        since: The first moment that counts; None: all of them.
        acted: Those who were acted upon.
        held: Those who would have been.
        waiting: Entities of both groups whose label is not known yet.
        uplift: How much smaller the share with label 1 is among those acted upon; None with too few of either.
        low: The lower end of its 95 % interval.
        high: The upper end.
        brought: Money: labels that acting avoided times `cost.avoided`, less `cost.action` for each; with its ends.
        spent: What the project's work cost, by the ledger.
        roi: (brought - spent) / (spent + actions): what each unit of money came back as; None without an uplift.
    """

    project: str
    currency: str
    since: datetime | None
    acted: Group
    held: Group
    waiting: int
    uplift: float | None
    low: float | None
    high: float | None
    brought: tuple[float, float, float] | None
    spent: float
    roi: float | None

    def record(self) -> dict[str, Any]:
        """The returns as JSON-ready data."""
        groups = {name: {**vars(group), "share": group.share if group.entities else None}
                  for name, group in (("acted", self.acted), ("held", self.held))}  # fmt: skip
        since = None if self.since is None else moment_text(self.since)
        return {"format_version": "1.0", **vars(self), **groups, "since": since}


def returns(places: Places, project: Project, since: datetime | None, now: datetime) -> Returns:
    """What acting brought, of everybody whose label is known by now.

    Raises:
        ConfigError: Nobody is held out, or the label is not binary.
        IntegrityError: The snapshot or the checked tables are missing.
        DataError: The label cannot be computed.
    """
    if project.label.task != "binary" or not project.cost.holdout_share:
        what = "acting is measured on a binary label" if project.label.task != "binary" else "nobody is held out"
        raise ConfigError.of_project(
            places.name, [Fault("cost.holdout_share", what, hint="cost: {holdout_share: 0.05}, then score")]
        )
    taken, tables = checked_tables(places, project)
    return measured(places, project, since, tables, min(now, taken))


def measured(
    places: Places, project: Project, since: datetime | None, tables: Mapping[str, pl.DataFrame], until: datetime
) -> Returns:
    """As `returns`, by tables that tell the labels.

    Raises:
        DataError: The label cannot be computed.
    """
    kept = predictions.read(places, project.entity.key, since, until)
    joined = outcomes.joined(project, _first(project, kept), tables, until)
    acted, held = (_group(joined.filter(joined["held"] == is_held)) for is_held in (False, True))
    spent = sum(costs.money(project.cost, entry) for entry in ledger.read(places, since))
    told = (places.name, project.cost.currency, since, acted, held, int(joined[LABEL].is_null().sum()))
    if min(acted.entities, held.entities) < FEW:
        return Returns(*told, uplift=None, low=None, high=None, brought=None, spent=spent, roi=None)
    uplift, low, high = difference(held, acted)
    brought, worst, best = (_brought(project, acted.entities, value) for value in (uplift, low, high))
    invested = spent + acted.entities * project.cost.action
    roi = (brought - spent) / invested if invested else None
    return Returns(*told, uplift, low, high, (brought, worst, best), spent, roi)


def difference(one: Group, other: Group) -> tuple[float, float, float]:
    """The share of one group less that of the other, with its 95 % interval.

    >>> [round(value, 4) for value in difference(Group(70, 56), Group(80, 48))]
    [0.2, 0.0524, 0.3339]
    """
    (a, low_a, high_a), (b, low_b, high_b) = (
        (group.share, *wilson(group.share, group.entities)) for group in (one, other)
    )
    middle = a - b
    return (
        middle,
        middle - ((a - low_a) ** 2 + (high_b - b) ** 2) ** 0.5,
        middle + ((high_a - a) ** 2 + (b - low_b) ** 2) ** 0.5,
    )


def _first(project: Project, kept: pl.DataFrame) -> pl.DataFrame:
    """Everybody at the first moment at which the model would have had somebody act, and whether nobody did."""
    import polars as pl

    above = project.decide.above
    wanted = kept.filter((pl.col("decision") == above) | (pl.col("reason") == f"{REASON}{above}"))
    first = wanted.sort(AS_OF).unique(project.entity.key, keep="first", maintain_order=True)
    return first.with_columns(pl.col("reason").str.starts_with(REASON).fill_null(False).alias("held"))


def _group(rows: pl.DataFrame) -> Group:
    known = rows[LABEL].drop_nulls()
    return Group(len(known), int(known.sum()))


def _brought(project: Project, acted: int, uplift: float) -> float:
    return acted * (uplift * project.cost.avoided - project.cost.action)
