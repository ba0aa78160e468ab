"""`mlctl init`: a project from files, that runs at once and is pleasant to edit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.discovery import Draft, Found, discover
from mlctl.errors import ConfigError, did_you_mean, listed
from mlctl.files import write_text
from mlctl.profile import ColumnProfile
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl

_RULE: Final = re.compile(r"none ([a-z_][a-z0-9_]*) ([0-9]+d)")
_LEAK_AUC: Final = 0.99
_WINDOWS: Final = (30, 60, 90, 180, 365)
_NUMBERS_MOST: Final = 4
_BREADTH_MOST: Final = 3
_MANY_ROWS: Final = 20_000
_ROW: Final = "row_number"


@dataclass(frozen=True)
class Wanted:
    """What the command line says.

    Attributes:
        name: The project's name.
        paths: Files or folders.
        label: A column, or a rule such as `none orders 180d`.
        entity: Column of whom the rows are about, or None.
        time: Column of the event time, or None.
    """

    name: str
    paths: tuple[str, ...]
    label: str | None
    entity: str | None
    time: str | None


@dataclass(frozen=True)
class Made:
    """What was written: the folder, the kind of data, what is left out and why, and questions."""

    folder: str
    kind: str
    features: int
    left_out: Mapping[str, str]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class _Sketch:
    """The parts of project.yaml that hang on the kind of data."""

    features: list[str]
    label: str
    rest: list[str]
    left_out: dict[str, str]


def init(wanted: Wanted) -> Made:
    """Writes `projects/NAME/project.yaml` and its README.

    Raises:
        ConfigError: The project is there, or entity, time or label cannot be found or are not there.
        DataError: A file is absent or cannot be read.
        ExternalError: The disk.
    """
    folder = Path("projects") / wanted.name
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", wanted.name):
        raise ConfigError.bad_override(wanted.name, "a name is lower case letters, digits and _")
    if (folder / "project.yaml").exists():
        raise ConfigError.bad_override(wanted.name, f"{folder}/project.yaml is there already; choose another name")
    draft = discover(wanted.paths, wanted.time)
    entity = _entity(draft, wanted)
    rule = _RULE.fullmatch(wanted.label or "")
    sketch = _events(draft, entity, rule) if rule else _table(draft, entity, wanted)
    text = _yaml(draft, wanted, entity, sketch)
    write_text(folder / "project.yaml", text)
    write_text(folder / "README.md", _readme(draft, wanted, entity))
    kind = "event" if rule else next(iter(draft.tables.values())).profile.kind
    return Made(str(folder), kind, len(sketch.features), sketch.left_out, tuple(draft.questions()))


def _entity(draft: Draft, wanted: Wanted) -> str:
    every = {column.name for found in draft.tables.values() for column in found.profile.columns}
    if wanted.entity is not None:
        if wanted.entity not in every:
            raise ConfigError.bad_override(f"--entity {wanted.entity}", _near(wanted.entity, every))
        return wanted.entity
    guesses = [found.profile.entity for found in draft.tables.values() if found.profile.entity]
    if guesses:
        return max(set(guesses), key=lambda name: (guesses.count(name), name))
    return _ROW


def _near(word: str, known: set[str]) -> str:
    return did_you_mean(word, known) or f"the columns are {listed(sorted(known))}"


def _table(draft: Draft, entity: str, wanted: Wanted) -> _Sketch:
    """A table with a row for each entity, and a column that is to be foretold."""
    holders = [name for name, found in draft.tables.items() if wanted.label in found.table.columns]
    if wanted.label is None or not holders:
        raise ConfigError.bad_override(f"--label {wanted.label or ''}".strip(), _label_hint(draft, wanted.label))
    source, found = holders[0], draft.tables[holders[0]]
    column = found.profile.column(wanted.label)
    values = found.table[wanted.label].drop_nulls()
    told = found.profile
    if told.kind == "text" or any(c.is_free_text for c in told.columns):
        why = "the features of text are not there yet; name a table of numbers and categories"
        raise ConfigError.bad_override(f"--from {wanted.paths[0]}", why)
    if entity != _ROW and found.table[entity].is_duplicated().any():
        why = f"{entity} stands in several rows of {source}: name a rule such as --label 'none {source} 90d'"
        raise ConfigError.bad_override(f"--entity {entity}", why)
    if values.n_unique() != 2:
        why = f"{wanted.label} has {values.n_unique()} values ({listed(column.examples)}); a label has two"
        raise ConfigError.bad_override(f"--label {wanted.label}", why)
    counts = values.value_counts().sort("count", wanted.label)
    positive = counts[wanted.label][0]
    left_out = _left_out(found, wanted.label, entity, positive)
    columns = [c.name for c in told.columns if c.name not in {wanted.label, entity, *left_out, told.time}]
    exclude = f", exclude: [{', '.join(_q(name) for name in left_out)}]" if left_out else ""
    features = [f"profile: {{kind: lookup, source: {source}, columns: all{exclude}}}  # {len(columns)} columns"]
    features += _lookups(draft, source, entity, [f"{_name(column)}: " for column in columns])
    label = f"label: {{kind: lookup, source: {source}, column: {_q(wanted.label)}, is: {_q(positive)}}}"
    rest = ["split: {kind: folds}  # everybody is judged once, by a model of the others"]
    if told.rows >= _MANY_ROWS:
        rest.append("model: {kind: xgboost, trees: 500, depth: 5, learning_rate: 0.1}  # many rows carry deeper trees")
    return _Sketch(features, label, rest, left_out)


def _label_hint(draft: Draft, given: str | None) -> str:
    two = [f"{c.name}" for f in draft.tables.values() for c in f.profile.columns if c.values == 2]
    events = [name for name, found in draft.tables.items() if found.profile.time]
    ways = [f"--label {name}" for name in two[:8]] + [f"--label 'none {name} 90d'" for name in events]
    known = {column.name for found in draft.tables.values() for column in found.profile.columns}
    near = did_you_mean(given, known) if given else ""
    return near or (f"say what is to be foretold, such as {', '.join(ways)}" if ways else "no column has two values")


def _left_out(found: Found, label: str, entity: str, positive: Any) -> dict[str, str]:
    """Columns that are no features, and why."""
    import polars as pl

    truth = (found.table[label] == positive).cast(pl.Float64).fill_null(0.0)
    reasons = {}
    for column in found.profile.columns:
        if column.name in (label, entity, found.profile.time):
            continue
        if column.is_constant:
            reasons[column.name] = "it has one value only"
        elif column.kind == "text" and column.values > column.rows / 2:
            reasons[column.name] = "nearly every row has a value of its own"
        elif _tells_all(found.table[column.name], column, truth):
            reasons[column.name] = "it alone tells the label: known only afterwards?"
    return reasons


def _tells_all(values: pl.Series, column: ColumnProfile, truth: pl.Series) -> bool:
    """Whether one column ranks the label almost perfectly (numbers by size, categories by their share of it)."""
    import polars as pl

    if values.dtype.is_numeric():
        score = values.cast(pl.Float64).fill_null(values.cast(pl.Float64).mean())
    elif column.values <= column.rows / 20:
        table = pl.DataFrame({"value": values.cast(pl.String).fill_null(""), "truth": truth})
        score = table.select(pl.col("truth").mean().over("value")).to_series()
    else:
        return False
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(truth.to_numpy(), score.to_numpy()))
    return max(auc, 1 - auc) >= _LEAK_AUC


def _events(draft: Draft, entity: str, rule: re.Match[str]) -> _Sketch:
    """Rows over time, and a label that looks ahead."""
    source, horizon = rule[1], rule[2]
    if source not in draft.tables:
        why = did_you_mean(source, draft.tables) or f"the tables are {listed(draft.tables)}"
        raise ConfigError.bad_override(f"--label '{rule[0]}'", why)
    found = draft.tables[source]
    told = found.profile
    time = found.source.get("time")
    if time is None or entity not in found.table.columns:
        why = f"{source} needs a time column and {entity}; its columns are {listed(found.table.columns)}"
        raise ConfigError.bad_override(f"--label '{rule[0]}'", why)
    first, last = _span(found, time)
    days = (last - first).days
    ahead = duration(horizon)
    if (last - first) < 3 * ahead:
        why = f"{source} spans {days} days: too few for a label of {horizon} in training, gap and test"
        raise ConfigError.bad_override(f"--label '{rule[0]}'", why)
    windows = [*[f"{length}d" for length in _WINDOWS if length <= days / 4][:3], "all"]
    shown = ", ".join(windows)
    features = [
        f"{source}_n: {{kind: count, source: {source}, windows: [{shown}]}}",
        f"days_since_last: {{kind: days_since, source: {source}}}",
        f"days_since_first: {{kind: days_since, source: {source}, event: first}}",
    ]
    rest_columns = [c for c in told.columns if c.name not in (time, entity) and not c.is_time and not c.is_constant]
    # recency, frequency, money: what is beyond must earn its place, and stands there to be tried
    numbers = [c for c in rest_columns if c.kind in ("number", "integer") and not c.names_a_key]
    numbers.sort(key=lambda c: (not c.is_money, c.name != rest_columns[0].name))
    sums = [
        f"{_name(c.name)}: {{kind: sum, source: {source}, column: {_q(c.name)}, windows: [{shown}]}}" for c in numbers
    ]
    breadth = [c for c in rest_columns if c not in numbers and c.values > 1 and not c.is_free_text]
    kinds = [
        f"{_name(c.name)}_kinds: {{kind: n_unique, source: {source}, column: {_q(c.name)}, windows: [{windows[-1]}]}}"
        for c in breadth
    ]
    features += [*sums[:1], *[f"# {line}" for line in [*sums[1:_NUMBERS_MOST], *kinds[:_BREADTH_MOST]]]]
    features += _lookups(draft, source, entity, features)
    label = f"label: {{kind: count, source: {source}, horizon: {horizon}, is: 0}}  # none in the {horizon} after"
    as_of = (last + timedelta(days=1)).date()
    room = (last - 2 * ahead - first).days
    moments = max(1, min(6, room // max(ahead.days, 30)))
    step = max(ahead.days // 2, 1)
    evidence = f"{source}_n_{windows[-2]}" if len(windows) > 1 else f"{source}_n"
    rest = [
        f"split: {{kind: time, moments: {moments}, every: {step}d}}  # {horizon} lie between training and test",
        "model: logistic  # the plain one; model: xgboost is worth a try",
        f"# decide: {{evidence: {evidence}}}  # who is long gone is easy to foretell: whom is it asked about?",
        f"refresh: {{as_of: {as_of}}}  # the day after the last row; mlctl ingest --latest moves it",
    ]
    return _Sketch(features, label, rest, {})


def _span(found: Found, time: str) -> tuple[datetime, datetime]:
    import polars as pl

    values = found.table[time]
    form = found.source.get("time_format")
    if form == "%s":
        values = pl.select(pl.from_epoch(values.cast(pl.Int64), time_unit="s")).to_series()
    elif form is not None:
        values = values.cast(pl.String).str.strptime(pl.Datetime("us"), form, strict=False)
    elif values.dtype == pl.String:
        values = values.str.slice(0, 10).str.strptime(pl.Datetime("us"), "%Y-%m-%d", strict=False)
    values = values.cast(pl.Datetime("us")).drop_nulls()
    first, last = values.min(), values.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise ConfigError.bad_override(f"--time {time}", "no value of it reads as a time")
    return first, last


def _lookups(draft: Draft, source: str, entity: str, before: Sequence[str]) -> list[str]:
    """What other tables with one row for each entity say; columns whose names are taken are left out."""
    taken = {line.partition(":")[0] for line in before}
    lines = []
    for name, found in draft.tables.items():
        if name == source or found.profile.key != (entity,):
            continue
        clash = [c.name for c in found.profile.columns if _name(c.name) in taken and c.name != entity]
        exclude = f", exclude: [{', '.join(_q(column) for column in clash)}]" if clash else ""
        lines.append(f"{name}: {{kind: lookup, source: {name}, columns: all{exclude}}}  # joined by {entity}")
        taken |= {_name(c.name) for c in found.profile.columns}
    return lines


def _name(column: str) -> str:
    from mlctl.profile import snake

    name = snake(column)
    return name if name and not name[0].isdigit() else f"_{name}"


def _q(value: Any) -> str:
    """A value as a YAML scalar inside a flow mapping."""
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.lower() in ("yes", "no", "true", "false", "on", "off", "null", "y", "n"):
        return f'"{value}"'
    return str(value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_q(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _q(value)


def source_lines(draft: Draft, entity: str) -> list[str]:
    """The section `sources:` as people write it."""
    lines = ["sources:"]
    for name, found in draft.tables.items():
        source = {key: value for key, value in found.source.items() if key not in ("notes", "types")}
        types = dict(found.source.get("types", {}))
        if source["kind"] == "csv" and entity in found.table.columns and found.profile.column(entity).kind == "integer":
            types[entity] = "text"
        if types:
            source["types"] = types
        if entity == _ROW:
            source["row_key"] = _ROW
        lines.append(f"  {name}: {_flow(source)}")
        if "time_zone" in source:
            lines[-1] += "  # a guess: which zone is it?"
    return lines


def check_lines(draft: Draft) -> list[str]:
    """The section `checks:` as people write it."""
    lines = ["checks:"]
    for name, check in draft.checks().items():
        table = draft.tables[name].table
        lines += [f"  {name}:", "    kind: columns", f"    source: {name}", "    severity: quarantine", "    columns:"]
        for column, rule in check["columns"].items():
            told = dict(rule)
            if told.get("one_of") == "all":
                told["one_of"] = sorted(str(value) for value in table[column].drop_nulls().unique().to_list())
            lines.append(f"      {_q(column)}: {_flow(told)}")
    return lines


def _yaml(draft: Draft, wanted: Wanted, entity: str, sketch: _Sketch) -> str:
    lines = [
        f"# Made by mlctl init; edit it. mlctl explain KEY tells what a key can be; mlctl run projects/{wanted.name}",
        f"name: {wanted.name}",
        f"entity: {{key: {_q(entity)}}}  # whom it decides about",
        "",
        "# where the data comes from",
        *source_lines(draft, entity),
        "",
        "# what the data must hold (it did when drafted); a row that breaks a rule is set aside with the reason",
        *check_lines(draft),
        "",
        "# what the model sees",
        *[f"# left out: {name}: {why}" for name, why in sketch.left_out.items()],
        "features:",
        *[f"  {line}" for line in sketch.features if not line.startswith("#")],
        *_to_try(sketch.features),
        "",
        "# what is foretold, and how it is judged",
        sketch.label,
        *sketch.rest,
        "gate:",
        "  ranks: {metric: roc_auc, min: 0.6}  # raise it to what you need",
    ]
    return "\n".join(lines) + "\n"


def _to_try(features: Sequence[str]) -> list[str]:
    lines = [f"  {line}" for line in features if line.startswith("#")]
    return ["  # more to try: mlctl run shows whether it beats what is there", *lines] if lines else []


def _readme(draft: Draft, wanted: Wanted, entity: str) -> str:
    lines = [
        f"# {wanted.name}",
        "",
        f"Decides about each `{entity}`. Label: `{wanted.label}`.",
        "",
        "## To be asked",
        "",
    ]
    lines += [f"- {question}" for question in draft.questions()]
    return "\n".join(lines) + "\n"
