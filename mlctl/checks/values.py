"""Columns that stopped telling anything: all missing, one value only, or a class that no longer comes.

Use it on labels, categories and everything that features read. With `time`, a value that held at least `share` of the
rows all along and has none in the newest `recent` is told as vanished, and one that held none before as new. Not for
which values are allowed: `columns` with `one_of` knows that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, needed, of_whole
from mlctl.checks._findings import example
from mlctl.checks._times import time_column
from mlctl.findings import Finding
from mlctl.times import Duration, duration

if TYPE_CHECKING:
    import polars as pl

_FEWEST: Final = 30
"""Rows below which one value may be chance."""
_MOST_VALUES: Final = 1000


class Options(CheckOptions):
    """Options of a check of values."""

    repairs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["values"] = Field(default="values", description="values")
    columns: tuple[str, ...] = Field(min_length=1, description="columns to look at")
    time: str | None = Field(default=None, description="time column: hold the newest rows against those before")
    recent: Duration = Field(default="30d", description="how far back from as_of the newest rows go")
    share: float = Field(default=0.05, gt=0, le=1, description="smallest share that a value is expected to keep")

    def rules(self) -> int:
        """Two a column (empty, constant), and two more (vanished, new) where a time is named."""
        return len(self.columns) * (2 + 2 * (self.time is not None))


EXAMPLE = {"kind": "values", "source": "orders", "columns": ["order_id"], "severity": "warn"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for each column and rule.

    Raises:
        DataError: A column is missing, or the time holds no moments.
    """
    needed(options.source, table, *options.columns)
    if options.time is not None:
        time_column(options.source, options.time, table, context)
    findings = []
    for name in options.columns:
        column, code, where = table[name], f"{options.source}.{name}", f"column {name}"
        context.saw(f"{code}.empty", len(column))
        context.saw(f"{code}.constant", len(column))
        known = column.drop_nulls()
        severity = of_whole(options.severity)
        if len(known) == 0 and len(column):
            value = f"{len(column):,} missing values and no other"
            findings.append(Finding(severity, f"{code}.empty", where, value, "values"))
        elif len(known) >= _FEWEST and (known == known[0]).all():
            value = f"{example(known[0])} in all {len(known):,} rows"
            findings.append(Finding(severity, f"{code}.constant", where, value, "more than one value"))
        if options.time is not None:
            findings += _moved(options, table, name, context)
    return findings


def _moved(options: Options, table: pl.DataFrame, name: str, context: Context) -> list[Finding]:
    """Values that vanished from the newest rows, and values that only those have."""
    import polars as pl

    code, where = f"{options.source}.{name}", f"column {name}"
    border = context.as_of - duration(options.recent)
    rows = table.select(pl.col(name).alias("value"), (pl.col(options.time or "") >= border).alias("recent"))
    context.saw(f"{code}.vanished", rows.height)
    context.saw(f"{code}.new", rows.height)
    rows = rows.drop_nulls()
    totals = dict(rows["recent"].value_counts().iter_rows())
    if rows["value"].n_unique() > _MOST_VALUES or len(totals) < 2:
        return []
    counts = rows.group_by("value").agg(new=pl.col("recent").sum(), old=(~pl.col("recent")).sum()).sort("value")
    findings = []
    for word, own, other in (("vanished", "old", "new"), ("new", "new", "old")):
        own_rows, other_rows = totals[own == "new"], totals[other == "new"]
        for value, count in counts.filter(pl.col(other) == 0).select("value", own).iter_rows():
            share = count / own_rows
            # by chance none of n rows has a value of share s with probability (1 - s) ** n
            if share >= options.share and share * other_rows > 20:
                told = f"{example(value)} in {share:.1%} of the rows {'before' if own == 'old' else 'since'}"
                limit = f"some in the {'newest' if own == 'old' else 'older'} {options.recent}"
                findings.append(Finding(of_whole(options.severity), f"{code}.{word}", where, told, limit))
    return findings
