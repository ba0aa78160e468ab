"""How a challenger comes to everybody: rollout."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mlctl.kinds import Record
from mlctl.times import Duration


class Pause(Record):
    """A wait between two steps."""

    duration: Duration | None = Field(
        default=None, description="how long, such as 24h; without it, until a person says"
    )


class Step(Record):
    """A step of a ramp, in Argo Rollouts' words: one of setWeight and pause."""

    set_weight: float | None = Field(
        default=None, alias="setWeight", gt=0, le=100, description="the challenger's share of the entities, in percent"
    )
    pause: Pause | None = Field(default=None, description="a wait before the next step")

    @model_validator(mode="after")
    def _one(self) -> Step:
        if (self.set_weight is None) == (self.pause is None):
            raise ValueError("a step is one of `setWeight` and `pause`")
        return self


class Guards(Record):
    """What a challenger may not do, whatever its score; shares are 0..1 of the rows that both releases answered."""

    errors: float = Field(
        default=0.001, gt=0, lt=0.5, description="share of rows that it may fail on while the champion answers them"
    )
    moved: float = Field(
        default=0.25, gt=0, lt=0.9, description="share of rows that it may answer far from the champion"
    )
    moved_by: float = Field(
        default=0.2,
        gt=0,
        description="what is far: of a probability the difference, of a number in deviations; of classes, another one",
    )
    slow: float = Field(default=0.2, gt=0, lt=0.9, description="share of batches that it may be slow on")
    slower: float = Field(default=3.0, gt=1, le=1000, description="what is slow: so many times the champion's seconds")
    cost: float = Field(
        default=2.0, gt=0, le=1000, description="seconds of computing that it may need, of the champion's, over all"
    )
    slices: float = Field(
        default=0.02, ge=0, lt=1, description="how much worse its loss may be in a cohort before it is refused"
    )


class RolloutPolicy(Record):
    """How a challenger is tried against the champion, and comes to everybody."""

    steps: tuple[Step, ...] = Field(
        default=(
            Step(setWeight=1),
            Step(pause=Pause(duration="24h")),
            Step(setWeight=10),
            Step(pause=Pause(duration="24h")),
            Step(setWeight=50),
            Step(pause=Pause(duration="24h")),
            Step(setWeight=100),
        ),
        description="what mlctl ramp --next does, one after the other: {setWeight: 10}, {pause: {duration: 24h}}",
    )
    guards: Guards = Field(default_factory=Guards, description="what sends it back at once")
    metric: Literal["brier", "log_loss", "worth", "error", "missed", "ndcg"] | None = Field(
        default=None,
        description="the loss that is compared once labels are known; worth: what decide.worth says; error: whether "
        "the decision was wrong; missed: whether nothing of a list was had; ndcg: what is lacking of a list's NDCG; "
        "default: brier, error for classes, the absolute error for a number, and missed for lists",
    )
    within: Duration = Field(
        default="7d",
        description="of a recommender: for so long after an answer what its user had counts as its outcome",
    )
    margin: float = Field(
        default=0.0, ge=0, lt=1, description="how much better the challenger must be, in parts of the loss's range"
    )
    error: float = Field(
        default=0.05, gt=0, lt=0.5, description="probability of a wrong verdict, however often it is looked at"
    )

    @model_validator(mode="after")
    def _rising(self) -> RolloutPolicy:
        weights = [step.set_weight for step in self.steps if step.set_weight is not None]
        if weights != sorted(set(weights)):
            raise ValueError("each `setWeight` must be larger than the one before; nobody is moved back")
        return self
