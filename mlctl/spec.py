"""The project as one frozen, fully typed record. `validation.read` makes it from YAML, or tells every fault.

Sections, in the order the data flows: name about owner entity, sources, checks, features, label, split, model, metrics,
cohorts, gate, serving, decide, refresh, probes, database.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mlctl import kinds
from mlctl.gate_rules import Rule
from mlctl.kinds import Record
from mlctl.text import Terms
from mlctl.times import Duration, Moment, duration

_FROM_ENVIRONMENT: Final = re.compile(r"\$\{oc\.env:[^}]*\}")
_PASSWORD: Final = re.compile(r"://[^@/]*:[^@/]+@|password\s*=\s*\S", re.IGNORECASE)
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_OF_LABEL_ALONE: Final = ("is", "horizon", "task", "classes", "other")
ONE_KIND: Final = {"model": "models", "serving": "serving", "engine": "engines"}
"""Sections that are of one kind, and their seam."""
KIND_SECTIONS: Final = {"sources": "sources", "checks": "checks", "features": "features", "metrics": "metrics"}
"""Sections that hold named entries of kinds, and their seam."""


def holds_password(dsn: str) -> bool:
    """Whether a connection string or URI has a password written into it, and not by `${oc.env:NAME}`.

    >>> holds_password("postgresql://ann:s3cret@db/x"), holds_password("postgresql://ann:${oc.env:PASSWORD}@db/x")
    (True, False)
    """
    return bool(_PASSWORD.search(_FROM_ENVIRONMENT.sub("", dsn)))


Task = Literal["binary", "multiclass", "regression"]
"""What is foretold: P(label = 1), one of several classes, or a number."""


class Entity(Record):
    """Whom the project decides about."""

    key: str = Field(description="column that identifies the entity in every source")
    source: str | None = Field(
        default=None, description="table that lists the entities; default: whoever stands in any source"
    )


class Label(Record):
    """What is to be foretold: an aggregate of the entity's future, or a column of a table."""

    kind: str = Field(description="a feature kind (count, sum, ...) over the horizon, or lookup")
    source: str = Field(description="source that tells the outcome")
    column: str | None = Field(default=None, description="column of the source, where the kind needs one")
    where: str | None = Field(default=None, description="SQL condition on the source's columns")
    horizon: Duration | None = Field(
        default=None, description="how far after as_of the outcome is looked for, such as 90d"
    )
    task: Task = Field(
        default="binary", description="binary: whether the outcome `is` so; multiclass: which; regression: how much"
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

    @model_validator(mode="after")
    def _horizon_of_the_future(self) -> Label:
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

    kind: Literal["time", "backtest", "random", "stratified", "group", "folds"] = Field(
        default="time",
        description="time: later moments judge; backtest: each of the last moments is judged by a model of the moments "
        "before it; random, stratified (each outcome alike), group (all rows of a group on one side): a share of "
        "entities judges; folds: everybody judges once",
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
    fallback_by: Literal["word", "rule"] = Field(
        default="word", description="word: the decision is `fallback`; rule: it is what model.rule says"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Decide:
        ways = [self.min_confidence > 0, self.max_error is not None, self.conformal is not None]
        if sum(ways) > 1:
            raise ValueError("give one of `min_confidence`, `max_error` and `conformal`")
        if self.worth is not None and self.threshold is not None:
            raise ValueError("give `threshold` or `worth`, which chooses it")
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


class Refresh(Record):
    """When the data is taken."""

    as_of: Moment | None = Field(
        default=None, description="moment of the snapshot (exclusive); default: the moment of mlctl ingest"
    )


class Database(Record):
    """Where scores go."""

    kind: Literal["embedded", "postgres"] = Field(
        default="embedded", description="embedded: a PostgreSQL of this workspace; postgres: the one that dsn names"
    )
    dsn: str | None = Field(default=None, repr=False, description="connection string; secrets by ${oc.env:NAME} only")
    schema_name: str = Field(
        default="public", alias="schema", pattern=f"^{NAME.pattern}$", description="schema of the scores view"
    )
    connect_timeout_s: int = Field(default=5, ge=1, le=300, description="seconds to wait for a connection")
    keep: int = Field(default=5, ge=1, le=1000, description="generations of scores that are kept")

    @model_validator(mode="after")
    def _dsn_of_postgres(self) -> Database:
        if (self.kind == "postgres") != (self.dsn is not None):
            raise ValueError("`kind: postgres` needs a `dsn`; `kind: embedded` has none")
        if self.dsn is not None and holds_password(self.dsn):
            raise ValueError("`dsn` holds a password; put the whole dsn into the environment, `dsn: ${oc.env:NAME}`")
        return self


DatabaseSpec = Database


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
    features: dict[str, Any] = Field(description="what the model sees, by name")
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
    refresh: Refresh = Field(default_factory=Refresh, description="when the data is taken")
    probes: Probes = Field(default_factory=Probes, description="which leaks are looked for before anything learns")
    engine: Any = Field(default=None, description="what computes a history: mlctl backfill")
    database: Database = Field(default_factory=Database, description="where scores go")

    def horizon_days(self) -> float:
        """Days until a label is known; 0 for a label that a table tells."""
        return duration(self.label.horizon).total_seconds() / 86_400 if self.label.horizon else 0.0

    def mapping(self) -> dict[str, Any]:
        """The project as JSON-ready data with every default filled in, as `read` takes it."""
        return self.model_dump(mode="json", by_alias=True, exclude={"sources": {"__all__": {"name"}}})


def label_options(label: Label) -> Any:
    """The options of the feature kind that tells the outcome.

    Raises:
        ConfigError: There is no such kind.
        pydantic.ValidationError: The kind needs a key that is missing, or does not have one that is given.
    """
    given = {key: value for key, value in label.model_dump(by_alias=True).items() if value is not None}
    return kinds.options("features", {key: value for key, value in given.items() if key not in _OF_LABEL_ALONE})
