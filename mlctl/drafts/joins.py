"""Which columns of different tables hold the same things: how they join, and how much of each side the other knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mlctl.drafts.profile import ColumnProfile, TableProfile, snake

if TYPE_CHECKING:
    import polars as pl

_JOIN_SHARE: Final = 0.5


@dataclass(frozen=True)
class Join:
    """Two columns of two tables that hold the same things.

    Attributes:
        left: `table.column` of the many.
        right: `table.column` whose values are unique, unless the form is `n:m`.
        left_share: Share of the left's values that the right knows.
        right_share: Share of the right's values that the left has.
        form: `n:1`, `1:1`, or `n:m`, which multiplies rows.
    """

    left: str
    right: str
    left_share: float
    right_share: float
    form: Literal["1:1", "n:1", "n:m"]


def joins(tables: Mapping[str, pl.DataFrame], profiles: Sequence[TableProfile]) -> list[Join]:
    """Columns of different tables that seem to hold the same things: by the form, best first.

    Half of one side's values must be known to the other, and the names must match, such as `customer_id` and either
    `customer_id` or `customers.id`.
    """
    import polars as pl

    different: dict[tuple[str, str], pl.DataFrame] = {}

    def values(table: str, column: str) -> pl.DataFrame:
        if (table, column) not in different:
            texts = tables[table][column].drop_nulls().cast(pl.String).unique()
            different[table, column] = texts.alias("value").to_frame()
        return different[table, column]

    found = []
    for left, column, right, key in _pairs(profiles):
        theirs, ours = values(left.name, column.name), values(right.name, key.name)
        shared = theirs.join(ours, on="value", how="semi").height
        left_share, right_share = shared / max(theirs.height, 1), shared / max(ours.height, 1)
        if max(left_share, right_share) >= _JOIN_SHARE:
            form: Literal["1:1", "n:1", "n:m"] = "n:m"
            if key.is_unique:
                form = "1:1" if column.is_unique else "n:1"
            ends = f"{left.name}.{column.name}", f"{right.name}.{key.name}"
            found.append(Join(*ends, round(left_share, 3), round(right_share, 3), form))
    return sorted(found, key=lambda join: (join.form == "n:m", -join.left_share, join.left, join.right))


def _pairs(
    profiles: Sequence[TableProfile],
) -> Iterator[tuple[TableProfile, ColumnProfile, TableProfile, ColumnProfile]]:
    """Pairs of columns whose names and types allow a join, the unique one on the right; equals are told once."""
    for place, right in enumerate(profiles):
        for other, left in enumerate(profiles):
            if other == place:
                continue
            for key in right.columns:
                for column in left.columns:
                    names = (snake(key.name), f"{right.name.removesuffix('s')}_{snake(key.name)}")
                    if key.is_time or column.is_time or column.kind != key.kind or column.values < 2:
                        continue
                    if key.kind == "other" or snake(column.name) not in names:
                        continue
                    both = key.is_unique and column.is_unique
                    many = not key.is_unique and not column.is_unique and key.names_a_key and key.values > 1
                    if (key.is_unique and not both) or (
                        (both or many) and (other > place or names[0] != snake(column.name))
                    ):
                        yield left, column, right, key
