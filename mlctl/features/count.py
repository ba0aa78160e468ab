"""How many events the entity had in each window.

Use it as the plainest measure of activity. Not for how much: `sum` adds a column up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import AggregateOptions

if TYPE_CHECKING:
    import polars as pl


class Options(AggregateOptions):
    """Options of a count."""

    kind: Literal["count"] = Field(default="count", description="count")


EXAMPLE = {"kind": "count", "source": "orders", "windows": ["30d", "90d"]}
EMPTY = 0.0


def tile(options: Options) -> dict[str, pl.Expr]:
    """The count of events."""
    import polars as pl

    return {"n": pl.len().cast(pl.Int64)}


def merge(options: Options) -> dict[str, pl.Expr]:
    """Counts add up."""
    import polars as pl

    return {"n": pl.col("n").sum()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """The count as a number."""
    import polars as pl

    return state["n"].cast(pl.Float64)
