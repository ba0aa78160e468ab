"""The project as one frozen, fully typed record. `validation.read` makes it from YAML, or tells every fault.

Sections, in the order the data flows: name about owner entity, sources, checks, features, items, label, split, model,
metrics, cohorts, gate, serving, decide, rollout, monitors, baseline, alerts, respond, refresh,
schedule, probes, database, cost.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from mlctl.kinds import Record
from mlctl.spec.costing import Cost
from mlctl.spec.deciding import Decide, Worth
from mlctl.spec.gate_rules import Rule
from mlctl.spec.indexing import Decay, Index
from mlctl.spec.learning import (
    INTERACTIONS,
    EncodingPolicy,
    Entity,
    Label,
    Probes,
    ProbeSeverity,
    Split,
    Task,
    Tune,
    label_options,
)
from mlctl.spec.places import NAME, Database, Refresh, holds_password
from mlctl.spec.recommending import Items, States
from mlctl.spec.responding import Action, Respond
from mlctl.spec.rolling import Guards, RolloutPolicy
from mlctl.spec.scheduling import Schedule
from mlctl.spec.watching import Baseline
from mlctl.times import duration

__all__ = [
    "AROUND",
    "INTERACTIONS",
    "KIND_SECTIONS",
    "NAME",
    "OF_RANKING",
    "ONE_KIND",
    "Action",
    "Baseline",
    "Cost",
    "Database",
    "Decay",
    "Decide",
    "EncodingPolicy",
    "Entity",
    "Guards",
    "Index",
    "Items",
    "Label",
    "ProbeSeverity",
    "Probes",
    "Project",
    "Refresh",
    "Respond",
    "RolloutPolicy",
    "Schedule",
    "Split",
    "States",
    "Task",
    "Tune",
    "Worth",
    "holds_password",
    "label_options",
]

ONE_KIND: Final = {"model": "models", "serving": "serving", "engine": "engines"}
"""Sections that are of one kind, and their seam."""
KIND_SECTIONS: Final = {name: name for name in ("sources", "checks", "features", "metrics", "monitors", "alerts")}
"""Sections that hold named entries of kinds, and their seam."""
OF_RANKING: Final = {"model": "recommenders", "metrics": "rankings"}
"""Sections whose kinds are of another seam where items are ranked."""
AROUND: Final = ("database", "refresh", "schedule", "rollout", "monitors", "alerts", "respond", "cost")
"""Sections that say nothing about what scores: the same release serves any database and anybody."""


class Project(Record):
    """One project, whole and valid.

    Sections that are made of kinds hold each kind's own `Options` record.
    """

    name: str = Field(description="the project's name, its folder's name")
    about: str = Field(default="", description="what it decides, for people")
    owner: str = Field(default="", description="who answers for it")
    entity: Entity = Field(description="whom it decides about")
    sources: dict[str, Any] = Field(description="where the data comes from, by name")
    checks: dict[str, Any] = Field(default_factory=dict, description="what the data must hold, by name")
    features: dict[str, Any] = Field(default_factory=dict, description="what the model sees, by name")
    items: Items | None = Field(default=None, description="what is recommended, where the label is interactions")
    index: Index | None = Field(default=None, description="how the vectors of items are searched: mlctl index")
    label: Label = Field(description="what is to be foretold")
    split: Split = Field(default_factory=Split, description="which rows teach and which judge")
    encoding: EncodingPolicy = Field(
        default_factory=EncodingPolicy, description="how features become the columns that a model takes"
    )
    model: Any = Field(description="what learns")
    tune: Tune = Field(default_factory=Tune, description="how better options of the model are looked for")
    metrics: dict[str, Any] = Field(description="how it is judged, by name")
    cohorts: dict[str, str] = Field(
        default_factory=dict, description="groups judged by themselves: SQL conditions over features"
    )
    gate: dict[str, Rule] = Field(description="what a release must fulfil, by name")
    serving: Any = Field(description="how decisions reach their users")
    decide: Decide = Field(default_factory=Decide, description="from a score to a decision")
    rollout: RolloutPolicy = Field(
        default_factory=RolloutPolicy, description="how a challenger is tried, and comes to everybody"
    )
    monitors: dict[str, Any] = Field(default_factory=dict, description="what is watched every day, by name")
    baseline: Baseline = Field(default_factory=Baseline, description="what monitors hold a day against")
    alerts: dict[str, Any] = Field(default_factory=dict, description="who is told of alarms, by name")
    respond: Respond = Field(default_factory=Respond, description="what is done about an alarm beside telling people")
    refresh: Refresh = Field(default_factory=Refresh, description="when the data is taken")
    schedule: Schedule = Field(default_factory=Schedule, description="when what is done by itself")
    probes: Probes = Field(default_factory=Probes, description="which leaks are looked for before anything learns")
    engine: Any = Field(default=None, description="what computes a history: mlctl backfill")
    database: Database = Field(default_factory=Database, description="where scores go")
    cost: Cost = Field(default_factory=Cost, description="what work costs, and what may be spent")

    def ranks(self) -> bool:
        """Whether it recommends items; else it scores entities."""
        return self.label.task == "ranking"

    def horizon_days(self) -> float:
        """Days until a label is known; 0 for a label that a table tells."""
        if self.ranks():
            return duration(self.rollout.within).total_seconds() / 86_400
        return duration(self.label.horizon).total_seconds() / 86_400 if self.label.horizon else 0.0

    def mapping(self) -> dict[str, Any]:
        """The project as JSON-ready data with every default filled in, as `read` takes it."""
        return self.model_dump(mode="json", by_alias=True, exclude={"sources": {"__all__": {"name"}}})
