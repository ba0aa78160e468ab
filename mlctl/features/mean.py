"""The mean of a column over the entity's events in each window; missing where there is no value.

Use it for the typical size of an event. Not for skewed values where one outlier rules: look at `max` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlctl.features import FIXED_POINT, Add, ColumnOptions, Events, Seen, State

if TYPE_CHECKING:
    from mlctl.features import Array


class Options(ColumnOptions):
    """Options of a mean."""

    kind: Literal["mean"] = Field(default="mean", description="mean")


EXAMPLE = {"kind": "mean", "source": "orders", "column": "amount", "windows": ["90d"]}
EMPTY = None
READS_AS_OF = False


def tile(options: Options, events: Events) -> dict[str, State]:
    """The value in whole millionths, and one where it is present."""
    present = events.present(options.column)
    return {"total": Add(events.whole(options.column)), "n": Add(None if present.all() else present.astype("int64"))}


def finalize(options: Options, state: Mapping[str, Array], seen: Seen) -> Array:
    """Sum by count; missing where no value was present."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.asarray(state["total"] / FIXED_POINT / state["n"])
