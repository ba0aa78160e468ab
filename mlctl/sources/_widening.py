"""Brings the columns of several tables to one type, where that loses nothing.

Whole numbers become wider whole numbers or floats, floats become wider floats, moments take the finer unit; each only
when every value comes back from the wider type as it was. Nothing else is the same type: neither text and number, nor
date and moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.sources._files import Piece

if TYPE_CHECKING:
    import polars as pl

_UNITS: Final = ("ms", "us", "ns")


def stacked(source: str, kind: str, files: Sequence[Piece], parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The files' rows behind each other, each column in the narrowest type that holds every value.

    Args:
        source: The source's name.
        kind: Its kind, for messages.
        files: The files.
        parts: Their tables, of the same columns in the same order.

    Grain: one row of the files, in their order. Time: as the files have it.

    Raises:
        DataError: A column has types that do not go together, or a value would change.
    """
    import polars as pl

    columns: dict[Any, Any] = {}
    schemas = [part.schema for part in parts]
    for name, own in schemas[0].items():
        target, first = own, files[0]
        for file, schema in zip(files[1:], schemas[1:], strict=True):
            here = schema[name]
            wider = _wider(target, here)
            if wider is None:
                why = f"column {name} is {here} here and {target} in {first.name}"
                raise DataError.not_of_kind(source, kind, str(file), why)
            if wider != target:
                target, first = wider, file
        for file, part in zip(files, parts, strict=True):
            changed = _changed(part[name], target)
            if changed is not None:
                why = f"column {name} is {target} in other files, and {changed} would become another value"
                raise DataError.not_of_kind(source, kind, str(file), why)
        columns[name] = target
    return pl.concat([part.cast(columns) for part in parts])


def _wider(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type that both fit into, or None."""
    import polars as pl

    if one == other:
        return one
    if pl.Null in (one, other):
        return other if one == pl.Null else one
    if isinstance(one, pl.Datetime) and isinstance(other, pl.Datetime) and one.time_zone == other.time_zone:
        return max(one, other, key=lambda dtype: _UNITS.index(dtype.time_unit))
    whole = one.is_integer() and other.is_integer()
    if whole and one.is_signed_integer() == other.is_signed_integer():
        return max(one, other, key=_bits)
    if whole:
        return pl.Int64()
    numbers = all(dtype.is_integer() or dtype.is_float() for dtype in (one, other))
    return pl.Float64() if numbers else None


def _bits(dtype: pl.DataType) -> int:
    return int("".join(filter(str.isdigit, str(dtype))))


def _changed(column: pl.Series, target: pl.DataType) -> object | None:
    """A value that does not come back from the wider type, or None."""
    if column.dtype == target or column.null_count() == len(column):
        return None
    back = column.cast(target, strict=False).cast(column.dtype, strict=False)
    lost = column.is_not_null() & ~column.eq_missing(back)
    if column.dtype.is_float():
        return None
    return column.filter(lost)[0] if lost.any() else None
