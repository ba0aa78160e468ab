"""Moments that cannot be: before the business began, or missing.

Use it on every event time. Not for freshness, which asks how late the newest row is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.checks import CheckOptions
from mlctl.errors import DataError
from mlctl.findings import Finding
from mlctl.times import Moment, moment_text

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a check of moments."""

    kind: Literal["time"] = Field(default="time", description="time")
    column: str = Field(description="the time column")
    earliest: Moment = Field(description="the first moment that can be")


EXAMPLE = {"kind": "time", "source": "orders", "column": "ordered_at", "earliest": "2024-01-01"}


def check(options: Options, table: pl.DataFrame) -> list[Finding]:
    """One finding with the rows whose moment is missing or too early.

    Raises:
        DataError: The column is missing or holds no moments.
    """
    import polars as pl

    if options.column not in table.columns:
        raise DataError.missing_column(options.source, options.column, table.columns, f"checks of {options.source}")
    if not isinstance(table.schema[options.column], pl.Datetime):
        why = f"it is of type {table.schema[options.column]}"
        raise DataError.bad_time(options.source, options.column, why)
    impossible = pl.col(options.column).is_null() | (pl.col(options.column) < options.earliest)
    rows = table.select(impossible).to_series().arg_true().to_list()
    if not rows:
        return []
    value = f"{len(rows)} rows such as {table[options.column][rows[0]]}"
    limit = f"from {moment_text(options.earliest)} on"
    rule = f"{options.source}.{options.column}.impossible"
    return [Finding(options.severity, rule, f"column {options.column}", value, limit, tuple(rows))]
