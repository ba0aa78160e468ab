"""A feature is a mergeable aggregate of one entity's history strictly before `as_of`, or an expression over such.

An aggregate is three small functions. `tile` turns events into a state, `merge` joins states, `finalize` turns a state
into the value. Cutting a history anywhere and merging the parts gives the same bits as the whole, because states are
integers, moments and sets and never float sums. A *lookup* takes what a slowly changing table said last, an
*expression* is SQL over the features above it. `mlctl/plan.py` puts the features of a project into one plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration, WindowText

if TYPE_CHECKING:
    import polars as pl

Form = Literal["aggregate", "lookup", "expression"]

FIXED_POINT: Final = 1_000_000
"""Sums are kept as whole millionths: integer addition has no order, so threads and tiles cannot change a bit."""

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


class ColumnOptions(AggregateOptions):
    """What an aggregate over one column says."""

    column: str = Field(description="column of the source that is aggregated; missing values do not count")


class Aggregate(Protocol):
    """The functions of an aggregate kind (the module itself satisfies this)."""

    Options: type[AggregateOptions]
    EXAMPLE: dict[str, object]
    EMPTY: float | None
    """The value of an entity without events in the window."""

    def tile(self, options: Any) -> dict[str, pl.Expr]:
        """State columns from the events of one entity (expressions for a group-by)."""
        ...

    def merge(self, options: Any) -> dict[str, pl.Expr]:
        """State columns from states of parts of the history (expressions for a group-by)."""
        ...

    def finalize(self, options: Any, state: Mapping[str, pl.Expr]) -> pl.Expr:
        """The value, from the state columns and the column `as_of`."""
        ...


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
