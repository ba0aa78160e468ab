"""The smallest value of a column over the entity's events in each window; missing where there is no value.

Use it for extremes that mean something by themselves. Not on columns with unit errors: one bad row decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import ColumnOptions, Events, Most, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(ColumnOptions):
    """Options of a min."""

    kind: Literal["min"] = Field(default="min", description="min")


EXAMPLE = {"kind": "min", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """The value with its sign turned, and nothing where it is missing."""
    import numpy as np

    values = events.number(options.column)
    return {"most": Most(np.where(np.isnan(values), -np.inf, -values), -np.inf)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """The value itself."""
    import numpy as np

    return np.where(np.isneginf(state["most"]), np.nan, -state["most"] + 0.0)
