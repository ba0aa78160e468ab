"""How many different values of a column the entity's events hold in each window.

Use it for breadth: categories bought, devices used. Not on columns with millions of values per entity: the state is the
set itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions

if TYPE_CHECKING:
    import polars as pl


class Options(ColumnOptions):
    """Options of a distinct count."""

    kind: Literal["n_unique"] = Field(default="n_unique", description="n_unique")


EXAMPLE = {"kind": "n_unique", "source": "orders", "column": "channel", "windows": ["90d"]}
EMPTY = 0.0


def tile(options: Options) -> dict[str, pl.Expr]:
    """The set of present values."""
    import polars as pl

    return {"values": pl.col(options.column).drop_nulls().unique().sort()}


def merge(options: Options) -> dict[str, pl.Expr]:
    """The union of the sets."""
    import polars as pl

    return {"values": pl.col("values").explode(empty_as_null=True).drop_nulls().unique().sort()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """The size of the set."""
    import polars as pl

    return state["values"].list.len().cast(pl.Float64)
