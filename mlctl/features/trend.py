"""The newer half of each window less the older half, per day: of the count of events, or of a column's sum.

Use it to see whether somebody buys more or less. Needs windows of a length; `all` has no half.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mlctl.features import FIXED_POINT, Add, AggregateOptions, Events, Seen, State
from mlctl.times import WindowText

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(AggregateOptions):
    """Options of a trend."""

    kind: Literal["trend"] = Field(default="trend", description="trend")
    column: str | None = Field(default=None, description="column that is summed; default: events are counted")

    windows: tuple[WindowText, ...] = Field(
        min_length=1, description="look-back windows with a length; one feature each"
    )

    @model_validator(mode="after")
    def _has_halves(self) -> Options:
        if "all" in self.windows:
            raise ValueError("a trend needs windows of a length, such as 90d; `all` has no half")
        return self


EXAMPLE = {"kind": "trend", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = 0.0
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """What the event adds to the window, and to its newer half."""
    values = None if options.column is None else events.whole(options.column)
    return {"whole": Add(values), "newer": Add(values, recent=True)}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """Twice the newer half less the whole, by the days of the window."""
    import numpy as np

    unit = 1 if options.column is None else FIXED_POINT
    days = (seen.window_us or 1) / 86_400_000_000
    return np.asarray((2 * state["newer"] - state["whole"]) / unit / days)
