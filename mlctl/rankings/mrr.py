"""One over the place of the first item that came then; 0 where there is none in the list.

Use it where one good item is enough, as in an answer read from the top.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of the mean reciprocal rank."""

    kind: Literal["mrr"] = Field(default="mrr", description="mrr")


EXAMPLE: Final[dict[str, object]] = {"kind": "mrr", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of one over the place of the first hit."""
    import numpy as np

    hits = lists.hits[:, : options.k]
    return mean_of(np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1.0), 0.0))
