"""The sum of a column over the entity's events in each window, exact to a millionth.

Use it for money and quantities. Not for values beyond a trillion, or where a millionth matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions
from mlctl.features._fixed import fixed_sum, from_fixed

if TYPE_CHECKING:
    import polars as pl


class Options(ColumnOptions):
    """Options of a sum."""

    kind: Literal["sum"] = Field(default="sum", description="sum")


EXAMPLE = {"kind": "sum", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = 0.0


def tile(options: Options) -> dict[str, pl.Expr]:
    """The sum in whole millionths."""
    return {"total": fixed_sum(options.column)}


def merge(options: Options) -> dict[str, pl.Expr]:
    """Sums add up."""
    import polars as pl

    return {"total": pl.col("total").sum()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """The sum as a number."""
    return from_fixed(state["total"])
