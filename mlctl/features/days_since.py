"""Days from the entity's last (or first) event in each window to `as_of`; missing where there is none.

Use it for recency (`event: last`) and for age (`event: first`). The value is at least 0 and counts parts of days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.features import AggregateOptions
from mlctl.features._fixed import divided

if TYPE_CHECKING:
    import polars as pl

_DAY_US: Final = 86_400_000_000


class Options(AggregateOptions):
    """Options of a recency."""

    kind: Literal["days_since"] = Field(default="days_since", description="days_since")
    event: Literal["first", "last"] = Field(
        default="last", description="which event of the window the days are counted from"
    )


EXAMPLE = {"kind": "days_since", "source": "orders", "windows": ["all"], "event": "last"}
EMPTY = None


def tile(options: Options) -> dict[str, pl.Expr]:
    """The moment of the last or first event."""
    import polars as pl

    moments = pl.col("event_time")
    return {"moment": moments.max() if options.event == "last" else moments.min()}


def merge(options: Options) -> dict[str, pl.Expr]:
    """The latest or earliest of the moments."""
    import polars as pl

    moments = pl.col("moment")
    return {"moment": moments.max() if options.event == "last" else moments.min()}


def finalize(options: Options, state: Mapping[str, pl.Expr]) -> pl.Expr:
    """Days up to `as_of`."""
    import polars as pl

    microseconds = (pl.col("as_of") - state["moment"]).dt.total_microseconds()
    return divided(microseconds.cast(pl.Float64), _DAY_US)
