"""Who reads a column: the features, the label, the model, the cohorts and the checks of a project.

SQL is read by Polars' own parser. What reads a feature reads the feature's column too: a cohort over `orders_90d` reads
the columns that `orders` counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from mlctl.plan import snake_case
from mlctl.spec import Project

_SQL: Final = frozenset({"where", "that", "sql", "condition"})
_NO_COLUMNS: Final = frozenset(
    {
        "kind",
        "source",
        "target",
        "about",
        "windows",
        "values",
        "one_of",
        "exclude",
        "max_age",
        "when_stale",
        "severity",
        "repair",
        "rule",
    }
)


def readers(project: Project, source: str, column: str) -> tuple[str, ...]:
    """Everything in a project that reads a column of a source, as dotted keys in the order of the YAML.

    Such as `sources.orders.time`, `checks.orders`, `features.spend`, `label`, `model`, `cohorts.silent`, `decide`.
    """
    options = project.sources.get(source)
    of_source = [
        f"sources.{source}.{key}" for key in ("time", "knowledge_time") if getattr(options, key, None) == column
    ]
    if options is not None and column in options.key:
        of_source.append(f"sources.{source}.key")
    found = ["entity"] if column == project.entity.key else []
    found += of_source
    found += [f"checks.{name}" for name, check in project.checks.items() if _reads(check, source, column)]
    made = _features(project, source, column)
    found += [f"features.{name}" for name in project.features if name in made]
    if project.label.source == source and (project.label.column == column or column in _roots(project.label.where)):
        found.append("label")
    if _recommends(project, source, column):
        found.append("items")
    if made:
        found.append("model")
    names = list(project.features)
    found += [
        f"cohorts.{name}"
        for name, condition in project.cohorts.items()
        if any(_is_made(root, made, names) for root in _roots(condition))
    ]
    if project.decide.evidence is not None and _is_made(project.decide.evidence, made, names):
        found.append("decide")
    return tuple(found)


def _recommends(project: Project, source: str, column: str) -> bool:
    """Whether a recommender reads the column: who had which item, and what the items are."""
    items = project.items
    if items is None:
        return False
    of_items = source == items.source and column in (items.key, *items.text, *items.columns)
    return of_items or (source == project.label.source and column == items.key)


def keys_to_change(project: Project, source: str, column: str, renamed: str) -> tuple[str, ...]:
    """The patch that follows a renamed column: for each YAML key, what to write in place of the old name."""
    return tuple(f"{reader}: {column} -> {renamed}" for reader in readers(project, source, column) if "." in reader)


def _features(project: Project, source: str, column: str) -> Mapping[str, frozenset[str] | None]:
    """Features that read the column, and the names of the columns they make of it; None stands for all of theirs."""
    made: dict[str, frozenset[str] | None] = {}
    for name, options in project.features.items():
        if _reads(options, source, column):
            several = getattr(options, "columns", None) is not None
            made[name] = frozenset({snake_case(column)}) if several else None
        elif options.form == "aggregate" and options.source == source and _is_key(project, source, column):
            made[name] = None
        elif options.form == "lookup" and options.source == source and options.columns == "all":
            left_out = {project.entity.key, project.sources[source].time_column(), *options.exclude}
            if column not in left_out:
                made[name] = frozenset({snake_case(column)})
    names, before = list(project.features), -1
    while len(made) != before:
        before = len(made)
        for name, options in project.features.items():
            if options.form == "expression" and any(_is_made(root, made, names) for root in _roots(options.sql)):
                made.setdefault(name, None)
    return made


def _is_key(project: Project, source: str, column: str) -> bool:
    """Whether every aggregate of the source reads the column, named or not."""
    options = project.sources[source]
    return column in (project.entity.key, options.time_column(), options.knowledge_time)


def _is_made(name: str, made: Mapping[str, frozenset[str] | None], features: list[str]) -> bool:
    """Whether a feature column is one of those: `orders_90d` is made by the feature `orders`."""
    for columns in made.values():
        if columns is not None and name in columns:
            return True
    owners = [feature for feature in features if name == feature or name.startswith(f"{feature}_")]
    owner = max(owners, key=len, default="")
    return owner in made and made[owner] is None


def _reads(options: Any, source: str, column: str) -> bool:
    """Whether the options of a kind name a column of the source, in a field, in a list or in SQL."""
    if getattr(options, "target", None) == source:
        theirs = getattr(options, "target_columns", ()) or getattr(options, "columns", ())
        total = getattr(options, "sum", None)
        if column in theirs or (total is not None and total.of == column):
            return True
    if getattr(options, "source", None) != source:
        return False
    return any(word == column for word in _words(options)) or (
        getattr(options, "columns", None) == "all" and not hasattr(options, "form")
    )


def _words(options: BaseModel) -> Iterator[str]:
    """Every column that options may name."""
    for field in type(options).model_fields:
        value = getattr(options, field)
        if field in _SQL:
            yield from _roots(value)
        elif field not in _NO_COLUMNS:
            yield from _names(value)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (str(key) for key in value)
    elif isinstance(value, tuple):
        yield from (item for item in value if isinstance(item, str))
    elif isinstance(value, BaseModel) and hasattr(value, "column"):
        yield str(value.column)


def _roots(sql: str | None) -> list[str]:
    """The columns that an SQL expression names; none where it cannot be parsed, which other checks tell."""
    import polars as pl

    if not sql:
        return []
    try:
        return pl.sql_expr(sql).meta.root_names()
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError):
        return []
