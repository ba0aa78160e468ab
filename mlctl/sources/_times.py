"""A source's times on the UTC time line, and its rows inside a window.

A time without a zone is a guess, and is refused unless the source declares one; a date is the midnight of the declared
zone. Of a local time that comes twice in autumn the earlier moment is taken, one that spring jumps over is refused.
Text is read as ISO 8601, also with different offsets in one column, or by `time_format`. A row without a time is in
every window: a read loses no row, and a check can set it aside. The moment from which a row was known obeys the same
rules; where it is missing, the row was known at its event time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from mlctl.errors import DataError
from mlctl.sources import SourceOptions, Window

if TYPE_CHECKING:
    import polars as pl

Place = Callable[[int], str]
"""Tells where a row stands, as ` on line 7 of a.csv`."""

_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
_CLOCK: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?"
# other ways to write ISO 8601, brought to `2026-11-01T06:30:00.5+01:00`
_SAME: Final = (
    (r"^(\d{4}-\d{2}-\d{2})[ t](\d)", "${1}T${2}"),
    (r"^(.{10}T.*\d) ?(?:Z|z|UTC)$", "${1}+00:00"),
    (r"^(.{10}T\d{2}:\d{2})( ?[+-].*)?$", "${1}:00${2}"),
    (r"^(.{10}T.*\d) ?([+-]\d{2})$", "${1}${2}:00"),
    (r"^(.{10}T.*\d) ?([+-]\d{2}):?(\d{2})$", "${1}${2}:${3}"),
    (r"^(.{10}T.{8}),(\d)", "${1}.${2}"),
)
# directives of strftime that name a moment by themselves, or the time of day
_ZONED: Final = re.compile(r"%(?:[#:]*z|\+|s)")
_OF_DAY: Final = re.compile(r"%-?[HIklTRrXc]")
_GLUED: Final = re.compile(r"%[YmdHMSyj]%[YmdHMSyj]")


def in_window(options: SourceOptions, table: pl.DataFrame, window: Window, place: Place | None = None) -> pl.LazyFrame:
    """The rows whose time lies in the window or is missing, the times as UTC.

    Args:
        options: The source's options.
        table: All rows, the time columns as they were read.
        window: The half-open window.
        place: Tells where a row stands, as ` on line 7 of a.csv`, for messages.

    Grain: one row of the source, in its order. Time: `options.time_column()` and `options.knowledge_time` as
    Datetime(us, UTC).

    Raises:
        DataError: A time column is missing, has no zone, or holds what is no time.
    """
    import polars as pl

    moments = []
    for key, name in (("time", options.time_column()), ("knowledge_time", options.knowledge_time)):
        if name is not None:
            moments.append(on_utc_line(options, table, (key, name), place))
    table = table.with_columns(moments)
    name = options.time_column()
    if name is None:
        return table.lazy()
    moment = pl.col(name)
    inside = moment < window.end
    if window.start is not None:
        inside &= moment >= window.start
    return table.lazy().filter(moment.is_null() | inside)


def on_utc_line(
    options: SourceOptions, table: pl.DataFrame, named: tuple[str, str], place: Place | None = None
) -> pl.Series:
    """A column as moments: Datetime(us, UTC) whatever type it came in.

    Args:
        options: Say the zone and the form.
        table: Holds the column.
        named: The option that names the column, and the column.
        place: As in `in_window`.

    Raises:
        DataError: The column is missing, has no zone, or holds what is no time.
    """
    key, name = named
    if name not in table.columns:
        raise DataError.missing_column(options.name, name, table.columns, f"sources.{options.name}.{key}")
    return _utc(_Column(options, key, name, place), table[name]).alias(name)


class _Column(NamedTuple):
    """A time column and where it was named, for messages."""

    options: SourceOptions
    key: str
    name: str
    place: Place | None

    def refused(self, why: str, row: int | None = None) -> DataError:
        where = self.place(row) if self.place is not None and row is not None else ""
        return DataError.bad_time(self.options.name, self.name, why + where, self.key)


def _utc(named: _Column, column: pl.Series) -> pl.Series:
    """The column as Datetime(us, UTC), whatever type it came in."""
    import polars as pl

    form = named.options.time_format
    if column.null_count() == len(column):
        return pl.Series(named.name, [None] * len(column), dtype=pl.Datetime("us", "UTC"))
    dtype = column.dtype
    if dtype == pl.String or (dtype.is_integer() and form):
        texts = column.cast(pl.String).str.strip_chars()
        texts = texts.set(texts == "", None)
        moments = _by_format(named, texts) if form else _iso(named, texts)
        return _complete(named, texts, moments)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _placed(named, column.cast(pl.Datetime("us")))
    raise named.refused(f"its values are of type {dtype}" + ("; give time_format" if dtype.is_integer() else ""))


def _iso(named: _Column, texts: pl.Series) -> pl.Series:
    """ISO 8601 texts as moments: those with an offset, and those that hang on the declared zone."""
    import polars as pl

    for pattern, same in _SAME:
        texts = texts.str.replace(pattern, same)

    def shaped(pattern: str) -> pl.Series:
        return texts.set(~texts.str.contains(pattern).fill_null(False), None)

    aware = shaped(_CLOCK + r"[+-]\d{2}:\d{2}$").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False
    )
    clocks = shaped(_CLOCK + "$").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    dates = shaped(_DATE).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return aware.fill_null(_placed(named, clocks.fill_null(dates)))


def _by_format(named: _Column, texts: pl.Series) -> pl.Series:
    """Texts of the declared form as moments."""
    import polars as pl

    form = named.options.time_format or ""
    if _ZONED.search(form):
        return texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    if _OF_DAY.search(form):
        naive = texts.str.to_datetime(form, time_unit="us", strict=False)
    else:
        naive = texts.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    # the parser would take 24 for the year 0024, and 1997012 for 1997-01-02
    certain = pl.Series([True] * len(texts))
    if "%Y" in form:
        read = pl.DataFrame({"text": texts, "year": naive.dt.strftime("%Y")})
        certain &= read.select(pl.col("text").str.contains(pl.col("year"), literal=True)).to_series()
    if _GLUED.search(form):
        certain &= naive.dt.strftime(form) == texts
    return _placed(named, naive.set(~certain.fill_null(False), None))


def _placed(named: _Column, naive: pl.Series) -> pl.Series:
    """Wall-clock times of the declared zone as UTC; of a time that comes twice in autumn the earlier one."""
    import polars as pl

    if naive.null_count() == len(naive):
        return naive.dt.replace_time_zone("UTC")
    zone = named.options.time_zone
    if zone is None:
        row = naive.is_not_null().arg_max() or 0
        raise named.refused(f"{naive[row]} has no time zone and sources.{named.options.name} declares none", row)
    try:
        local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    except pl.exceptions.PolarsError as error:
        raise named.refused(f"{zone!r} is not an IANA time zone") from error
    skipped = (naive.is_not_null() & local.is_null()).arg_true()
    if len(skipped):
        example = naive[skipped[0]]
        why = f"{len(skipped)} values do not exist in {zone}, whose clock jumps over them, such as {example}"
        raise named.refused(why, skipped[0])
    return local.dt.convert_time_zone("UTC")


def _complete(named: _Column, texts: pl.Series, moments: pl.Series) -> pl.Series:
    """The moments, when every text became one."""
    lost = (texts.is_not_null() & moments.is_null()).arg_true()
    if len(lost):
        form = named.options.time_format or "ISO 8601"
        raise named.refused(f"{len(lost)} values are not of the form {form}, such as {texts[lost[0]]!r}", lost[0])
    return moments
