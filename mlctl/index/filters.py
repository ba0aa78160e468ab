"""Filters: what may be asked of an item's columns, said the same way in YAML and in a request.

    {genre: fiction}                    the column has this value
    {genre: [fiction, poetry]}          or one of these
    {price: {min: 5, max: 20}}          it lies between, ends included; one end alone is allowed

Several columns must all hold. A missing value never holds. The same filter is a condition in SQL and a mask in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import did_you_mean, listed
from mlctl.times import moment

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from psycopg import sql

_MOST_VALUES: Final = 1000
_OPERATORS: Final = {"min": ">=", "max": "<="}


@dataclass(frozen=True)
class Condition:
    """One comparison: `operator` is `=` (any of several values), `>=` or `<=`."""

    column: str
    kind: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Filter:
    """Conditions that must all hold; none at all lets every item pass."""

    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    @property
    def shape(self) -> tuple[tuple[str, str, str], ...]:
        """What two filters have in common that differ in their values alone."""
        return tuple((one.column, one.kind, one.operator) for one in self.conditions)

    @property
    def values(self) -> dict[str, Any]:
        """The values, by the name that they have in `condition`."""
        return {f"filter_{place}": one.value for place, one in enumerate(self.conditions)}

    def condition(self) -> sql.Composable:
        """The filter as an SQL condition with named parameters; TRUE for none."""
        from psycopg import sql

        told: list[sql.Composable] = []
        for place, one in enumerate(self.conditions):
            form = "{} = ANY(%({})s::{}[])" if one.operator == "=" else f"{{}} {one.operator} %({{}})s::{{}}"
            name, kind = sql.SQL(f"filter_{place}"), sql.SQL(one.kind)
            told.append(sql.SQL(form).format(sql.Identifier(one.column), name, kind))
        return sql.SQL(" AND ").join(told) if told else sql.SQL("TRUE")

    def mask(self, items: pl.DataFrame) -> np.ndarray[Any, Any]:
        """Which items pass: bool (items,)."""
        import numpy as np
        import polars as pl

        passed = np.ones(items.height, dtype=bool)
        for one in self.conditions:
            column = pl.col(one.column)
            if one.operator == "=":
                held = column.is_in(one.value)
            else:
                held = column >= one.value if one.operator == ">=" else column <= one.value
            passed &= items.select(held.fill_null(value=False)).to_series().to_numpy()
        return passed


def read(said: Any, columns: Mapping[str, str]) -> Filter:
    """A filter from YAML or JSON.

    Args:
        said: By column what it must be.
        columns: By column its type in SQL, as `Catalogue.columns`.

    Raises:
        ValueError: A column is not there, or a value is not of its type; the text begins with the column.
    """
    if not isinstance(said, Mapping):
        raise ValueError("filter: wanted an object of columns and what each must be")
    found: list[Condition] = []
    for column, wanted in said.items():
        kind = columns.get(column)
        if kind is None:
            hint = did_you_mean(str(column), columns) or f"there are: {listed(columns) or 'none'}"
            raise ValueError(f"{column}: items have no such column; {hint}")
        found += _conditions(column, kind, wanted)
    return Filter(tuple(found))


def _conditions(column: str, kind: str, wanted: Any) -> list[Condition]:
    if isinstance(wanted, Mapping):
        if not wanted or not wanted.keys() <= _OPERATORS.keys():
            raise ValueError(f"{column}: wanted a value, an array of values, or min and max")
        return [Condition(column, kind, _OPERATORS[end], _value(column, kind, wanted[end])) for end in sorted(wanted)]
    values = wanted if isinstance(wanted, list | tuple) else [wanted]
    if not 0 < len(values) <= _MOST_VALUES:
        raise ValueError(f"{column}: wanted between 1 and {_MOST_VALUES:,} values, not {len(values):,}")
    return [Condition(column, kind, "=", [_value(column, kind, value) for value in values])]


def _value(column: str, kind: str, value: Any) -> Any:
    """A value in the type of its column.

    Raises:
        ValueError: It is of another type.
    """
    if kind == "text" and isinstance(value, str) and "\0" not in value:
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "double precision" and number:
        return float(value)
    if kind == "bigint" and number and value == int(value) and abs(value) < 2**63:
        return int(value)
    if kind in ("date", "timestamptz") and isinstance(value, str | datetime | date):
        try:
            when = moment(str(value))
        except ValueError:
            pass
        else:
            return when.date() if kind == "date" else when.astimezone(UTC)
    raise ValueError(f"{column}: wanted {_WORDS[kind]}, not {value!r}")


_WORDS: Final = {
    "text": "a text",
    "boolean": "true or false",
    "double precision": "a number",
    "bigint": "a whole number",
    "date": "a day such as 2026-11-01",
    "timestamptz": "a moment such as 2026-11-01T12:00:00Z",
}
