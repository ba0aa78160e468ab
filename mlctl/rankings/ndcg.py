"""How high the items that came then stand in the list: the discounted gain over the best possible one.

Use it first: it rewards hits, and early ones more. Not to be told to people who ask how many users find something: that
is `hit_rate`. Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of NDCG."""

    kind: Literal["ndcg"] = Field(default="ndcg", description="ndcg")


EXAMPLE: Final[dict[str, object]] = {"kind": "ndcg", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases: 1 when every shown place that could hold a relevant item does, the first ones first."""
    import numpy as np

    hits = lists.hits[:, : options.k]
    discount = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, options.k + 2)))])
    best = ideal[np.minimum(lists.relevant, options.k)]
    return mean_of(np.divide(hits @ discount, best, out=np.full(len(best), np.nan), where=best > 0))
