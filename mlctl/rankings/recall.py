"""Which share of the items that came then is in the list.

Use it where many items may come and all are wanted. Where more came than the list holds, it cannot reach 1.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.rankings import Lists, RankingOptions, Weighed, mean_of

BETTER: Final = "higher"


class Options(RankingOptions):
    """Options of recall."""

    kind: Literal["recall"] = Field(default="recall", description="recall")


EXAMPLE: Final[dict[str, object]] = {"kind": "recall", "k": 10}


def measure(options: Options, lists: Lists) -> Weighed:
    """The mean over cases of hits over what came then."""
    import numpy as np

    hits = lists.hits[:, : options.k].sum(axis=1)
    relevant = lists.relevant
    return mean_of(np.divide(hits, relevant, out=np.full(len(hits), np.nan), where=relevant > 0))
