"""The largest value of a column over the entity's events in each window; missing where there is no value.

Use it for extremes that mean something by themselves. Not on columns with unit errors: one bad row decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions

if TYPE_CHECKING:
    import polars as pl


class Options(ColumnOptions):
    """Options of a max."""

    kind: Literal["max"] = Field(default="max", description="max")


EXAMPLE = {"kind": "max", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None


def tile(options: Options) -> dict[str, pl.Expr]:
    """The largest present value."""
    import polars as pl

    return {"max": pl.col(options.column).cast(pl.Float64).fill_nan(None).max()}


def merge(options: Options) -> dict[str, pl.Expr]:
    """The largest of the parts."""
    import polars as pl

    return {"max": pl.col("max").max()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """The value itself."""
    return state["max"]
