"""Which share of all items is in somebody's list.

Use it to see that the long tail is shown at all. Not to choose by: random lists cover most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed

if TYPE_CHECKING:
    from mlctl.rankings import Array

BETTER: Final = "higher"
BENT_BY_DRAWING: Final = True
"""Fewer different users are in a resample, and so fewer items in their lists."""


class Options(RankingOptions):
    """Options of the coverage."""

    kind: Literal["coverage"] = Field(default="coverage", description="coverage")


EXAMPLE: Final[dict[str, object]] = {"kind": "coverage", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """Different items in the lists of cases that weigh something, over all items; fewer lists cover fewer."""
    import numpy as np

    shown = lists.items[:, : options.k]
    items = len(lists.users_of)

    def weighed(weight: Array) -> float:
        drawn = shown[weight > 0]
        if not items or not len(drawn):
            return float("nan")
        # a place more, which -1 falls into
        seen = np.zeros(items + 1, bool)
        seen[drawn] = True
        return int(seen[:items].sum()) / items

    return weighed
