"""The mean of a column over the entity's events in each window; missing where there is no value.

Use it for the typical size of an event. Not for skewed values where one outlier rules: look at `max` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions
from mlctl.features._fixed import fixed_sum, from_fixed, present

if TYPE_CHECKING:
    import polars as pl


class Options(ColumnOptions):
    """Options of a mean."""

    kind: Literal["mean"] = Field(default="mean", description="mean")


EXAMPLE = {"kind": "mean", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None


def tile(options: Options) -> dict[str, pl.Expr]:
    """The sum in whole millionths and the count of present values."""
    return {"total": fixed_sum(options.column), "n": present(options.column)}


def merge(options: Options) -> dict[str, pl.Expr]:
    """Sums and counts add up."""
    import polars as pl

    return {"total": pl.col("total").sum(), "n": pl.col("n").sum()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """Sum by count; missing where no value was present."""
    import polars as pl

    return pl.when(state["n"] > 0).then(from_fixed(state["total"]) / state["n"])
