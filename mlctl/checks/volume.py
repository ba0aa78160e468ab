"""Rows a day (or a week) held against the table's own history: gaps, halved and doubled deliveries.

Use it on every table of events. A period is compared with the same weekday of the weeks around it, so that growth,
seasons and quiet Sundays are no findings; what chance alone explains is none either. Periods that are cut off (the
first, and the one of the snapshot's moment) are left out. Not for tables that are delivered whole: `rows` does those.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, of_whole
from mlctl.checks._times import time_column
from mlctl.errors import listed
from mlctl.findings import Finding

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_AROUND: Final = 4
"""Periods of the same weekday before and behind that are compared with."""


class Options(CheckOptions):
    """Options of a check of volume."""

    repairs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["volume"] = Field(default="volume", description="volume")
    column: str | None = Field(default=None, description="the time column; default: the source's event time")
    every: Literal["day", "week"] = Field(default="day", description="the period whose rows are counted")
    low: float = Field(default=0.5, gt=0, lt=1, description="smallest allowed share of the usual count")
    high: float = Field(default=2.0, gt=1, description="largest allowed multiple of the usual count")
    limit: float = Field(default=8.0, gt=0, description="how many spreads (of chance and history) a finding is away")

    def rules(self) -> int:
        """Three: missing, low, high."""
        return 3


EXAMPLE = {"kind": "volume", "source": "orders", "column": "ordered_at", "severity": "warn"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for the periods without a row, one for too few and one for too many rows.

    Raises:
        DataError: The column is missing or holds no moments.
    """
    import numpy as np

    column = time_column(options.source, options.column, table, context)
    code = f"{options.source}.{column}"
    days, counts, seen = _counts(options, table[column], context)
    for word in ("missing", "low", "high"):
        context.saw(f"{code}.volume_{word}", seen)
    if len(counts) < 2 * _AROUND:
        return []
    usual, spread = _usual(counts, 7 if options.every == "day" else 1)
    # roots of counts spread alike, however large the counts are (Anscombe 1948)
    far = 2 * np.abs(np.sqrt(counts) - np.sqrt(usual)) > options.limit * spread
    found = {
        "missing": (counts == 0) & far,
        "low": (counts > 0) & (counts < options.low * usual) & far,
        "high": (counts > options.high * usual) & far,
    }
    findings = []
    for word, mask in found.items():
        if mask.any():
            first = int(np.flatnonzero(mask)[0])
            which = listed([days[int(index)].isoformat() for index in np.flatnonzero(mask)], 5)
            value = f"{int(mask.sum())} {options.every}s ({which}), the first with {int(counts[first])} rows"
            limit = f"about {usual[first]:.0f}, {options.low:g} to {options.high:g} times that"
            findings.append(Finding(of_whole(options.severity), f"{code}.volume_{word}", "the table", value, limit))
    return findings


def _counts(options: Options, moments: pl.Series, context: Context) -> tuple[list[Any], np.ndarray[Any, Any], int]:
    """Each whole period, its count of rows, and the number of rows that were looked at."""
    import numpy as np
    import polars as pl

    # a few strays at 1970 or 2262 must not make a history of centuries
    whole = moments.drop_nulls().to_frame("moment").filter(pl.col("moment") < context.as_of)
    if whole.height == 0:
        return [], np.zeros(0), len(moments)
    low, high = (whole["moment"].quantile(share, "nearest") for share in (0.001, 0.999))
    step = "1d" if options.every == "day" else "1w"
    periods = whole.filter(pl.col("moment").is_between(low, high))["moment"].dt.truncate(step).dt.date()
    counted = dict(periods.value_counts().iter_rows())
    first, last = min(counted), max(counted)
    stride = 1 if options.every == "day" else 7
    length = (last - first).days // stride + 1
    days = [first + timedelta(days=stride * index) for index in range(length)][1:-1]
    return days, np.asarray([counted.get(day, 0) for day in days], dtype=np.float64), len(moments)


def _usual(counts: np.ndarray[Any, Any], season: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The median of the same weekday around each period, and the spread that chance and history explain."""
    import numpy as np

    usual, spread = np.zeros(len(counts)), np.zeros(len(counts))
    for index in range(len(counts)):
        near = [index + season * shift for shift in range(-_AROUND, _AROUND + 1) if shift]
        values = counts[[other for other in near if 0 <= other < len(counts)]]
        if len(values) < 3:
            usual[index], spread[index] = counts[index], np.inf
            continue
        usual[index] = np.median(values)
        deviation = 1.4826 * np.median(np.abs(values - usual[index]))
        spread[index] = np.sqrt(1 + deviation**2 / max(usual[index], 1.0))
    return usual, spread
