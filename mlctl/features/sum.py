"""The sum of a column over the entity's events in each window, exact to a millionth.

Use it for money and quantities. Not where a millionth matters; sums beyond nine trillion are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import FIXED_POINT, Add, ColumnOptions, Events, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(ColumnOptions):
    """Options of a sum."""

    kind: Literal["sum"] = Field(default="sum", description="sum")


EXAMPLE = {"kind": "sum", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = 0.0
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """The value in whole millionths."""
    return {"total": Add(events.whole(options.column))}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """The sum as a number."""
    return state["total"] / FIXED_POINT
