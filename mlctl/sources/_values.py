"""Columns from plain values, typed by every one of them and never by the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

_EXACT_MOST: Final = 2**53
_INTEGER_MOST: Final = 2**63


class MixedError(ValueError):
    """A column holds values that no one type has; says which row is the first of another type."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


def typed(name: str, values: Sequence[Any], hold: Callable[[Any], str] = lambda value: "") -> pl.Series:
    """A column of the type that all its values have: boolean, integer, number, text or bytes as they came.

    Args:
        name: The column's name.
        values: One value a row; None is missing.
        hold: Names what a value is that is no plain value, such as `an object`; empty for plain ones.

    Raises:
        MixedError: Values of several types, nested ones, or whole numbers beyond 64 bits.
    """
    import polars as pl

    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if value is None:
            continue
        if nested := hold(value):
            raise MixedError(row, f"column {name} holds {nested}")
        if isinstance(value, int) and not isinstance(value, bool) and not -_INTEGER_MOST <= value < _INTEGER_MOST:
            raise MixedError(row, f"column {name} holds {value}, which is beyond 64 bits; write it as text")
        first.setdefault(_word(value), row)
    if not first:
        return pl.Series(name, [None] * len(values), dtype=pl.String)
    if set(first) == {"whole number", "number"}:
        large = next(
            (row for row, value in enumerate(values) if isinstance(value, int) and abs(value) > _EXACT_MOST), None
        )
        if large is not None:
            raise MixedError(large, f"column {name} holds {values[large]}, which is not exact beside fractions")
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if len(first) > 1:
        (one, _), (other, row) = sorted(first.items(), key=lambda item: item[1])[:2]
        raise MixedError(row, f"column {name} holds a {other} where it held a {one} before")
    types = {"text": pl.String, "whole number": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}
    word = next(iter(first))
    return pl.Series(name, values, dtype=types.get(word))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "whole number"
    if isinstance(value, float):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__
