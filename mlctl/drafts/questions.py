"""What data cannot answer: the questions for the team that owns a table, each with what raised it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mlctl.drafts.joins import Join
from mlctl.drafts.profile import FEW_VALUES, ColumnProfile, TableProfile, snake
from mlctl.errors import listed

_ARRIVAL: Final = r"load|ingest|insert|import|receiv|arriv|_sys_|etl|known"
_ALL: Final = 1.0


def questions(told: TableProfile, source: Mapping[str, Any]) -> list[str]:
    """The questions about one table, the table's own first, then column by column.

    Args:
        told: Its profile.
        source: What is drafted under `sources:` for it.
    """
    asked = [*_of_time(told, source), *_of_rows(told)]
    for column in told.columns:
        asked += [f"{told.name}.{column.name}: {question}" for question in _of_column(column, source)]
    for left, right, how in told.same:
        which = "they are equal in every row" if how == "equal" else "each value of one stands for one of the other"
        asked.append(f"{told.name}: {left} and {right}: {which}. Which of them is kept up, and is the other needed?")
    asked.append(f"{told.name}: who owns it, how often is it delivered, and when are rows changed or deleted?")
    return asked


def questions_of_joins(joins: Sequence[Join]) -> list[str]:
    """The questions about what one table names and another does not know."""
    return [
        f"{join.left}: {1 - join.left_share:.0%} of its values are not in {join.right}. Left out on purpose, or lost?"
        for join in joins
        if join.form != "n:m" and join.left_share < _ALL
    ]


def _of_time(told: TableProfile, source: Mapping[str, Any]) -> Iterator[str]:
    time = source.get("time")
    if time is None:
        yield f"{told.name}: it has no time. Since when is each row true, and are old rows changed?"
        return
    column = told.column(time)
    if not column.has_zone:
        hint = f"; {'; '.join(column.evidence)}" if column.evidence else ""
        yield f"{told.name}.{time}: the times carry no zone. In which zone were they written? (UTC is a guess{hint})"
    others = [c.name for c in told.columns if c.is_time and c.name != time]
    loaded = [name for name in others if re.search(_ARRIVAL, snake(name))]
    hint = f" Is it {listed(loaded)}?" if loaded else ""
    yield f"{told.name}: how long after {time} does a row arrive? Which column says when it was known?{hint}"
    if others:
        yield f"{told.name}: {time} is taken for the event time. Is it, and what do {listed(others)} say?"


def _of_rows(told: TableProfile) -> Iterator[str]:
    if not told.key:
        yield f"{told.name}: no key-like column or pair of them identifies a row. What does?"
    if told.duplicates:
        yield f"{told.name}: {told.duplicates:,} rows repeat others exactly. Are they delivered twice, or two events?"


def _of_column(column: ColumnProfile, source: Mapping[str, Any]) -> Iterator[str]:
    if column.is_constant:
        yield "it has one value only. Was it ever another?" if column.values else "it is empty. What should it hold?"
    if column.unit is None and any("money" in line for line in column.evidence):
        yield "in which currency, before or after tax and returns?"
    elif column.unit is None and any("percent, or" in line for line in column.evidence):
        yield "is it percent or a rate? Its name and its range leave both open."
    elif column.unit == "epoch ms":
        yield "milliseconds since 1970: can it be delivered as a time? Sources read seconds (%s) or texts."
    if column.is_code:
        yield f"it has {column.values} values such as {listed(column.examples)}. What does each mean?"
    if column.personal is not None:
        yield f"it may be a person's {column.personal}. May it be used, and how long kept?"
    if column.unfit:
        yield f"{column.unfit:,} rows are NaN or infinite. What do they mean?"
    if column.blanks:
        yield f"{column.blanks:,} rows are blank and not missing. What is the difference?"
    yield from _of_nothing(column, source)


def _of_nothing(column: ColumnProfile, source: Mapping[str, Any]) -> Iterator[str]:
    """Whether a zero or a missing value means none, or not known."""
    counts = column.kind in ("integer", "number") and column.values > FEW_VALUES
    if 0 < column.missing < column.rows:
        none = "none (0), " if counts else "none, "
        yield f"{column.missing / column.rows:.1%} are missing. Does that mean {none}not known, or not yet?"
    elif counts and column.least is not None and float(column.least) == 0 and column.name not in source.get("key", ()):
        yield "does 0 mean none, or not known?"
