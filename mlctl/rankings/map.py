"""The precision at each hit, averaged over the items that came then: hits count, and earlier ones more.

Use it beside `ndcg`, where people are used to it. Its ideal is a list whose first places are all hits.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of the mean average precision."""

    kind: Literal["map"] = Field(default="map", description="map")


EXAMPLE: Final[dict[str, object]] = {"kind": "map", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of the average precision."""
    import numpy as np

    hits = lists.hits[:, : options.k].astype("float64")
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    best = np.minimum(lists.relevant, options.k)
    total = (precision * hits).sum(axis=1)
    return mean_of(np.divide(total, best, out=np.full(len(best), np.nan), where=best > 0))
