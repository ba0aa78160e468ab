"""Moments that cannot be, and clocks that disagree.

Use it on every time column. It knows moments that are missing, before the business began, in the future of the
snapshot, or that stand for "no date" (1970-01-01, 2262-04-11, 9999-12-31); events that were known before they happened;
text with more than one UTC offset; groups (`zone_by`) whose hours of the day are those of the others, shifted; and
local time written as UTC, which keeps its hours of the day when the clocks of `local_zone` change. Not for freshness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, needed
from mlctl.checks._findings import of_rows
from mlctl.checks._hours import local_as_utc, offsets, shifted
from mlctl.errors import DataError
from mlctl.findings import Finding
from mlctl.times import Moment, moment_text

if TYPE_CHECKING:
    import polars as pl

# days that programs write for "no date": the epoch, the ends of 64-bit nanoseconds and of the calendar, spreadsheets' 0
_SENTINELS: Final = ("1970-01-01", "1900-01-01", "1899-12-30", "1899-12-31", "2262-04-11", "1677-09-21", "9999-12-31")


class Options(CheckOptions):
    """Options of a check of moments."""

    repairs: ClassVar[tuple[str, ...]] = ("missing",)

    kind: Literal["time"] = Field(default="time", description="time")
    column: str = Field(description="the time column")
    earliest: Moment = Field(
        default="1980-01-01",
        validate_default=True,
        description="the first moment that can be",
    )
    nullable: bool = Field(default=False, description="whether a moment may be missing")
    future: bool = Field(default=False, description="whether moments at or after the snapshot's as_of may be")
    knowledge_time: str | None = Field(
        default=None, description="column of the moment from which the row was known; no event is later"
    )
    zone_by: str | None = Field(
        default=None, description="column of the groups whose clocks may disagree, such as the system a row came from"
    )
    local_zone: str | None = Field(
        default=None, description="zone that the people live in, such as Europe/Berlin, to find local time sold as UTC"
    )

    def rules(self) -> int:
        """Three (impossible, sentinel, future), one for each of knowledge_time, zone_by and local_zone."""
        return 3 + sum(option is not None for option in (self.knowledge_time, self.zone_by, self.local_zone))


EXAMPLE = {"kind": "time", "source": "orders", "column": "ordered_at", "earliest": "2024-01-01"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for each rule, with its rows.

    Raises:
        DataError: A column is missing, or holds no moments.
    """
    import polars as pl

    needed(options.source, table, options.column)
    dtype = table.schema[options.column]
    if dtype == pl.String:
        return _of_text(options, table, context)
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise DataError.bad_time(options.source, options.column, f"it is of type {dtype}")
    rules = _rules(options, table, context)
    code = f"{options.source}.{options.column}"
    findings = []
    rows = context.broken(table, {f"{code}.{word}": broken for word, (broken, _) in rules.items()})
    for word, (_, limit) in rules.items():
        findings += of_rows(
            options, f"{code}.{word}", table, rows[f"{code}.{word}"], column=options.column, limit=limit
        )
    return findings + _of_hours(options, table, context)


def _rules(options: Options, table: pl.DataFrame, context: Context) -> dict[str, tuple[pl.Expr, str]]:
    """For each rule of single rows, where it is broken and what is allowed."""
    import polars as pl

    moment = pl.col(options.column)
    sentinel = moment.dt.date().is_in([pl.Series([day]).str.to_date()[0] for day in _SENTINELS])
    too_early = (moment < options.earliest) & ~sentinel
    impossible = too_early if options.nullable else moment.is_null() | too_early
    rules = {
        "impossible": (impossible, f"{moment_text(options.earliest)} or later"),
        "sentinel": (sentinel, "no day that stands for a missing one"),
    }
    late = pl.lit(False) if options.future else (moment >= context.as_of) & ~sentinel
    rules["future"] = (late & moment.is_not_null(), f"before {moment_text(context.as_of)}")
    if options.knowledge_time is not None:
        needed(options.source, table, options.knowledge_time)
        rules["known_before"] = (moment > pl.col(options.knowledge_time), f"at most {options.knowledge_time}")
    return rules


def _of_hours(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """What the hours of the day tell about clocks."""
    findings, code, where = [], f"{options.source}.{options.column}", f"column {options.column}"
    moments = table[options.column]
    if options.zone_by is not None:
        needed(options.source, table, options.zone_by)
        context.saw(f"{code}.zone", len(moments))
        for group, hours, rows in shifted(moments, table[options.zone_by]):
            value = f"{len(rows):,} rows of {options.zone_by} {group!r} {hours:+d} hours off the others"
            severity = "quarantine" if options.severity == "repair" else options.severity
            findings.append(Finding(severity, f"{code}.zone", where, value, "one clock for all", rows))
    if options.local_zone is not None:
        context.saw(f"{code}.local", len(moments))
        if local_as_utc(moments, options.local_zone):
            value = f"the same hours of the day in summer and winter in UTC, not in {options.local_zone}"
            severity = "warn" if options.severity == "warn" else "fail"
            findings.append(Finding(severity, f"{code}.local", where, value, "UTC"))
    return findings


def _of_text(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """A column that was left as text: which clocks it names."""
    code = f"{options.source}.{options.column}"
    found, usual, rows = offsets(table[options.column])
    for word in range(options.rules()):
        context.saw(f"{code}.offsets.{word}", table.height)
    if len(found) < 2:
        return []
    value = f"{len(rows):,} rows with another offset than {usual} ({', '.join(found)})"
    severity = "quarantine" if options.severity == "repair" else options.severity
    return [Finding(severity, f"{code}.offsets", f"column {options.column}", value, "one UTC offset", rows)]
