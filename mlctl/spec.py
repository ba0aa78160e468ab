"""The project as one frozen, fully typed record, and every fault of it at once.

`read(mapping)` takes the composed YAML. Each section is validated by its own model, each entry with a `kind:` by that
kind's `Options`, and then the sections are held against each other (does the source that a feature names exist?).
Nothing here knows files or lines: `config.py` adds to each fault the place and who set the value.

Sections, in the order the data flows: name about owner entity, sources, checks, features, label, split, model, metrics,
cohorts, gate, serving, decide, refresh, database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from mlctl import kinds
from mlctl.errors import ConfigError, Fault, did_you_mean, listed
from mlctl.kinds import Record
from mlctl.times import Duration, Moment, duration

_FROM_ENVIRONMENT: Final = re.compile(r"\$\{oc\.env:[^}]*\}")
_PASSWORD: Final = re.compile(r"://[^@/]*:[^@/]+@|password\s*=\s*\S", re.IGNORECASE)
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
ONE_KIND: Final = {"model": "models", "serving": "serving"}
"""Sections that are of one kind, and their seam."""
KIND_SECTIONS: Final = {"sources": "sources", "checks": "checks", "features": "features", "metrics": "metrics"}
"""Sections that hold named entries of kinds, and their seam."""


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
    is_: str | int | float | bool = Field(alias="is", description="the outcome that counts as 1")

    @model_validator(mode="after")
    def _horizon_of_the_future(self) -> Label:
        if (self.kind == "lookup") != (self.horizon is None):
            raise ValueError("an aggregate of the future needs a `horizon`; a lookup has none")
        return self


class Split(Record):
    """Which rows teach and which rows judge."""

    kind: Literal["time", "random", "folds"] = Field(
        default="time",
        description="time: later moments judge; random: a share of entities judges; folds: everybody judges once",
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
    every: Duration = Field(default="30d", description="distance between training moments, when they are counted back")
    test_share: float = Field(default=0.25, gt=0, lt=1, description="random: share of entities that judge")
    folds: int = Field(
        default=5, ge=2, le=20, description="folds: how many parts; each is judged by a model of the others"
    )
    seed: int = Field(default=7, ge=0, description="random and folds: seed of the draw")


class Rule(Record):
    """One condition of the gate; a value that was not measured never passes."""

    metric: str = Field(description="a metric of this project")
    min: float | None = Field(default=None, description="the value may not be below")
    max: float | None = Field(default=None, description="the value may not be above")
    better_than: str | None = Field(
        default=None, description="a simpler model that must be beaten by a paired 95 % interval"
    )
    cohort: str | None = Field(default=None, description="only the rows of this cohort")
    by: Literal["interval", "value"] = Field(
        default="interval", description="whether the worse end of the 95 % interval must pass, or the value itself"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.min is None and self.max is None and self.better_than is None:
            raise ValueError("give at least one of `min`, `max` and `better_than`")
        return self


class Decide(Record):
    """From a score to a decision."""

    threshold: float = Field(default=0.5, ge=0, le=1, description="scores from here on are decided `above`")
    above: str = Field(default="yes", description="the decision for scores at or above the threshold")
    below: str = Field(default="no", description="the decision for scores below the threshold")
    min_confidence: float = Field(
        default=0.0, ge=0, le=1, description="below it (the larger of score and 1 - score) the decision is `fallback`"
    )
    evidence: str | None = Field(default=None, description="feature that counts what is known about an entity")
    min_evidence: float = Field(default=1.0, description="entities with less evidence are cold and get `fallback`")
    fallback: str = Field(default="review", description="the decision where the model is not asked")


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
        if self.dsn is not None and _PASSWORD.search(_FROM_ENVIRONMENT.sub("", self.dsn)):
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
    model: Any = Field(description="what learns")
    metrics: dict[str, Any] = Field(description="how it is judged, by name")
    cohorts: dict[str, str] = Field(
        default_factory=dict, description="groups judged by themselves: SQL conditions over features"
    )
    gate: dict[str, Rule] = Field(description="what a release must fulfil, by name")
    serving: Any = Field(description="how decisions reach their users")
    decide: Decide = Field(default_factory=Decide, description="from a score to a decision")
    refresh: Refresh = Field(default_factory=Refresh, description="when the data is taken")
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
    return kinds.options("features", {key: value for key, value in given.items() if key not in ("is", "horizon")})


def read(mapping: Mapping[str, Any]) -> tuple[Project | None, list[Fault]]:
    """The project that a composed mapping says, or every fault of it; faults carry the key and no place."""
    faults: list[Fault] = []
    known = [info.alias or name for name, info in Project.model_fields.items()]
    faults += [
        Fault(key, "unknown section", hint=did_you_mean(key, known) or f"known: {listed(known, 20)}")
        for key in mapping
        if key not in known
    ]
    parts: dict[str, Any] = {}
    for section in known:
        parts[section] = _section(section, mapping.get(section), faults)
    if not faults:
        faults += _cross_faults(parts)
    if faults:
        return None, faults
    # every part is valid by now: building the whole only joins them
    return Project.model_construct(**parts), []


def _section(section: str, value: Any, faults: list[Fault]) -> Any:
    info = Project.model_fields[section]
    if value is None:
        if info.is_required():
            faults.append(Fault(section, "is missing", hint=f"mlctl explain {section}"))
            return None
        return info.get_default(call_default_factory=True)
    if section in KIND_SECTIONS:
        return _kind_entries(section, value, faults)
    if section in ONE_KIND:
        return _kind_entry(ONE_KIND[section], section, value, faults)
    try:
        return TypeAdapter[Any](info.annotation or Any).validate_python(value)
    except ValidationError as error:
        faults += _faults_of(error, section, _nested_record(info.annotation) or Record)
        return None


def _kind_entries(section: str, value: Any, faults: list[Fault]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        faults.append(Fault(section, f"must be a mapping of names, not {type(value).__name__}"))
        return {}
    entries = {}
    for name, entry in value.items():
        key = f"{section}.{name}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            faults.append(Fault(key, "a name is lower case letters, digits and _, and begins with a letter or _"))
            continue
        given = {**entry, "name": name} if section == "sources" and isinstance(entry, Mapping) else entry
        entries[name] = _kind_entry(KIND_SECTIONS[section], key, given, faults)
    return entries


def _kind_entry(seam: str, key: str, value: Any, faults: list[Fault]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(Fault(key, f"must be a mapping with `kind:`, not {value!r}"))
        return None
    if not isinstance(value.get("kind"), str):
        faults.append(Fault(f"{key}.kind", "is missing", hint=f"one of {listed(kinds.names(seam), 20)}"))
        return None
    try:
        return kinds.options(seam, value)
    except ConfigError as error:
        faults.append(Fault(f"{key}.kind", error.what, hint=error.why))
    except ValidationError as error:
        faults += _faults_of(error, key, kinds.load(seam, value["kind"]).Options)
    return None


def _faults_of(error: ValidationError, prefix: str, record: type[Record]) -> list[Fault]:
    faults: dict[str, Fault] = {}
    items = error.errors(include_url=False)
    for item in items:
        inner = [other for other in items if other["loc"][: len(item["loc"])] == item["loc"] and other is not item]
        if item["type"] == "too_short" and inner:
            continue
        # a union reports each of its branches; the branch names are types and no keys of the YAML
        path = [
            str(part)
            for part in item["loc"]
            if not re.search(r"[\[\(]|^(str|int|float|bool|tuple|literal)$", str(part))
        ]
        key = ".".join(part for part in [prefix, *path] if part)
        if item["type"] == "extra_forbidden":
            known = _known_keys(record, path[:-1])
            faults.setdefault(
                key, Fault(key, "unknown key", hint=did_you_mean(path[-1], known) or f"known: {listed(known, 20)}")
            )
        elif item["type"] == "missing":
            faults.setdefault(key, Fault(key, "is missing"))
        else:
            message = item["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(item["input"], Mapping) else f", not {item['input']!r}"
            faults.setdefault(key, Fault(key, f"{message[0].lower()}{message[1:]}{shown}"))
    return list(faults.values())


def _known_keys(record: type[Record], path: Sequence[str]) -> list[str]:
    fields: dict[str, Any] = {info.alias or name: info for name, info in record.model_fields.items()}
    for part in path:
        nested = _nested_record(fields[part].annotation) if part in fields else None
        if nested is not None:
            fields = {info.alias or name: info for name, info in nested.model_fields.items()}
    return [name for name in fields if name != "name" or record is Project]


def _nested_record(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _nested_record(argument)) is not None:
            return found
    return None


def _cross_faults(parts: Mapping[str, Any]) -> list[Fault]:
    """What only shows when sections are held against each other."""
    faults = [
        Fault(section, "is empty; it needs at least one entry", hint=f"mlctl explain {section}")
        for section in ("sources", "features", "metrics", "gate")
        if not parts[section]
    ]

    def must_exist(key: str, name: str | None, section: str, known: Sequence[str]) -> None:
        if name is not None and name not in known:
            faults.append(
                Fault(key, f"{section} has no {name!r}", hint=did_you_mean(name, known) or f"known: {listed(known)}")
            )

    sources, metrics = list(parts["sources"]), list(parts["metrics"])
    must_exist("entity.source", parts["entity"].source, "sources", sources)
    must_exist("label.source", parts["label"].source, "sources", sources)
    for section in ("checks", "features"):
        for name, entry in parts[section].items():
            must_exist(f"{section}.{name}.source", getattr(entry, "source", None), "sources", sources)
    for name, entry in parts["features"].items():
        timeless = getattr(entry, "source", None) in sources and parts["sources"][entry.source].time_column() is None
        if entry.form == "aggregate" and timeless:
            faults.append(
                Fault(
                    f"features.{name}.source",
                    f"{entry.source!r} has no time column",
                    hint=f"set sources.{entry.source}.time",
                )
            )
    for name, rule in parts["gate"].items():
        must_exist(f"gate.{name}.metric", rule.metric, "metrics", metrics)
        must_exist(f"gate.{name}.cohort", rule.cohort, "cohorts", list(parts["cohorts"]))
        must_exist(
            f"gate.{name}.better_than", rule.better_than, "model.ladder", [*parts["model"].rungs(), parts["model"].kind]
        )
    return faults + _label_faults(parts)


def _label_faults(parts: Mapping[str, Any]) -> list[Fault]:
    label, split = parts["label"], parts["split"]
    faults: list[Fault] = []
    known = [kind for kind in kinds.names("features") if kind != "sql"]
    if label.kind not in known:
        faults.append(
            Fault(
                "label.kind",
                f"{label.kind!r} cannot be a label",
                hint=did_you_mean(label.kind, known) or f"one of {listed(known)}",
            )
        )
    else:
        try:
            label_options(label)
        except ValidationError as error:
            faults += _faults_of(error, "label", kinds.load("features", label.kind).Options)
    source = parts["sources"].get(label.source)
    if label.horizon is not None and source is not None and source.time_column() is None:
        hint = f"set sources.{label.source}.time"
        faults.append(Fault("label.source", f"{label.source!r} has no time column", hint=hint))
    if split.kind == "time" and label.horizon is None:
        faults.append(
            Fault(
                "split.kind",
                "a label without a horizon has no time to split by",
                hint="set split.kind: folds or random",
            )
        )
    if split.kind != "time" and (split.train or split.test):
        faults.append(Fault("split", "moments belong to `kind: time`"))
    if split.train and split.test and label.horizon:
        gap = min(split.test) - max(split.train)
        if gap < duration(label.horizon):
            message = f"the test begins {gap.days} days after the last training moment, while its outcome is still open"
            faults.append(Fault("split.test", message, hint=f"leave at least the horizon, {label.horizon}"))
    if bool(split.train) != bool(split.test):
        faults.append(Fault("split", "give both `train` and `test` moments, or neither"))
    return faults
