"""How many rows a table has.

Use it on every source, so that a delivery cut short stops the run. Not for the trend of volumes: that is a monitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.checks import CheckOptions
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl


class Options(CheckOptions):
    """Options of a row count."""

    kind: Literal["rows"] = Field(default="rows", description="rows")
    min: int = Field(default=1, ge=0, description="fewest allowed rows")
    max: int | None = Field(default=None, ge=0, description="most allowed rows")


EXAMPLE = {"kind": "rows", "source": "orders", "min": 1}


def check(options: Options, table: pl.DataFrame) -> list[Finding]:
    """A finding when the count lies outside the limits."""
    if options.min <= table.height and (options.max is None or table.height <= options.max):
        return []
    limit = f"at least {options.min}" if options.max is None else f"{options.min} to {options.max}"
    # a count has no rows to set aside
    severity = "fail" if options.severity == "quarantine" else options.severity
    return [Finding(severity, f"{options.source}.rows", "the table", f"{table.height} rows", limit)]
