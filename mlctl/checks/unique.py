"""Rows that repeat an earlier one: the same key, or the same in every column.

Use it on every table of events: re-delivery is the commonest damage. With `severity: quarantine` the first row stays
and the later copies are set aside; with `repair: drop_duplicate` they are dropped and written down. Not for tables in
which equal rows are two real events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, needed
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a uniqueness check."""

    repairs: ClassVar[tuple[str, ...]] = ("drop_duplicate",)

    kind: Literal["unique"] = Field(default="unique", description="unique")
    columns: tuple[str, ...] | Literal["all"] = Field(default="all", description="columns that identify a row, or all")


EXAMPLE = {"kind": "unique", "source": "orders", "columns": ["order_id"], "severity": "quarantine"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding with every row that repeats an earlier one.

    Raises:
        DataError: A column of the key is missing.
    """
    import polars as pl

    key = list(table.columns) if options.columns == "all" else list(options.columns)
    needed(options.source, table, *key)
    rule = f"{options.source}.duplicate"
    one = pl.col(key[0]) if len(key) == 1 else pl.struct(key)
    rows = context.broken(table, {rule: ~one.is_first_distinct()})[rule]
    if not rows:
        return []
    shown = "all columns" if options.columns == "all" else ", ".join(key)
    first = ", ".join(str(value) for value in table[rows[0], key].row(0)[:3])
    value = f"{len(rows)} repeated rows such as {first[:100]}"
    return [Finding(options.severity, rule, shown, value, "each row once", rows)]
