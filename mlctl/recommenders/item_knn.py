"""Items that were had by the same users: each item's nearest neighbours by cosine.

Use it where users have several items each: it is plain, quick, and every answer can be explained. Not for items that
nobody had yet. Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms" (2001).
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.recommend.forms import Weights
from mlctl.recommenders import Fitted, Learning, RecommenderOptions
from mlctl.recommenders._cooccurrence import counted, largest_of_rows


class Options(RecommenderOptions):
    """Options of item neighbours."""

    kind: Literal["item_knn"] = Field(default="item_knn", description="item_knn")
    neighbours: int = Field(default=100, ge=1, le=10_000, description="neighbours that are kept of each item")
    shrink: float = Field(
        default=10.0, ge=0, description="users added to the count of both: what few users had is less alike"
    )
    half_life: float | None = Field(
        default=None, gt=0, description="after how many later items one of the history counts half; default: never"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "item_knn", "neighbours": 20}


def fit(options: Options, learning: Learning) -> Fitted:
    """Counts who had both of two items, and keeps each item's nearest neighbours."""
    import numpy as np
    from scipy.sparse import csr_array

    both = counted(learning)
    users = both.diagonal()
    rows = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
    apart = rows != both.indices
    near = both.data / (np.sqrt(users[rows] * users[both.indices]) + options.shrink)
    similar = csr_array((near[apart], (rows[apart], both.indices[apart])), shape=both.shape)
    kept = largest_of_rows(similar, options.neighbours).astype(np.float32)
    return Fitted(Weights(kept, options.half_life), told={"pairs": int(kept.nnz)})
