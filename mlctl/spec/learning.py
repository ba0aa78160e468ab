"""What is foretold of whom, and which rows teach and judge: entity, label, split, encoding, tune, probes."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mlctl import kinds
from mlctl.kinds import Record
from mlctl.text import Terms
from mlctl.text_encoder import Embedding
from mlctl.times import Duration, Moment

_OF_LABEL_ALONE: Final = ("is", "horizon", "task", "classes", "other")

Task = Literal["binary", "multiclass", "regression", "ranking"]
"""What is foretold: P(label = 1), one of several classes, a number, or which items come next."""
INTERACTIONS: Final = "interactions"
"""The kind of label that says what users had; its task is a ranking of items."""


class Entity(Record):
    """Whom the project decides about."""

    key: str = Field(description="column that identifies the entity in every source")
    source: str | None = Field(
        default=None, description="table that lists the entities; default: whoever stands in any source"
    )


class Label(Record):
    """What is to be foretold: an aggregate of the entity's future, a column of a table, or which items come next."""

    kind: str = Field(description="a feature kind (count, sum, ...) over the horizon, lookup, or interactions")
    source: str = Field(description="source that tells the outcome")
    column: str | None = Field(default=None, description="column of the source, where the kind needs one")
    where: str | None = Field(default=None, description="SQL condition on the source's columns")
    horizon: Duration | None = Field(
        default=None, description="how far after as_of the outcome is looked for, such as 90d"
    )
    task: Task = Field(
        default="binary",
        description="binary: whether the outcome `is` so; multiclass: which; regression: how much; ranking: which "
        "items come next, of interactions alone",
    )
    is_: str | int | float | bool | None = Field(
        default=None, alias="is", description="binary: the outcome that counts as 1"
    )
    classes: tuple[str, ...] | None = Field(
        default=None, min_length=2, description="multiclass: the outcomes; default: those of the training rows"
    )

    other: str | None = Field(
        default=None, description="multiclass: the class of every outcome that is none of `classes`"
    )

    @model_validator(mode="before")
    @classmethod
    def _interactions_are_ranked(cls, said: Any) -> Any:
        if isinstance(said, dict) and said.get("kind") == INTERACTIONS:
            return {"task": "ranking", **said}
        return said

    @model_validator(mode="after")
    def _horizon_of_the_future(self) -> Label:
        if (self.kind == INTERACTIONS) != (self.task == "ranking"):
            raise ValueError("`kind: interactions` and `task: ranking` belong together")
        if self.task == "ranking":
            said = (self.column, self.horizon, self.is_, self.classes, self.other)
            if any(one is not None for one in said):
                raise ValueError("interactions have a `source` and a `where`; leave out the others")
            return self
        if (self.kind == "lookup") != (self.horizon is None):
            raise ValueError("an aggregate of the future needs a `horizon`; a lookup has none")
        if (self.task == "binary") != (self.is_ is not None):
            raise ValueError("say `is:` (the outcome that counts as 1), or `task: multiclass` or `task: regression`")
        if self.classes is not None and self.task != "multiclass":
            raise ValueError("`classes` belong to `task: multiclass`")
        if self.other is not None and self.classes is None:
            raise ValueError("`other` needs `classes`, the outcomes that it is not")
        return self


class Split(Record):
    """Which rows teach and which rows judge."""

    kind: Literal["time", "backtest", "random", "stratified", "group", "folds", "last"] = Field(
        default="time",
        description="time: later moments judge; last: of interactions alone, each user's last one judges; backtest: "
        "each of the last moments is judged by a model of the moments before it; random, stratified (each outcome "
        "alike), group (all rows of a group on one side): a share of entities judges; folds: everybody judges once",
    )
    train: tuple[Moment, ...] | None = Field(
        default=None, min_length=1, description="as_of moments of training; default: counted back from as_of"
    )
    test: tuple[Moment, ...] | None = Field(
        default=None,
        min_length=1,
        description="as_of moments of the test; default: the last one whose outcome is known",
    )
    moments: int = Field(default=3, ge=1, le=60, description="how many training moments, when they are counted back")
    windows: int = Field(default=3, ge=1, le=60, description="backtest: how many moments judge")
    every: Duration = Field(default="30d", description="distance between moments, when they are counted back")
    test_share: float = Field(
        default=0.25, gt=0, lt=1, description="random, stratified, group: share of entities that judge"
    )
    by: str | None = Field(default=None, description="group: the feature whose values stay together")
    folds: int = Field(
        default=5, ge=2, le=20, description="folds: how many parts; each is judged by a model of the others"
    )
    seed: int = Field(default=7, ge=0, description="seed of every draw of rows")

    @model_validator(mode="after")
    def _group_by_something(self) -> Split:
        if (self.kind == "group") != (self.by is not None):
            raise ValueError("`kind: group` needs `by`; the other kinds have none")
        return self

    def over_time(self) -> bool:
        """Whether rows of several moments are divided by them."""
        return self.kind in ("time", "backtest")

    def judges_what_teaches(self) -> bool:
        """Whether the rows that judge teach the released model too, and are judged by models that did not see them."""
        return self.kind in ("folds", "backtest")


class EncodingPolicy(Record):
    """How features become the columns that a model takes."""

    rare_share: float = Field(
        default=0.005, ge=0, le=0.5, description="a category that fewer of the training rows hold counts as `other`"
    )
    most_values: int = Field(default=50, ge=1, le=1000, description="most columns that one category becomes")
    unseen: Literal["other", "refuse"] = Field(
        default="other", description="a category's value that training did not hold: counts as `other`, or is refused"
    )
    missing: Literal["keep", "refuse"] = Field(
        default="keep", description="a missing value: kept (a model knows what to do), or refused in any feature"
    )
    text: dict[str, Terms] = Field(
        default_factory=dict, description="features that are texts, to be read by their words and pieces of words"
    )
    embeddings: dict[str, Embedding] = Field(
        default_factory=dict, description="features that are texts, to be read by an encoder: a vector each"
    )

    @property
    def texts(self) -> frozenset[str]:
        """The features that are texts, however they are read."""
        return frozenset(self.text) | frozenset(self.embeddings)

    @model_validator(mode="after")
    def _read_one_way(self) -> EncodingPolicy:
        if both := sorted(self.text.keys() & self.embeddings.keys()):
            raise ValueError(f"{both[0]} stands in `text` and in `embeddings`; look its column up twice, by two names")
        return self


ProbeSeverity = Literal["fail", "warn", "skip"]


class Probes(Record):
    """What is looked for in the frozen rows before anything learns: fail refuses, warn tells, skip leaves it out."""

    one_feature: ProbeSeverity = Field(default="fail", description="one feature that alone explains the label")
    one_feature_limit: float = Field(
        default=0.98,
        gt=0.5,
        le=1,
        description="ROC AUC (regression: R2 of ranks) of one feature alone that is too good",
    )
    one_feature_lead: float = Field(
        default=0.5, gt=0, le=1, description="how much of the next best feature's error may be left to be suspicious"
    )
    missingness: ProbeSeverity = Field(default="fail", description="a feature whose being missing tells the label")
    identifier: ProbeSeverity = Field(default="fail", description="a row number or an identifier among the features")
    after_as_of: ProbeSeverity = Field(default="fail", description="values that were not yet known at as_of")
    period: ProbeSeverity = Field(default="fail", description="a test that begins before training outcomes are known")
    entities: ProbeSeverity = Field(default="fail", description="one entity on both sides of the split")
    copies: ProbeSeverity = Field(default="fail", description="test rows that also teach")
    copies_limit: float = Field(
        default=0.02, gt=0, le=1, description="share of test rows that may stand in training beyond chance"
    )
    resampled: ProbeSeverity = Field(default="fail", description="rows that were copied before the split")
    resampled_limit: float = Field(
        default=0.1, gt=0, le=1, description="share of the rows of an outcome that may repeat others exactly"
    )
    interpolated: ProbeSeverity = Field(default="fail", description="rows that were made up between others (SMOTE)")
    drift: ProbeSeverity = Field(default="warn", description="one feature that tells test rows from training rows")
    drift_limit: float = Field(default=0.8, gt=0.5, le=1, description="ROC AUC of test against training by one feature")


class Tune(Record):
    """How better options of the model are looked for: `mlctl tune`."""

    trials: int = Field(default=40, ge=1, le=10_000, description="most trials")
    minutes: float | None = Field(
        default=None, gt=0, description="most minutes of one command; how far it comes then depends on the machine"
    )
    search: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="by option of the model {low, high, log} or {one_of}; default: what its kind suggests",
    )
    seed: int = Field(default=7, ge=0, description="seed of the search")
    shared: bool = Field(
        default=False, description="the study lies in the project's database, for several processes or machines"
    )


def label_options(label: Label) -> Any:
    """The options of the feature kind that tells the outcome.

    Raises:
        ConfigError: There is no such kind.
        pydantic.ValidationError: The kind needs a key that is missing, or does not have one that is given.
    """
    given = {key: value for key, value in label.model_dump(by_alias=True).items() if value is not None}
    return kinds.options("features", {key: value for key, value in given.items() if key not in _OF_LABEL_ALONE})
