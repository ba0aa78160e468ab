"""Which share of the entity's events in each window fulfils a condition; missing where there is no event.

Use it for habits: the share of returned orders, of purchases by app. With `column` the share is of its sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import Add, AggregateOptions, Events, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(AggregateOptions):
    """Options of a share."""

    kind: Literal["share"] = Field(default="share", description="share")
    that: str = Field(max_length=2000, description="SQL condition on the source's columns")
    column: str | None = Field(default=None, description="column that is summed; default: events are counted")


EXAMPLE = {"kind": "share", "source": "orders", "that": "channel = 'web'", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """What the event adds to the whole, and to the part."""
    import numpy as np

    chosen = events.holds(options.that, "that")
    if options.column is None:
        return {"part": Add(chosen.astype(np.int64)), "whole": Add(None)}
    whole = events.whole(options.column)
    return {"part": Add(np.where(chosen, whole, 0)), "whole": Add(whole)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """Part by whole; missing where the whole is 0."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(state["whole"] == 0, np.nan, state["part"] / state["whole"])
