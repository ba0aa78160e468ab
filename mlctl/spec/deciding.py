"""From a score to a decision: decide."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from mlctl.kinds import Record


class Worth(Record):
    """Money (or any unit) that each outcome of a decision brings; what costs is below 0."""

    tp: float = Field(default=0.0, description="decided `above`, and label 1")
    fp: float = Field(default=0.0, description="decided `above`, and label 0")
    tn: float = Field(default=0.0, description="decided `below`, and label 0")
    fn: float = Field(default=0.0, description="decided `below`, and label 1")


class Decide(Record):
    """From a score to a decision."""

    threshold: float | None = Field(
        default=None,
        description="scores from here on are decided `above`; default: 0.5, and none for a number, in the label's unit",
    )
    worth: Worth | None = Field(
        default=None, description="binary: what each outcome brings; the threshold that brings most is taken"
    )
    above: str = Field(default="yes", description="the decision for scores at or above the threshold")
    below: str = Field(default="no", description="the decision for scores below the threshold")
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="below it (the probability of the likelier outcome) the decision falls back",
    )
    max_error: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="largest share of wrong decisions among those made by the model; min_confidence is set by it",
    )
    conformal: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of entities whose set of possible outcomes may miss the true one; one outcome in the set is "
        "decided, none or several fall back",
    )
    evidence: str | None = Field(default=None, description="feature that counts what is known about an entity")
    min_evidence: float = Field(default=1.0, description="entities with less evidence are cold and get `fallback`")
    cold: dict[str, Any] | None = Field(
        default=None,
        description="a model of its own for entities with less evidence, such as {kind: logistic}; taken where it "
        "beats what became of such in the past, and decides like the other",
    )
    fallback: str = Field(
        default="review", description="the decision where the model is not asked: a queue, or to abstain"
    )
    fallback_by: Literal["word", "rule", "previous"] = Field(
        default="word",
        description="word: the decision is `fallback`; rule: it is what model.rule says; previous: what the release "
        "decides that was live before, which is sealed into the new one; where that is not sure either, `fallback`",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Decide:
        ways = [self.min_confidence > 0, self.max_error is not None, self.conformal is not None]
        if sum(ways) > 1:
            raise ValueError("give one of `min_confidence`, `max_error` and `conformal`")
        if self.worth is not None and self.threshold is not None:
            raise ValueError("give `threshold` or `worth`, which chooses it")
        return self
