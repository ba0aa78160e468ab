"""`mlctl init`: a project from files, that runs at once and is pleasant to edit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from mlctl.drafts.discovery import Draft, Found, discover
from mlctl.drafts.drafting import check_lines, scalar, source_lines, yaml_name
from mlctl.drafts.interaction_draft import LABEL, Interactions, interactions_of, recommender_lines
from mlctl.drafts.label_draft import label_of, left_out, unreadable
from mlctl.errors import ConfigError, did_you_mean, listed
from mlctl.files import write_text
from mlctl.spec import Task
from mlctl.times import duration

_RULE: Final = re.compile(r"none ([a-z_][a-z0-9_]*) ([0-9]+d)")
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
        label: A column, a rule such as `none orders 180d`, or `interactions`.
        entity: Column of whom the rows are about, or None.
        time: Column of the event time, or None.
        train: Moments that teach; empty: counted back from the last row. Only for a label by a rule.
        test: Moments that judge; empty: the last one whose outcome is known.
    """

    name: str
    paths: tuple[str, ...]
    label: str | None
    entity: str | None
    time: str | None
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


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
        raise ConfigError.bad_argument(wanted.name, "a name is lower case letters, digits and _")
    if (folder / "project.yaml").exists():
        raise ConfigError.bad_argument(wanted.name, f"{folder}/project.yaml is there already; choose another name")
    draft = discover(wanted.paths, wanted.time)
    told = interactions_of(draft, wanted.label, wanted.entity)
    if told is not None:
        return _recommender(folder, draft, wanted, told)
    entity = _entity(draft, wanted)
    draft = draft.with_entity(entity, row_key=entity == _ROW)
    rule = _RULE.fullmatch(wanted.label or "")
    sketch = _events(draft, entity, wanted, rule) if rule else _table(draft, entity, wanted)
    text = _yaml(draft, wanted, entity, sketch)
    write_text(folder / "project.yaml", text)
    write_text(folder / "README.md", _readme(draft, wanted, entity))
    kind = "event" if rule else next(iter(draft.tables.values())).profile.kind
    return Made(str(folder), kind, len(sketch.features), sketch.left_out, tuple(draft.questions()))


def _recommender(folder: Path, draft: Draft, wanted: Wanted, told: Interactions) -> Made:
    """A project that recommends items: who had what, and what the items are."""
    if wanted.train or wanted.test:
        why = "moments belong to a label by a rule; interactions are divided by split:, see mlctl explain split"
        raise ConfigError.bad_argument("--train and --test", why)
    draft = draft.with_entity(told.user).with_entity(told.item)
    time = str(draft.tables[told.source].source.get("time"))
    as_of = (_span(draft.tables[told.source], time)[1] + timedelta(days=1)).date()
    lines = [
        *_head(draft, wanted, told.user),
        *recommender_lines(draft, told, str(as_of)),
    ]
    write_text(folder / "project.yaml", "\n".join(lines) + "\n")
    write_text(folder / "README.md", _readme(draft, replace(wanted, label=LABEL), told.user))
    return Made(str(folder), "interaction", 0, {}, tuple(draft.questions()))


def _entity(draft: Draft, wanted: Wanted) -> str:
    every = {column.name for found in draft.tables.values() for column in found.profile.columns}
    if wanted.entity is not None:
        if wanted.entity not in every:
            raise ConfigError.bad_argument(f"--entity {wanted.entity}", _near(wanted.entity, every))
        return wanted.entity
    guesses = [found.profile.entity for found in draft.tables.values() if found.profile.entity]
    if guesses:
        return max(set(guesses), key=lambda name: (guesses.count(name), name))
    return _ROW


def _near(word: str, known: set[str]) -> str:
    return did_you_mean(word, known) or f"the columns are {listed(sorted(known))}"


def _table(draft: Draft, entity: str, wanted: Wanted) -> _Sketch:
    """A table with a row for each entity, and a column that is to be foretold."""
    if wanted.train or wanted.test:
        why = "moments belong to a label by a rule, such as --label 'none orders 90d'; a column is judged by folds"
        raise ConfigError.bad_argument("--train and --test", why)
    label = label_of(draft, wanted.label)
    source = label.source
    found = draft.tables[source]
    told = found.profile
    if entity != _ROW and entity not in found.table.columns:
        why = f"{source} holds the label and has no {entity}; its columns are {listed(found.table.columns)}"
        raise ConfigError.bad_argument(f"--entity {entity}", why)
    if entity != _ROW and found.table[entity].is_duplicated().any():
        why = f"{entity} stands in several rows of {source}: name a rule such as --label 'none {source} 90d'"
        raise ConfigError.bad_argument(f"--entity {entity}", why)
    aside = left_out(found, label, entity)
    columns = [c.name for c in told.columns if c.name not in {label.column, entity, *aside, found.source.get("time")}]
    exclude = f", exclude: [{', '.join(scalar(name) for name in aside)}]" if aside else ""
    features = [f"profile: {{kind: lookup, source: {source}, columns: all{exclude}}}  # {len(columns)} columns"]
    lookups, texts = _lookups(draft, source, entity, [f"{yaml_name(column)}: " for column in columns], label.task)
    features += lookups
    texts = [*(yaml_name(name) for name in columns if told.column(name).is_free_text), *texts]
    rest = ["split: {kind: folds}  # everybody is judged once, by a model of the others"]
    if texts:
        rest += [_encoding(texts), "model: {kind: logistic, c: 10}  # the kind that reads texts"]
        rest.append("# serving: {kind: http}  # answers to mlctl serve in place of a table of scores")
    elif told.rows >= _MANY_ROWS:
        rest.append("model: {kind: xgboost, trees: 500, depth: 5, learning_rate: 0.1}  # many rows carry deeper trees")
    return _Sketch(features, label.line(), [*rest, *label.gate_lines()], aside)


def _events(draft: Draft, entity: str, wanted: Wanted, rule: re.Match[str]) -> _Sketch:
    """Rows over time, and a label that looks ahead."""
    source, horizon = rule[1], rule[2]
    if source not in draft.tables:
        why = did_you_mean(source, draft.tables) or f"the tables are {listed(draft.tables)}"
        raise ConfigError.bad_argument(f"--label '{rule[0]}'", why)
    found = draft.tables[source]
    told = found.profile
    time = found.source.get("time")
    if time is None or entity not in found.table.columns:
        why = f"{source} needs a time column and {entity}; its columns are {listed(found.table.columns)}"
        raise ConfigError.bad_argument(f"--label '{rule[0]}'", why)
    first, last = _span(found, time)
    days = (last - first).days
    ahead = duration(horizon)
    if (last - first) < 3 * ahead:
        why = f"{source} spans {days} days: too few for a label of {horizon} in training, gap and test"
        raise ConfigError.bad_argument(f"--label '{rule[0]}'", why)
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
        f"{yaml_name(c.name)}: {{kind: sum, source: {source}, column: {scalar(c.name)}, windows: [{shown}]}}"
        for c in numbers
    ]
    breadth = [c for c in rest_columns if c not in numbers and c.values > 1 and not c.is_free_text]
    kinds = [
        f"{yaml_name(c.name)}_kinds: "
        f"{{kind: n_unique, source: {source}, column: {scalar(c.name)}, windows: [{windows[-1]}]}}"
        for c in breadth
    ]
    features += [*sums[:1], *[f"# {line}" for line in [*sums[1:_NUMBERS_MOST], *kinds[:_BREADTH_MOST]]]]
    lookups, texts = _lookups(draft, source, entity, features, "binary")
    features += lookups
    label = f"label: {{kind: count, source: {source}, horizon: {horizon}, is: 0}}  # none in the {horizon} after"
    as_of = (last + timedelta(days=1)).date()
    evidence = f"{source}_n_{windows[-2]}" if len(windows) > 1 else f"{source}_n"
    rest = [
        f"{_split(wanted, ahead, (first, last))}  # {horizon} lie between training and test",
        *([_encoding(texts)] if texts else []),
        "model: logistic  # the plain one" + ("" if texts else "; model: xgboost is worth a try"),
        f"# decide: {{evidence: {evidence}}}  # who is long gone is easy to foretell: whom is it asked about?",
        f"refresh: {{as_of: {as_of}}}  # the day after the last row; mlctl ingest --latest moves it",
        "gate:",
        "  ranks: {metric: roc_auc, min: 0.6}  # raise it to what you need",
    ]
    return _Sketch(features, label, rest, {})


def _split(wanted: Wanted, ahead: timedelta, span: tuple[datetime, datetime]) -> str:
    """Which moments teach and which judge: those that were named, else counted back from the last row."""
    moments = {"train": _moments("--train", wanted.train, span), "test": _moments("--test", wanted.test, span)}
    if all(moments.values()) and min(moments["test"]) - max(moments["train"]) < ahead:
        why = f"a label looks {ahead.days} days ahead: so many must lie between the last --train and the first --test"
        raise ConfigError.bad_argument(f"--test {wanted.test[0]}", why)
    named = [f"{key}: [{', '.join(str(day.date()) for day in days)}]" for key, days in moments.items() if days]
    if not moments["train"]:
        room = (span[1] - 2 * ahead - span[0]).days
        counted = max(1, min(6, room // max(ahead.days, 30)))
        named.append(f"moments: {counted}, every: {max(ahead.days // 2, 1)}d")
    return f"split: {{kind: time, {', '.join(named)}}}"


def _moments(option: str, texts: Sequence[str], span: tuple[datetime, datetime]) -> list[datetime]:
    found = []
    for text in texts:
        try:
            day = datetime.strptime(text, "%Y-%m-%d")
        except ValueError as error:
            raise ConfigError.bad_argument(f"{option} {text}", "a moment is a day such as 2025-07-01") from error
        if not span[0] < day <= span[1]:
            why = f"the rows lie between {span[0].date()} and {span[1].date()}"
            raise ConfigError.bad_argument(f"{option} {text}", why)
        found.append(day)
    return found


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
        raise ConfigError.bad_argument(f"--time {time}", "no value of it reads as a time")
    return first, last


def _encoding(texts: Sequence[str]) -> str:
    read = ", ".join(f"{name}: {{words: [1, 2], pieces: [2, 5]}}" for name in texts)
    return f"encoding: {{text: {{{read}}}}}  # by runs of 1 and 2 words and pieces of 2 to 5 letters"


def _lookups(draft: Draft, source: str, entity: str, before: Sequence[str], task: Task) -> tuple[list[str], list[str]]:
    """What other tables with one row for each entity say, and which of it are texts.

    Columns whose names are taken, and those that no model of the task reads, are left out.
    """
    taken = {line.partition(":")[0] for line in before}
    lines, texts = [], []
    for name, found in draft.tables.items():
        if name == source or found.profile.key != (entity,):
            continue
        theirs = [c for c in found.profile.columns if c.name not in (entity, found.source.get("time"))]
        deaf = task == "regression"
        clash = [c.name for c in theirs if yaml_name(c.name) in taken or unreadable(c) or (deaf and c.is_free_text)]
        texts += [yaml_name(c.name) for c in theirs if c.is_free_text and c.name not in clash]
        exclude = f", exclude: [{', '.join(scalar(column) for column in clash)}]" if clash else ""
        lines.append(f"{name}: {{kind: lookup, source: {name}, columns: all{exclude}}}  # joined by {entity}")
        taken |= {yaml_name(c.name) for c in found.profile.columns}
    return lines, texts


def _yaml(draft: Draft, wanted: Wanted, entity: str, sketch: _Sketch) -> str:
    lines = [
        *_head(draft, wanted, entity),
        "# what the model sees",
        *[f"# left out: {name}: {why}" for name, why in sketch.left_out.items()],
        "features:",
        *[f"  {line}" for line in sketch.features if not line.startswith("#")],
        *_to_try(sketch.features),
        "",
        "# what is foretold, and how it is judged",
        sketch.label,
        *sketch.rest,
    ]
    return "\n".join(lines) + "\n"


def _head(draft: Draft, wanted: Wanted, entity: str) -> list[str]:
    """The sections that every project begins with: whom it decides about, sources and checks."""
    return [
        f"# Made by mlctl init; edit it. mlctl explain KEY tells what a key can be; mlctl run projects/{wanted.name}",
        f"name: {wanted.name}",
        f"entity: {{key: {scalar(entity)}}}  # whom it decides about",
        "",
        "# where the data comes from",
        *source_lines(draft),
        "",
        "# what the data must hold (it did when drafted); a row that breaks a rule is set aside with the reason",
        *check_lines(draft),
        "",
    ]


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
