"""The values of a CSV column: in their declared type, or in the narrowest that every one of them has.

With `decimal: ","` and `thousands: "."` a number is `1.234,5`; what is written otherwise is none, and stays a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from mlctl.errors import DataError
from mlctl.sources._times import Place

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources._csv_options import CsvOptions

_INTEGER: Final = r"^(?:0|-?[1-9][0-9]{0,18})$"
_WHOLE: Final = r"^[+-]?[0-9]{1,40}$"
_NUMBER: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"
# a number would lose the zeros in front, the last digits beyond 2**53, or the plus of a telephone number
_CODE: Final = r"^(?:[+-]?(?:0[0-9].*|[0-9]{16,}(?:\..*)?)|\+[0-9]{7,})$"
# no number can be read from it, and no file holds it
_NO_NUMBER: Final = "\0"


def typed(options: CsvOptions, texts: pl.Series, place: Place) -> pl.Series:
    """A column in its declared type, or in the narrowest that every value has.

    Args:
        options: The source's options.
        texts: The column as text; missing values are null.
        place: Tells where a row stands.

    Raises:
        DataError: A value is not of the declared type.
    """
    declared = options.types.get(texts.name)
    if declared is None and texts.null_count() == len(texts):
        return texts
    stripped = texts.str.strip_chars()
    values = _plain(options, stripped)
    if declared == "text" or declared == "time":  # noqa: PLR1714 - mypy narrows a comparison, and no set
        return texts
    if declared is not None:
        column = _as(declared, stripped if declared == "boolean" else values, _WHOLE)
        wrong = (column.is_null() & values.is_not_null()).arg_true()
        if len(wrong):
            example = f"{texts[wrong[0]]!r}{place(wrong[0])}"
            why = f"column {texts.name}: {len(wrong)} values are no {declared}, such as {example}"
            raise DataError.not_of_kind(options.name, "csv", options.path, why)
        return column
    for kind in ("integer", "number", "boolean"):
        column = _as(kind, stripped if kind == "boolean" else values, _INTEGER)
        coded = kind == "number" and values.str.contains(_CODE).any()
        if not coded and column.null_count() == values.null_count():
            return column
    return texts


def _plain(options: CsvOptions, values: pl.Series) -> pl.Series:
    """Numbers as `1234.5`, whatever their decimal sign and their groups."""
    import polars as pl

    if options.decimal == "." and options.thousands is None:
        return values
    point, group = re.escape(options.decimal), re.escape(options.thousands or "")
    grouped = rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+|" if options.thousands else ""
    number = rf"^[+-]?(?:(?:{grouped}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?$"
    fitting = values.str.contains(number)
    if options.thousands:
        values = values.str.replace_all(options.thousands, "", literal=True)
    return (
        values.str.replace(options.decimal, ".", literal=True).set(~fitting.fill_null(True), _NO_NUMBER).cast(pl.String)
    )


def _as(kind: Literal["integer", "number", "boolean"], values: pl.Series, whole: str) -> pl.Series:
    """The values in a type, null where one does not fit."""
    import polars as pl

    if kind == "integer":
        fitting = values.set(~values.str.contains(whole).fill_null(True), None)
        return fitting.str.strip_prefix("+").cast(pl.Int64, strict=False)
    if kind == "number":
        numbers = values.set(~values.str.contains(_NUMBER).fill_null(True), None).cast(pl.Float64, strict=False)
        return numbers.set(numbers.is_infinite().fill_null(False), None)
    return values.str.to_lowercase().replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    )
