"""The value of a column in the entity's latest event in each window; missing where there is none.

Use it for a state that events carry along: the last plan, the last channel. Of events of one moment the largest value
counts. Missing values do not count. Numbers stay numbers, and text becomes a category.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions, Events, Most, Seen, State

if TYPE_CHECKING:
    import polars as pl

    from mlctl.features import Array


class Options(ColumnOptions):
    """Options of a last value."""

    kind: Literal["last"] = Field(default="last", description="last")


EXAMPLE = {"kind": "last", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """The place of the event in time, where it has a value."""
    import numpy as np

    rank = events.rank(options.column)
    return {"place": Most(np.where(events.present(options.column), rank, -1), -1)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array | pl.Series:
    """The value of the event at that place."""
    import numpy as np
    import polars as pl

    order = np.argsort(seen.events.rank(options.column))
    place = state["place"]
    values = seen.events.column(options.column)
    if values.dtype.is_numeric():
        values = values.cast(pl.Float64)
    if not len(values):
        return values.clear(len(place))
    found = values.gather(order[place])
    return pl.select(pl.when(pl.Series(place >= 0)).then(found)).to_series()
