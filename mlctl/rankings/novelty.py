"""How little known the shown items are: the mean of -log2 of the share of users who had them.

Use it beside accuracy: whoever shows only what everybody has is right and of no use. 1 bit is half of the users had it.
An item that nobody had counts as if one user had.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of the novelty."""

    kind: Literal["novelty"] = Field(default="novelty", description="novelty")


EXAMPLE: Final[dict[str, object]] = {"kind": "novelty", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of the mean of the list, in bits."""
    import numpy as np

    shown = lists.items[:, : options.k]
    bits = -np.log2(np.maximum(lists.users_of, 1) / max(1, lists.users))
    values = np.where(shown >= 0, bits[shown], np.nan)
    told = (shown >= 0).sum(axis=1)
    return mean_of(np.divide(np.nansum(values, axis=1), told, out=np.full(len(told), np.nan), where=told > 0))
