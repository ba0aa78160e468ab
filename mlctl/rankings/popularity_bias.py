"""How popular the shown items are, against all items: the mean share of the catalogue that is less popular.

0.5 is a list drawn by lot, 1 the single most popular item. Use it to see who gains by the lists; popularity itself is
near 1.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "lower"


class Options(RankingOptions):
    """Options of the popularity bias."""

    kind: Literal["popularity_bias"] = Field(default="popularity_bias", description="popularity_bias")


EXAMPLE: Final[dict[str, object]] = {"kind": "popularity_bias", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of the mean rank of the list among all items, 0..1."""
    import numpy as np

    shown = lists.items[:, : options.k]
    order = np.sort(lists.users_of)
    below = np.searchsorted(order, lists.users_of, side="left") + np.searchsorted(order, lists.users_of, side="right")
    rank = below / (2.0 * max(1, len(order)))
    values = np.where(shown >= 0, rank[shown], 0.0)
    told = (shown >= 0).sum(axis=1)
    return mean_of(np.divide(values.sum(axis=1), told, out=np.full(len(told), np.nan), where=told > 0))
