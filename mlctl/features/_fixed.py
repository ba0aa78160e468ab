"""Numbers as whole millionths, so that sums do not depend on the order of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlctl.features import FIXED_POINT

if TYPE_CHECKING:
    import polars as pl


def fixed_sum(column: str) -> pl.Expr:
    """The sum of a column in whole millionths (128-bit, it cannot wrap); missing and NaN do not count."""
    import polars as pl

    finite = pl.col(column).cast(pl.Float64).fill_nan(None)
    return (finite * FIXED_POINT).round().cast(pl.Int128).sum()


def present(column: str) -> pl.Expr:
    """How many values of a column are there: neither missing nor NaN."""
    import polars as pl

    return pl.col(column).cast(pl.Float64).fill_nan(None).count().cast(pl.Int64)


def from_fixed(total: pl.Expr) -> pl.Expr:
    """Whole millionths as a number."""
    import polars as pl

    return divided(total.cast(pl.Float64), FIXED_POINT)


def divided(value: pl.Expr, by: int) -> pl.Expr:
    """The value divided by a number, truly: for a constant polars multiplies by its reciprocal, less exactly."""
    return value / (value * 0 + by)
