"""Which share of the lists holds at least one item that came then.

Use it to tell people. Not to choose by: it does not see where in the list.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of the hit rate."""

    kind: Literal["hit_rate"] = Field(default="hit_rate", description="hit_rate")


EXAMPLE: Final[dict[str, object]] = {"kind": "hit_rate", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of 1 for a list with a hit."""
    return mean_of(lists.hits[:, : options.k].any(axis=1).astype("float64"))
