"""How many rows a table has.

Use it on every source, so that a delivery cut short stops the run. Not for rows a day: `volume` does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, of_whole
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a row count."""

    repairs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["rows"] = Field(default="rows", description="rows")
    min: int = Field(default=1, ge=0, description="fewest allowed rows")
    max: int | None = Field(default=None, ge=0, description="most allowed rows")


EXAMPLE = {"kind": "rows", "source": "orders", "min": 1}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """A finding when the count lies outside the limits."""
    rule = f"{options.source}.rows"
    context.saw(rule, table.height)
    if options.min <= table.height and (options.max is None or table.height <= options.max):
        return []
    limit = f"at least {options.min}" if options.max is None else f"{options.min} to {options.max}"
    return [Finding(of_whole(options.severity), rule, "the table", f"{table.height} rows", limit)]
