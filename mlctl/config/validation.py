"""Every fault of a composed mapping at once, or the project that it says.

Each section is validated by its own model, each entry with a `kind:` by that kind's `Options`, and then the sections
are held against each other (does the source that a feature names exist?). Nothing here knows files or lines:
`config.py` adds to each fault the place and who set the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mlctl import kinds
from mlctl.errors import ConfigError, Fault, did_you_mean, listed
from mlctl.kinds import Record
from mlctl.spec import INTERACTIONS, KIND_SECTIONS, NAME, OF_RANKING, ONE_KIND, Project, label_options
from mlctl.spec.gate_rules import CHAMPION, EACH, SHARES, SHOWN, always
from mlctl.times import duration


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
    label = mapping.get("label")
    ranks = isinstance(label, Mapping) and label.get("kind") == INTERACTIONS
    for section in known:
        parts[section] = _section(section, mapping.get(section), ranks, faults)
    if not faults:
        faults += _ranking_faults(parts) if ranks else _cross_faults(parts)
    if faults:
        return None, faults
    # every part is valid by now: building the whole only joins them
    return Project.model_construct(**parts), []


def _section(section: str, value: Any, ranks: bool, faults: list[Fault]) -> Any:
    info = Project.model_fields[section]
    if value is None and section == "engine":
        value = {"kind": "local"}
    if value is None:
        if info.is_required() or section == ("items" if ranks else "features"):
            faults.append(Fault(section, "is missing", hint=f"mlctl explain {section}"))
            return None
        return info.get_default(call_default_factory=True)
    seam = OF_RANKING.get(section) if ranks else None
    if section in KIND_SECTIONS:
        return _kind_entries(section, seam or KIND_SECTIONS[section], value, faults)
    if section in ONE_KIND:
        return _kind_entry(seam or ONE_KIND[section], section, value, faults)
    try:
        return _reader(section).validate_python(value)
    except ValidationError as error:
        faults += _faults_of(error, section, _nested_record(info.annotation) or Record)
        return None


@cache
def _reader(section: str) -> TypeAdapter[Any]:
    """What validates a section that is made of no kinds: made once, for it takes longer than what it does."""
    return TypeAdapter(Project.model_fields[section].annotation or Any)


def _kind_entries(section: str, seam: str, value: Any, faults: list[Fault]) -> dict[str, Any]:
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
        entries[name] = _kind_entry(seam, key, given, faults)
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
    faults = _empty(parts, ("sources", "features", "metrics", "gate")) + _unknown_sources(parts)
    if parts["items"] is not None:
        faults.append(Fault("items", "belong to a label of `kind: interactions`"))
    if parts["index"] is not None:
        faults.append(Fault("index", "belongs to a label of `kind: interactions`"))
    sources = list(parts["sources"])
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
    return faults + _gate_faults(parts) + _label_faults(parts) + _task_faults(parts)


def _empty(parts: Mapping[str, Any], sections: Sequence[str]) -> list[Fault]:
    return [
        Fault(section, "is empty; it needs at least one entry", hint=f"mlctl explain {section}")
        for section in sections
        if not parts[section]
    ]


def _unknown_sources(parts: Mapping[str, Any]) -> list[Fault]:
    """Every key that names a source which is not there."""
    known = list(parts["sources"])
    named = {f"{section}.source": getattr(parts[section], "source", None) for section in ("entity", "label", "items")}
    for section in ("checks", "features"):
        for name, entry in parts[section].items():
            named[f"{section}.{name}.source"] = getattr(entry, "source", None)
    return [
        Fault(key, f"sources has no {name!r}", hint=did_you_mean(name, known) or f"known: {listed(known)}")
        for key, name in named.items()
        if name is not None and name not in known
    ]


def _ranking_faults(parts: dict[str, Any]) -> list[Fault]:
    """What only shows when the sections of a recommender are held against each other."""
    faults = _empty(parts, ("sources", "metrics")) + _unknown_sources(parts)
    items, label, split = parts["items"], parts["label"], parts["split"]
    if parts["features"]:
        faults.append(Fault("features", "a recommender learns from interactions and items", hint="leave it out"))
    for key in ("text", "columns"):
        if getattr(items, key) and items.source is None:
            faults.append(Fault(f"items.{key}", "there is no table of items", hint="set items.source"))
    filters = {} if parts["index"] is None else parts["index"].filters
    faults += [
        Fault(
            f"index.filters.{name}.{column}", "is none of items.columns", hint=listed(items.columns) or "there is none"
        )
        for name, wanted in filters.items()
        for column in wanted
        if column not in items.columns
    ]
    source = parts["sources"].get(label.source)
    if source is not None and source.time_column() is None:
        hint = f"set sources.{label.source}.time"
        faults.append(Fault("label.source", f"{label.source!r} has no time column", hint=hint))
    if split.kind not in ("time", "last", "random"):
        faults.append(Fault("split.kind", f"{split.kind!r} does not divide interactions", hint="time, last or random"))
    known = kinds.names("recommenders")
    unknown = [rung for rung in parts["model"].rungs() if rung not in known]
    faults += [Fault("model.ladder", f"there is no recommender {rung!r}", hint=listed(known, 20)) for rung in unknown]
    for kind, said in parts["model"].options.items():
        _kind_entry("recommenders", f"model.options.{kind}", {**said, "kind": kind}, faults)
    if not faults:
        # whoever is in a state is a cohort, and what must hold of each cannot be written away
        parts["cohorts"] = {**parts["cohorts"], **items.states.conditions()}
        parts["gate"] = {**parts["gate"], **always(next(iter(parts["metrics"])))}
        faults += _gate_faults(parts)
    return faults


def _gate_faults(parts: Mapping[str, Any]) -> list[Fault]:
    metrics, cohorts, faults = list(parts["metrics"]), list(parts["cohorts"]), []
    models = [*parts["model"].rungs(parts["label"].task), parts["model"].kind, CHAMPION]
    for name, rule in parts["gate"].items():
        fair = rule.max_difference is not None
        asked = [("metric", rule.metric, "metrics", [*metrics, *SHARES] if fair else metrics)]
        asked += [("cohort", rule.cohort, "cohorts", [*cohorts, EACH, *SHOWN])]
        asked += [("between", cohort, "cohorts", cohorts) for cohort in rule.between or ()]
        asked += [("better_than", rule.better_than, "model.ladder", models)]
        for key, word, section, known in asked:
            if word is not None and word not in known:
                hint = did_you_mean(word, known) or f"known: {listed(known)}"
                faults.append(Fault(f"gate.{name}.{key}", f"{section} has no {word!r}", hint=hint))
    if EACH in cohorts:
        faults.append(Fault(f"cohorts.{EACH}", "is the gate's word for every cohort", hint="choose another name"))
    return faults


def _task_faults(parts: Mapping[str, Any]) -> list[Fault]:
    """What does not go with the task that the label sets."""
    task, model, decide = parts["label"].task, parts["model"], parts["decide"]
    faults: list[Fault] = []

    def must_fit(key: str, seam: str, kind: str) -> None:
        if task not in kinds.load(seam, kind).TASKS:
            fitting = [name for name in kinds.names(seam) if task in kinds.load(seam, name).TASKS]
            faults.append(Fault(key, f"{kind!r} cannot foretell a label of task {task}", hint=listed(fitting, 20)))

    for rung in (*model.rungs(task), model.kind):
        must_fit("model.kind" if rung == model.kind else "model.ladder", "models", rung)
    for name, metric in parts["metrics"].items():
        if task not in kinds.load("metrics", metric.kind).TASKS:
            known = [other for other in kinds.names("metrics") if task in kinds.load("metrics", other).TASKS]
            message = f"{metric.kind!r} does not judge a label of task {task}"
            faults.append(Fault(f"metrics.{name}.kind", message, hint=f"one of {listed(known, 30)}"))
    if decide.worth is not None and task != "binary":
        faults.append(Fault("decide.worth", f"is for a binary label, not for {task}"))
    if model.calibration != "none" and task == "regression":
        faults.append(Fault("model.calibration", "bends probabilities, and a number is none", hint="leave it out"))
    if task == "regression" and (decide.max_error or decide.conformal or decide.min_confidence):
        faults.append(Fault("decide", "a number has no confidence to fall back by", hint="leave min_confidence out"))
    if task == "binary" and decide.threshold is not None and not 0 <= decide.threshold <= 1:
        faults.append(Fault("decide.threshold", f"is a probability, 0 to 1, not {decide.threshold:g}"))
    if decide.cold is not None:
        if decide.evidence is None:
            faults.append(Fault("decide.cold", "nobody is cold without evidence", hint="set decide.evidence"))
        if _kind_entry("models", "decide.cold", decide.cold, faults) is not None:
            must_fit("decide.cold.kind", "models", decide.cold["kind"])
    if decide.fallback_by == "rule" and model.rule is None:
        faults.append(Fault("decide.fallback_by", "there is no rule", hint="set model.rule"))
    if decide.fallback_by != "word" and task == "regression" and decide.threshold is None:
        faults.append(Fault("decide.fallback_by", "a number is not decided about", hint="set decide.threshold"))
    return faults


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
    if split.over_time() and label.horizon is None:
        faults.append(
            Fault(
                "split.kind",
                "a label without a horizon has no time to split by",
                hint="set split.kind: folds, random, stratified or group",
            )
        )
    if not split.over_time() and (split.train or split.test):
        faults.append(Fault("split", "moments belong to `kind: time` and `kind: backtest`"))
    if split.train and split.test and label.horizon:
        gap = min(split.test) - max(split.train)
        if gap < duration(label.horizon):
            message = f"the test begins {gap.days} days after the last training moment, while its outcome is still open"
            faults.append(Fault("split.test", message, hint=f"leave at least the horizon, {label.horizon}"))
    if bool(split.train) != bool(split.test):
        faults.append(Fault("split", "give both `train` and `test` moments, or neither"))
    return faults
