"""Two tables that must agree: every key stands in the other table, as often as declared, and sums are the same.

Use it between a table of events and the table of what they are about (every order has a customer), and between a total
and its parts (an order's amount is the sum of its items). Rows of the table named by `source` are the ones that are set
aside. Not for rules within one table: `sql` does those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mlctl.checks import CheckOptions, Context, needed
from mlctl.checks._findings import of_rows
from mlctl.errors import DataError, listed
from mlctl.findings import Finding
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl


class Sum(Record):
    """A total and the parts in the other table."""

    column: str = Field(description="the total, a column of `source`")
    of: str = Field(description="the parts, a column of `target`")
    tolerance: float = Field(default=0.005, ge=0, description="largest allowed difference, in the unit of the column")


class Options(CheckOptions):
    """Options of a check across tables."""

    kind: Literal["references"] = Field(default="references", description="references")
    columns: tuple[str, ...] = Field(min_length=1, description="columns of `source` that name a row of `target`")
    target: str = Field(description="the other source")
    target_columns: tuple[str, ...] = Field(default=(), description="its columns, in the same order; default: the same")
    at_least: int = Field(default=1, ge=0, description="fewest rows of `target` for each row; 0: it need not be there")
    at_most: int | None = Field(default=None, ge=1, description="most rows of `target` for each row, such as 1")
    sum: Sum | None = Field(default=None, description="a total that must be the sum of its parts")

    @model_validator(mode="after")
    def _pairs(self) -> Options:
        if self.target_columns and len(self.target_columns) != len(self.columns):
            raise ValueError("`target_columns` has another length than `columns`")
        return self

    def rules(self) -> int:
        """One for the key, one for each of at_most and sum."""
        return 1 + (self.at_most is not None) + (self.sum is not None)


EXAMPLE = {"kind": "references", "source": "orders", "columns": ["customer_id"], "target": "customers"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for keys without a row in the other table, one for too many rows, one for sums that differ.

    A key with a missing part names nobody and breaks no rule.

    Raises:
        DataError: The other source or a column is missing, or the two keys are of different types.
    """
    import polars as pl

    other = context.tables.get(options.target)
    if other is None:
        why = f"the project has: {listed(context.tables)}"
        raise DataError.bad_expression(f"checks of {options.source}", f"target: {options.target}", why)
    theirs = list(options.target_columns or options.columns)
    needed(options.source, table, *options.columns, *([options.sum.column] if options.sum else []))
    needed(options.target, other, *theirs, *([options.sum.of] if options.sum else []))
    parts = [pl.len().alias("rows")]
    if options.sum is not None:
        parts.append(pl.col(options.sum.of).cast(pl.Float64).fill_nan(None).sum().alias("sum"))
    mine = table.select(pl.col(name).cast(pl.String).alias(f"key_{i}") for i, name in enumerate(options.columns))
    keys = mine.columns
    named = other.select(
        *(pl.col(name).cast(pl.String).alias(f"key_{i}") for i, name in enumerate(theirs)),
        *([options.sum.of] if options.sum else []),
    )
    counted = mine.join(named.group_by(keys).agg(parts), on=keys, how="left", maintain_order="left")
    if options.sum is not None:
        counted = counted.with_columns(table[options.sum.column].cast(pl.Float64).alias("total"))
    return _judged(options, table, counted, context)


def _judged(options: Options, table: pl.DataFrame, counted: pl.DataFrame, context: Context) -> list[Finding]:
    import polars as pl

    code, column = f"{options.source}.{'_'.join(options.columns)}", options.columns[0]
    whole = pl.all_horizontal(pl.col(f"key_{i}").is_not_null() for i in range(len(options.columns)))
    rows = pl.col("rows").fill_null(0)
    broken = {f"{code}.orphan": whole & (rows < options.at_least)}
    limits = {f"{code}.orphan": f"at least {options.at_least} rows in {options.target}"}
    meant = {f"{code}.orphan": column}
    if options.at_most is not None:
        broken[f"{code}.too_many"] = whole & (rows > options.at_most)
        limits[f"{code}.too_many"], meant[f"{code}.too_many"] = f"at most {options.at_most} in {options.target}", column
    if options.sum is not None:
        sums = f"{options.source}.{options.sum.column}.sum"
        # a difference of exactly the tolerance must not break the rule by its last bit
        broken[sums] = whole & ((pl.col("total") - pl.col("sum")).abs() > options.sum.tolerance * (1 + 1e-9) + 1e-9)
        limits[sums] = f"the sum of {options.target}.{options.sum.of} within {options.sum.tolerance:g}"
        meant[sums] = options.sum.column
    findings = []
    for rule, positions in context.broken(counted, broken).items():
        findings += of_rows(options, rule, table, positions, column=meant[rule], limit=limits[rule])
    return findings
