"""How old the newest row is at the snapshot's moment.

Use it on every source that is delivered again and again: a feed that stopped looks whole otherwise. Rows at or after
the snapshot's moment do not count as new. Not for the number of rows: `volume` does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, of_whole
from mlctl.checks._times import time_column
from mlctl.findings import Finding
from mlctl.times import Duration, duration, moment_text

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a check of freshness."""

    repairs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["freshness"] = Field(default="freshness", description="freshness")
    column: str | None = Field(default=None, description="the time column; default: the source's event time")
    max_age: Duration = Field(default="2d", description="how old the newest row may be at as_of, such as 26h")


EXAMPLE = {"kind": "freshness", "source": "orders", "column": "ordered_at", "max_age": "2d"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """A finding when the newest row is too old, or there is none.

    Raises:
        DataError: The column is missing or holds no moments.
    """
    column = time_column(options.source, options.column, table, context)
    rule, limit = f"{options.source}.{column}.stale", f"at most {options.max_age} before {moment_text(context.as_of)}"
    moments = table[column]
    context.saw(rule, len(moments))
    newest = moments.filter(moments < context.as_of).max()
    if newest is not None and context.as_of - newest <= duration(options.max_age):  # type: ignore[operator]
        return []
    # without a single row the age has no end
    value = "no row" if newest is None else f"its newest row at {moment_text(newest)}"  # type: ignore[arg-type]
    return [Finding(of_whole(options.severity), rule, "the table", value, limit)]
