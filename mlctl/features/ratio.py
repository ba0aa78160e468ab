"""The sum of a column by the sum of another over the entity's events in each window; missing where that is 0.

Use it for prices per unit and rates that must weigh large events more. A mean of ratios is something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import Add, ColumnOptions, Events, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(ColumnOptions):
    """Options of a ratio."""

    kind: Literal["ratio"] = Field(default="ratio", description="ratio")
    per: str = Field(description="column whose sum divides")


EXAMPLE = {"kind": "ratio", "source": "orders", "column": "amount", "per": "quantity", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """Both values in whole millionths; an event that lacks one of them does not count."""
    import numpy as np

    both = events.present(options.column) & events.present(options.per)
    pairs = {"total": events.whole(options.column), "per": events.whole(options.per)}
    return {name: Add(np.where(both, values, 0)) for name, values in pairs.items()}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """One sum by the other."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(state["per"] == 0, np.nan, state["total"] / state["per"])
