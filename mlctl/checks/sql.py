"""A rule in SQL: a condition that must be true for every row, such as `amount >= discount`.

Use it for what columns of one row say about each other, and for what no other kind knows. The condition may look at the
whole table (`amount < 100 * avg(amount)`). Where a value is missing it is neither true nor false: `unknown` says what
that means. Not for rules across tables: `references` does those.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context
from mlctl.errors import DataError, did_you_mean, first_line
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_CLOCK: Final = re.compile(r"\b(?:now\s*\(|current_(?:timestamp|date|time)\b|local(?:timestamp|time)\b)", re.IGNORECASE)


class Options(CheckOptions):
    """Options of a rule in SQL."""

    kind: Literal["sql"] = Field(default="sql", description="sql")
    condition: str = Field(min_length=1, max_length=2000, description="SQL condition on the source's columns")
    rule: str = Field(default="sql", pattern="^[a-z_][a-z0-9_]*$", description="the reason code, behind the source")
    column: str | None = Field(default=None, description="the column that a repair changes")
    unknown: Literal["breaks", "passes"] = Field(
        default="breaks", description="what a row is for which the condition is neither true nor false"
    )


EXAMPLE = {"kind": "sql", "source": "orders", "rule": "not_negative", "condition": "amount >= 0"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding with the rows for which the condition is not true.

    Raises:
        DataError: The condition cannot be computed on this table, or reads the clock.
    """
    import polars as pl

    code, where = f"{options.source}.{options.rule}", f"checks of {options.source}"
    if _CLOCK.search(_QUOTED.sub("", options.condition)):
        raise DataError.bad_expression(where, options.condition, "it reads the clock; a snapshot has one moment")
    try:
        condition = pl.sql_expr(options.condition)
        for name in condition.meta.root_names():
            if name not in table.columns:
                raise DataError.missing_column(options.source, name, table.columns, where)
        true = condition.cast(pl.Boolean).fill_null(options.unknown == "passes")
        # an empty column in front makes a condition without columns as long as the table
        marked = table.select(pl.int_range(pl.len()).alias("row"), (~true).alias("broken"))
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise DataError.bad_expression(where, options.condition, first_line(error)) from error
    rows = context.broken(marked, {code: pl.col("broken")})[code]
    if not rows:
        return []
    shown = list(dict.fromkeys(condition.meta.root_names()))[:4]
    example = ", ".join(f"{name} {table[name][rows[0]]}"[:60] for name in shown)
    return [_finding(options, code, table, rows, example)]


def _finding(options: Options, code: str, table: pl.DataFrame, rows: tuple[int, ...], example: str) -> Finding:
    from mlctl.checks._findings import mend

    value = f"{len(rows):,} rows such as {example or 'the first'}"
    if options.severity != "repair" or options.repair is None:
        return Finding(options.severity, code, "the table", value, options.condition, rows)
    if options.column not in table.columns:
        why = did_you_mean(options.column or "", table.columns) or "a repair needs the `column` that it changes"
        raise DataError.bad_expression(f"checks of {options.source}", f"column: {options.column}", why)
    mended = mend(options.repair, table[options.column][list(rows)])
    return Finding("repair", code, f"column {options.column}", value, options.condition, rows, options.column, mended)
