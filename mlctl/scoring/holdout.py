"""Entities that are never acted upon, so that what acting brings can be measured against them.

Who belongs to the group is drawn by a hash of project and key: it is the same on every day and in every release, and a
larger share only adds to it. They are scored like everybody; what is published of them is the decision `holdout`, and
the reason says what would have been decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

HOLDOUT: Final = "holdout"
REASON: Final = "holdout_"
"""What the reason begins with; what would have been decided follows."""
_PARTS: Final = 2**32


def held_out(project: str, keys: Iterable[str], share: float) -> np.ndarray[Any, Any]:
    """Whether each entity is never acted upon, bool (keys,).

    >>> held_out("churn", (f"c{key}" for key in range(1000)), 0.1).sum()
    np.int64(99)
    """
    import mmh3
    import numpy as np

    before, hashed = f"{project}/{HOLDOUT}/", mmh3.hash
    hashes = np.fromiter((hashed(before + key, signed=False) for key in keys), np.uint64)
    found: np.ndarray[Any, Any] = hashes < np.uint64(round(share * _PARTS))
    return found


def applied(project: str, share: float, scores: pl.DataFrame) -> pl.DataFrame:
    """Scores of everybody, of which those who are held out bear no decision to act upon.

    Args:
        project: The project.
        share: Of the entities, 0 to 1.
        scores: Grain: one row per entity: its key first; decision and reason.
    """
    import polars as pl

    if not share:
        return scores
    chosen = pl.Series(held_out(project, scores[scores.columns[0]].cast(pl.String), share))
    return scores.with_columns(
        pl.when(chosen).then(pl.lit(HOLDOUT)).otherwise("decision").alias("decision"),
        pl.when(chosen).then(pl.lit(REASON) + pl.col("decision")).otherwise("reason").alias("reason"),
    )
