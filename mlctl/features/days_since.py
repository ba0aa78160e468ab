"""Days from the entity's last (or first) event in each window to `as_of`; missing where there is none.

Use it for recency (`event: last`) and for age (`event: first`). The value is at least 0 and counts parts of days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.features import AggregateOptions, Events, Most, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array

_DAY_US: Final = 86_400_000_000
_NONE: Final = -(2**62)


class Options(AggregateOptions):
    """Options of a recency."""

    kind: Literal["days_since"] = Field(default="days_since", description="days_since")
    event: Literal["first", "last"] = Field(
        default="last", description="which event of the window the days are counted from"
    )


EXAMPLE = {"kind": "days_since", "source": "orders", "windows": ["all"], "event": "last"}
EMPTY = None
READS_AS_OF = True


def tile(options: Options, events: Events) -> dict[str, State]:
    """The moment of the event; its sign is turned for the first one."""
    return {"moment": Most(events.time if options.event == "last" else -events.time, _NONE)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """Days up to `as_of`."""
    import numpy as np

    moment = state["moment"] if options.event == "last" else -state["moment"]
    return np.where(state["moment"] == _NONE, np.nan, (seen.as_of - moment) / _DAY_US)
