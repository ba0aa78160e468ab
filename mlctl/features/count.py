"""How many events the entity had in each window.

Use it as the plainest measure of activity. Not for how much: `sum` adds a column up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import Add, AggregateOptions, Events, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(AggregateOptions):
    """Options of a count."""

    kind: Literal["count"] = Field(default="count", description="count")


EXAMPLE = {"kind": "count", "source": "orders", "windows": ["30d", "90d"]}
EMPTY = 0.0
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """One for each event."""
    return {"n": Add(None)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """The count as a number."""
    return state["n"].astype("float64")
