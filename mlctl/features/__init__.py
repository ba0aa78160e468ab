"""A feature is a mergeable aggregate of one entity's history strictly before `as_of`, or an expression over such.

An aggregate is two small functions and a way to merge. `tile` says the state of each single event, and by its type
how states are merged: added, the most of them, their flags together, or how many differ. `finalize` turns the merged
state of a window into the value. Merging (`mlctl/plan/windows.py`) gives the same bits however a history is cut and
ordered, because states are integers, moments and flags and never float sums. A *lookup* takes what a slowly changing
table said last, an *expression* is SQL over the features above it. `mlctl/plan/` makes one plan of them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Protocol

from pydantic import Field, model_validator

from mlctl.errors import DataError, first_line
from mlctl.kinds import Record
from mlctl.times import Duration, WindowText

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

Form = Literal["aggregate", "lookup", "expression"]

FIXED_POINT: Final = 1_000_000
"""Sums are kept as whole millionths: integer addition has no order, so threads and tiles cannot change a bit."""

_EXACT_MOST: Final = 2.0**63 * 0.99
_OTHER_ROWS: Final = frozenset({"Agg", "Over", "SubPlan", "Explode", "Correlation", "Quantile"})
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_CLOCK: Final = re.compile(r"\b(?:now\s*\(|current_(?:timestamp|date|time)\b|local(?:timestamp|time)\b)", re.IGNORECASE)


class FeatureOptions(Record):
    """What every feature says, whatever its kind."""

    form: ClassVar[Form]

    kind: str = Field(description="the feature's kind: mlctl explain features")
    about: str = Field(default="", description="what it means, for people")
    max_age: Duration | None = Field(
        default=None, description="how old its source's newest row may be when the feature is used, such as 6h"
    )
    when_stale: Literal["fallback", "missing"] = Field(
        default="fallback",
        description="looked up while its source is older than max_age: the answer falls back, or the value is missing",
    )


class AggregateOptions(FeatureOptions):
    """What every aggregate of events says."""

    form: ClassVar[Form] = "aggregate"

    source: str = Field(description="source of the events; it needs a time column and the entity's key")
    where: str | None = Field(
        default=None, description="SQL condition on the source's columns; other events do not count"
    )
    windows: tuple[WindowText, ...] = Field(
        default=("all",),
        min_length=1,
        description="look-back windows that end at as_of, such as 30d, or all; one feature each",
    )
    by: str | None = Field(
        default=None, description="column whose values are counted apart: one feature for each value of `values`"
    )
    values: tuple[str, ...] = Field(default=(), description="the values of `by` that make a feature of their own")

    @model_validator(mode="after")
    def _values_of_by(self) -> AggregateOptions:
        if (self.by is None) != (not self.values):
            raise ValueError("`by` and `values` belong together")
        return self


class ColumnOptions(AggregateOptions):
    """What an aggregate over one column says."""

    column: str = Field(description="column of the source that is aggregated; missing values do not count")


class Add(NamedTuple):
    """States that are added: [n_events] int64, or None for 1 each."""

    values: Array | None
    recent: bool = False
    """Only the newer half of the window."""


class Most(NamedTuple):
    """States of which the largest stays: [n_events] int64 or float64; `empty` where there is none."""

    values: Array
    empty: float


class Flags(NamedTuple):
    """States that are put together bit by bit: [n_events] int64, 62 flags at most."""

    values: Array


class Distinct(NamedTuple):
    """States of which the different ones are counted: [n_events] int64; -1 does not count."""

    codes: Array


State = Add | Most | Flags | Distinct


class Events(Protocol):
    """The events of one source that a feature reads, each array [n_events] and in one order."""

    time: Array

    def column(self, name: str) -> pl.Series:
        """A column as it is."""
        ...

    def holds(self, condition: str, key: str) -> Array:
        """Whether an SQL condition holds."""
        ...

    def number(self, column: str) -> Array:
        """A column as float64; NaN where it is missing."""
        ...

    def whole(self, column: str) -> Array:
        """A column in whole millionths as int64; 0 where it is missing."""
        ...

    def present(self, column: str) -> Array:
        """Whether a column's value is there: neither missing nor NaN."""
        ...

    def codes(self, column: str) -> tuple[Array, int]:
        """A number for each different value, from 0, and -1 where it is missing; how many there are."""
        ...

    def rank(self, *columns: str) -> Array:
        """The place of each event in time; among those of one moment, by the columns' values."""
        ...


class Rows(Protocol):
    """The rows that values are made for."""

    @property
    def as_of(self) -> Array:
        """[n_rows] microseconds since 1970."""
        ...


class Seen(NamedTuple):
    """The rows that a value is made for.

    Attributes:
        spine: The rows; they say their moments.
        window_us: The window's length; None is the whole history.
        events: What the states were made of.
    """

    spine: Rows
    window_us: int | None
    events: Events

    @property
    def as_of(self) -> Array:
        """[n_rows] microseconds since 1970; made when it is asked for, as most kinds do not."""
        return self.spine.as_of


class Aggregate(Protocol):
    """The functions of an aggregate kind (the module itself satisfies this)."""

    Options: type[AggregateOptions]
    EXAMPLE: dict[str, object]
    EMPTY: float | None
    """The value of an entity without events in the window."""
    READS_AS_OF: bool
    """Whether the value moves with `as_of` though no event enters or leaves; where a kind does not say, it may."""

    def tile(self, options: Any, events: Events) -> dict[str, State]:
        """The states of single events, and how they are merged."""
        ...

    def finalize(self, options: Any, state: Mapping[str, Array], seen: Seen) -> Array | pl.Series:
        """[n_rows] the values, NaN or null where there is none, from the merged states, which stay as they are."""
        ...


def millionths(values: Array) -> Array:
    """Numbers as whole millionths, int64; NaN as 0.

    Raises:
        OverflowError: A value is infinite, or the sum of all would not be exact in 64 bits.

    >>> import numpy as np
    >>> millionths(np.array([0.1, np.nan])).tolist()
    [100000, 0]
    """
    import numpy as np

    scaled = values * FIXED_POINT
    np.rint(scaled, out=scaled)
    largest = _largest(scaled)
    if np.isnan(largest):
        scaled[np.isnan(scaled)] = 0.0
        largest = _largest(scaled)
    if not np.isfinite(largest):
        raise OverflowError("it holds an infinity")
    if largest * len(scaled) >= _EXACT_MOST and float(np.abs(scaled).sum()) >= _EXACT_MOST:
        raise OverflowError(f"values up to {largest / FIXED_POINT:g} do not add up exactly; limit it by a check")
    return np.asarray(scaled.astype(np.int64))


def _largest(values: Array) -> float:
    """Without regard to sign; NaN where one is."""
    import numpy as np

    return float(np.maximum(values.max(initial=0.0), -values.min(initial=0.0)))


def fulfils(table: pl.DataFrame, condition: str, key: str) -> pl.Series:
    """Which rows fulfil an SQL condition; a missing value does not.

    Raises:
        DataError: The condition cannot be computed on this table; `key` names it.
    """
    import polars as pl

    try:
        found = table.select(row_expression(condition).cast(pl.Boolean).fill_null(False)).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(key, condition, first_line(error)) from error
    return found if len(found) == table.height else pl.Series([bool(found[0])] * table.height, dtype=pl.Boolean)


def row_expression(sql: str) -> pl.Expr:
    """An SQL expression whose value in a row hangs on that row alone, so that one row and many have the same value.

    Raises:
        polars.exceptions.SQLInterfaceError: It cannot be parsed, looks at other rows (`avg`, `over`, `count`), or reads
            the clock.
    """
    import polars as pl

    if _CLOCK.search(_QUOTED.sub("", sql)):
        raise pl.exceptions.SQLInterfaceError("it reads the clock; a value may hang on as_of alone")
    expression = pl.sql_expr(sql)
    if _beyond_its_row(json.loads(expression.meta.serialize(format="json"))):
        raise pl.exceptions.SQLInterfaceError("it looks at other rows (an aggregate, a window or a subquery)")
    return expression


def _beyond_its_row(node: Any, key: str = "") -> bool:
    if isinstance(node, dict):
        return any(name in _OTHER_ROWS or _beyond_its_row(value, name) for name, value in node.items())
    if isinstance(node, list):
        return any(_beyond_its_row(item, key) for item in node)
    # the count of rows is a plain word in polars' form; names and texts are not meant
    return node == "Len" and key not in ("Column", "String", "StringOwned")
