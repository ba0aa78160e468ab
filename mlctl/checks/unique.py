"""Rows that repeat an earlier one: the same key, or the same in every column.

Use it on every table of events: re-delivery is the commonest damage. With `severity: quarantine` the first row stays
and the later copies are set aside. Not for tables in which equal rows are two real events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.checks import CheckOptions
from mlctl.errors import DataError
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a uniqueness check."""

    kind: Literal["unique"] = Field(default="unique", description="unique")
    columns: tuple[str, ...] | Literal["all"] = Field(default="all", description="columns that identify a row, or all")


EXAMPLE = {"kind": "unique", "source": "orders", "columns": ["order_id"], "severity": "quarantine"}


def check(options: Options, table: pl.DataFrame) -> list[Finding]:
    """One finding with every row that repeats an earlier one.

    Raises:
        DataError: A column of the key is missing.
    """
    import polars as pl

    key = list(table.columns) if options.columns == "all" else list(options.columns)
    for column in key:
        if column not in table.columns:
            raise DataError.missing_column(options.source, column, table.columns, f"checks of {options.source}")
    if table.height == 0:
        return []
    repeats = table.select(~pl.struct(key).is_first_distinct()).to_series().arg_true().to_list()
    if not repeats:
        return []
    shown = "all columns" if options.columns == "all" else ", ".join(key)
    rule = f"{options.source}.duplicate"
    return [Finding(options.severity, rule, shown, f"{len(repeats)} repeated rows", "each row once", tuple(repeats))]
