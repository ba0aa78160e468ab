"""A source's time column on the UTC time line, and its rows inside a window.

A time without a zone is a guess, and is refused unless the source declares one. Text is read as ISO 8601, also with
different offsets in one column, or by `time_format`. A row without a time is in every window: a read loses no row, and
a check can set it aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.errors import DataError
from mlctl.sources import SourceOptions, Window

if TYPE_CHECKING:
    import polars as pl


def in_window(options: SourceOptions, table: pl.DataFrame, window: Window) -> pl.LazyFrame:
    """The rows whose time lies in the window, the time column as UTC.

    Grain: one row of the source, in its order. Time: `options.time` as Datetime(us, UTC).

    Raises:
        DataError: The time column is missing, has no zone, or holds what is no time.
    """
    import polars as pl

    name = options.time_column()
    if name is None:
        return table.lazy()
    if name not in table.columns:
        raise DataError.missing_column(options.name, name, table.columns, f"sources.{options.name}.time")
    times = _utc(options, name, table[name])
    inside = times.is_null() | (times < window.end)
    if window.start is not None:
        inside &= times.is_null() | (times >= window.start)
    return table.with_columns(times.alias(name)).filter(pl.Series(inside)).lazy()


def _utc(options: SourceOptions, name: str, column: pl.Series) -> pl.Series:
    import polars as pl

    dtype = column.dtype
    if dtype.is_integer() and options.time_format:
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return _parsed(options, name, column)
    if column.null_count() == len(column):
        return column.cast(pl.Datetime("us", "UTC"))
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _placed(options, name, column.cast(pl.Datetime("us")))
    why = f"its values are of type {dtype}" + ("; give time_format" if dtype.is_integer() else "")
    raise DataError.bad_time(options.name, name, why)


def _parsed(options: SourceOptions, name: str, texts: pl.Series) -> pl.Series:
    """Texts as moments: those that carry an offset, and those that hang on the declared zone."""
    import polars as pl

    texts = texts.str.strip_chars().replace("", None)
    if options.time_format:
        aware = any(part in options.time_format for part in ("%z", "%:z", "%#z"))
        if aware:
            moments = texts.str.to_datetime(options.time_format, time_unit="us", time_zone="UTC", strict=False)
        else:
            by_format = "%H" in options.time_format or "%T" in options.time_format or "%I" in options.time_format
            naive = (
                texts.str.to_datetime(options.time_format, time_unit="us", strict=False)
                if by_format
                else texts.str.to_date(options.time_format, strict=False).cast(pl.Datetime("us"))
            )
            moments = _placed(options, name, naive)
        return _complete(options, name, texts, moments)
    table = pl.DataFrame({"text": texts.str.replace("^(\\d{4}-\\d{2}-\\d{2}) ", "${1}T")})
    with_offset = table["text"].str.contains(r"T.*(?:Z|[+-]\d{2}:?\d{2})$").fill_null(False)
    aware_texts = table.select(
        pl.when(with_offset).then(pl.col("text").str.replace("Z$", "+00:00")).otherwise(None).alias("text")
    )["text"]
    aware_moments = aware_texts.str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
    )
    naive_texts = table.select(pl.when(~with_offset).then(pl.col("text")).otherwise(None).alias("text"))["text"]
    naive = _naive_iso(naive_texts)
    if naive.null_count() < len(naive):
        return _complete(options, name, texts, aware_moments.fill_null(_placed(options, name, naive)))
    return _complete(options, name, texts, aware_moments)


def _naive_iso(texts: pl.Series) -> pl.Series:
    import polars as pl

    moments = pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"):
        moments = moments.fill_null(texts.str.to_datetime(form, time_unit="us", strict=False))
    return moments.fill_null(texts.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")))


def _placed(options: SourceOptions, name: str, naive: pl.Series) -> pl.Series:
    """Wall-clock times of the declared zone as UTC; of a time that comes twice in autumn the earlier one."""
    import polars as pl

    if naive.null_count() == len(naive):
        return naive.dt.replace_time_zone("UTC")
    if options.time_zone is None:
        example = naive.drop_nulls()[0]
        raise DataError.bad_time(
            options.name, name, f"{example} has no time zone and sources.{options.name} declares none"
        )
    try:
        local = naive.dt.replace_time_zone(options.time_zone, ambiguous="earliest", non_existent="raise")
    except pl.exceptions.PolarsError as error:
        raise DataError.bad_time(options.name, name, str(error).splitlines()[0]) from error
    return local.dt.convert_time_zone("UTC")


def _complete(options: SourceOptions, name: str, texts: pl.Series, moments: pl.Series) -> pl.Series:
    """The moments, when every text became one."""
    lost: Any = texts.is_not_null() & moments.is_null()
    count = int(lost.sum())
    if count:
        form = options.time_format or "ISO 8601"
        why = f"{count} values are not of the form {form}, such as {texts.filter(lost)[0]!r}"
        raise DataError.bad_time(options.name, name, why)
    return moments
