"""Numbers far from all others, and stretches in another unit: euros that were delivered in cents for a day.

Use it on amounts and measurements. `method: tail` (the default) continues the table's own tail and is safe for skewed
and heavy-tailed columns; `mad` (median and median absolute deviation, Iglewicz and Hoaglin 1993) and `iqr` (Tukey's far
fences) are stricter and meant for columns that are near a bell curve. With `time` (and `by`), a period of a group whose
median lies a factor of 10, 100 or 1000 off all others of its group is told as a change of unit, with the ratio and the
first moment; `repair: {scale: 0.01}` mends exactly those rows. Not for a slow drift: a monitor tells that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, Scale, needed
from mlctl.checks._findings import Told, of_rows
from mlctl.checks._times import time_column
from mlctl.checks._units import Stretch, stretches
from mlctl.errors import DataError
from mlctl.findings import Finding, Severity

if TYPE_CHECKING:
    import polars as pl

_LIMITS: Final = {"tail": 3.0, "mad": 10.0, "iqr": 3.0}
_FEWEST: Final = 30
"""Values below which no table has a tail."""


class Options(CheckOptions):
    """Options of a check for outliers."""

    repairs: ClassVar[tuple[str, ...]] = ("missing", "clip", "default", "scale")

    kind: Literal["outliers"] = Field(default="outliers", description="outliers")
    column: str = Field(description="the column of numbers")
    method: Literal["tail", "mad", "iqr"] = Field(default="tail", description="how the fences are found")
    limit: float | None = Field(
        default=None, gt=0, description="how far out the fences are; default: 3 for tail and iqr, 10 for mad"
    )
    by: tuple[str, ...] = Field(default=(), description="columns of groups that have a unit of their own")
    time: str | None = Field(default=None, description="time column: look for periods in another unit")
    every: Literal["day", "week", "month"] = Field(default="day", description="the period that has one unit")

    def rules(self) -> int:
        """Two: single values, and units where a time is named."""
        return 1 + (self.time is not None)


EXAMPLE = {"kind": "outliers", "source": "orders", "column": "amount", "severity": "quarantine"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for each stretch in another unit, and one for single values beyond the fences.

    Raises:
        DataError: A column is missing, or holds no numbers.
    """
    import polars as pl

    needed(options.source, table, options.column, *options.by)
    numbers = table[options.column]
    if numbers.null_count() == len(numbers):
        numbers = numbers.cast(pl.Float64)
    if not numbers.dtype.is_numeric():
        code = f"checks of {options.source}"
        raise DataError.bad_expression(code, options.column, f"it is of type {numbers.dtype}, outliers are numbers")
    code = f"{options.source}.{options.column}"
    findings, in_stretches = [], set[int]()
    if options.time is not None:
        time_column(options.source, options.time, table, context)
        context.saw(f"{code}.unit", len(numbers))
        for stretch in stretches(table, options.column, options.time, options.by, options.every):
            findings += _unit(options, f"{code}.unit", table, stretch)
            in_stretches |= set(stretch.rows)
    low, high = _fences(options, numbers)
    value = pl.col(options.column)
    outside = (
        (value < low) | (value > high) | value.is_infinite()
        if numbers.dtype.is_float()
        else ((value < low) | (value > high))
    )
    rows = context.broken(table, {f"{code}.outlier": outside})[f"{code}.outlier"]
    # a whole day in cents is one finding, not a finding and its rows once more
    rows = tuple(row for row in rows if row not in in_stretches) if in_stretches else rows
    limit = f"{low:.6g} to {high:.6g}"
    # a factor mends a unit and no single value
    severity: Severity = "quarantine" if isinstance(options.repair, Scale) else options.severity
    told: Told = {"column": options.column, "limit": limit, "severity": severity, "low": low, "high": high}
    return findings + of_rows(options, f"{code}.outlier", table, rows, **told)


def _unit(options: Options, code: str, table: pl.DataFrame, stretch: Stretch) -> list[Finding]:
    scale = options.repair.scale if isinstance(options.repair, Scale) else None
    severity = options.severity
    if severity == "repair" and (scale is None or not 0.5 < scale * stretch.factor < 2):
        # another unit than the declared one
        severity = "quarantine"
    what = f"values {stretch.told()},"
    limit = f"a median near {stretch.usual:.6g}"
    return of_rows(options, code, table, stretch.rows, column=options.column, limit=limit, what=what, severity=severity)


def _fences(options: Options, numbers: pl.Series) -> tuple[float, float]:
    """The smallest and the largest number that is not told; infinite where the values do not say."""
    import numpy as np

    infinite = float("inf")
    values = numbers.drop_nulls().to_numpy().astype(np.float64)
    values = values[np.isfinite(values)]
    limit = options.limit or _LIMITS[options.method]
    if len(values) < _FEWEST:
        return -infinite, infinite
    middle = float(np.median(values))
    if options.method == "mad":
        reach = limit * 1.4826 * float(np.median(np.abs(values - middle)))
        return (middle - reach, middle + reach) if reach else (-infinite, infinite)
    if options.method == "iqr":
        low, high = (float(np.quantile(values, share)) for share in (0.25, 0.75))
        return (low - limit * (high - low), high + limit * (high - low)) if high > low else (-infinite, infinite)
    away = np.sort(np.abs(values - middle))
    half, far = away[len(away) // 2], away[min(len(away) - 2, int(len(away) * 0.99))]
    # from the half to the hundredth part of the values the deviation grows by this factor; the tail goes on so
    reach = float(far * (far / half) ** limit) if half > 0 else infinite
    return (middle - reach, middle + reach) if np.isfinite(reach) else (-infinite, infinite)
