"""How many different values of a column the entity's events hold in each window.

Use it for breadth: categories bought, devices used. Missing values do not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.features import ColumnOptions, Distinct, Events, Flags, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array

_FLAGS_MOST: Final = 62


class Options(ColumnOptions):
    """Options of a distinct count."""

    kind: Literal["n_unique"] = Field(default="n_unique", description="n_unique")


EXAMPLE = {"kind": "n_unique", "source": "orders", "column": "channel", "windows": ["90d"]}
EMPTY = 0.0
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """A flag for each value where there are few, otherwise its number."""
    import numpy as np

    codes, count = events.codes(options.column)
    if count > _FLAGS_MOST:
        return {"different": Distinct(codes)}
    return {"flags": Flags(np.where(codes < 0, 0, np.left_shift(np.int64(1), np.maximum(codes, 0))))}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """The count as a number."""
    import numpy as np

    if "flags" in state:
        return np.bitwise_count(state["flags"]).astype(np.float64)
    return state["different"].astype(np.float64)
