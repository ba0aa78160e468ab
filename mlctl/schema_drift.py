"""How a table's columns changed: what was added, what still fits, what breaks its readers.

A new column is *additive*. A type that holds everything the old one held is *compatible*. A column that is gone, or of
a type that can hold less, is *breaking*; where another of the same type and a similar name came in its place, it was
most likely renamed. The order of columns means nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Class = Literal["additive", "compatible", "breaking"]

_SIMILAR: Final = 0.6
_WIDTH: Final = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "UInt8": 8, "UInt16": 16, "UInt32": 32, "UInt64": 64}


@dataclass(frozen=True)
class Change:
    """One column that changed.

    Attributes:
        column: The column's name before, or the new column's.
        change: What it means for readers.
        told: What happened, for people.
        renamed: The name that the column most likely has now.
    """

    column: str
    change: Class
    told: str
    renamed: str | None = None


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """Every change from one schema (column to Polars type) to another, sorted by column.

    >>> [change.change for change in changes({"a": "Int32", "b": "String"}, {"a": "Int64", "c": "Date"})]
    ['compatible', 'breaking', 'additive']
    """
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    found = []
    for name in gone:
        new = likely_rename(name, [other for other in come if after[other] == before[name]])
        told = f"is gone; most likely renamed to {new!r}" if new else "is gone"
        found.append(Change(name, "breaking", told, new))
    found += [Change(name, "additive", f"is new, of type {after[name]}") for name in come]
    for name in before:
        if name in after and before[name] != after[name]:
            fits = _holds(before[name], after[name])
            told = f"is of type {after[name]}, was {before[name]}"
            found.append(Change(name, "compatible" if fits else "breaking", told))
    return tuple(sorted(found, key=lambda change: change.column))


def likely_rename(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate whose name is near enough to be the same column under another name.

    >>> likely_rename("customer_id", ["amount", "customerId"])
    'customerId'
    """
    plain = {other: other.lower().replace("_", "") for other in sorted(candidates)}
    wanted = name.lower().replace("_", "")
    near = difflib.get_close_matches(wanted, plain.values(), n=1, cutoff=_SIMILAR)
    return next((other for other, text in plain.items() if near and text == near[0]), None)


def _holds(before: str, after: str) -> bool:
    """Whether the type `after` holds every value of the type `before` unchanged."""
    if before == "Null" or (before, after) in {("Float32", "Float64"), ("Categorical", "String")}:
        return True
    if before not in _WIDTH:
        return False
    if after == "Float64":
        return _WIDTH[before] <= 32
    if after not in _WIDTH or (before[0] == "I" and after[0] == "U"):
        return False
    return _WIDTH[after] >= _WIDTH[before] if before[0] == after[0] else _WIDTH[after] > _WIDTH[before]
