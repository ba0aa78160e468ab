"""The items that may be recommended: their ids, texts, the columns that filters name, and a hash of what they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mlctl.errors import DataError
from mlctl.spec import Items

if TYPE_CHECKING:
    import polars as pl

_BETWEEN = "\n"


def texts_of(items: pl.DataFrame, section: Items) -> list[str]:
    """One text an item: its text columns, in their order, a line each; what is missing says nothing.

    Raises:
        DataError: A column is missing.
    """
    import polars as pl

    for column in section.text:
        if column not in items.columns:
            raise DataError.missing_column(section.source or "items", column, items.columns, "items.text")
    if not section.text:
        return [""] * items.height
    parts = [pl.col(column).cast(pl.String).fill_null("") for column in section.text]
    texts: list[str] = items.select(pl.concat_str(parts, separator=_BETWEEN)).to_series().to_list()
    return texts


def content_sha256(texts: list[str]) -> list[str]:
    """The hash of each text, in hex: an item with the same one has the same vector.

    >>> content_sha256(["tea"])[0][:8]
    'a9f74d1e'
    """
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]
