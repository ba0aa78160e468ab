"""What an answer costs once it is known what became of it, from 0 (nothing) to 1 (the most).

brier: the square of the distance (Brier 1950); log_loss: the logarithm of what was thought of what happened, clipped at
1 %, as a part of the most that is then possible; error: 1 for a wrong decision, 1/2 for one that fell back; worth: what
`decide.worth` lost against the best outcome, as a part of the largest such loss; a number: the distance, clipped at
three of its deviations. Of a list of items, missed: 1 where its user had none of them, else 0; ndcg: what it lacks of
the normalised discounted gain of what the user had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.outcomes import LABEL
from mlctl.spec import Project, Worth

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

OF_LISTS: Final = ("missed", "ndcg")
"""Losses of lists of items."""
_CLIP: Final = 0.01
_DEVIATIONS: Final = 3.0


def metric(project: Project) -> str:
    """The loss that is compared: `rollout.metric`, or the task's own."""
    own = {"binary": "brier", "multiclass": "error", "regression": "distance", "ranking": "missed"}
    return project.rollout.metric or own[project.label.task]


def losses(project: Project, rows: pl.DataFrame, variant: str, unit: float = 1.0) -> np.ndarray[Any, Any]:
    """The loss of each row by one of the releases, float64 (rows,) in [0, 1]; what it gave no score for costs most.

    Args:
        project: Whose loss.
        rows: With `label`, and score and decision by variant.
        variant: champion or challenger.
        unit: Of a number, what its distances are counted in.
    """
    import numpy as np

    chosen = metric(project)
    if chosen in OF_LISTS:
        return _of_lists(rows[LABEL], rows[f"{variant}_items"], chosen)
    score, decision = rows[f"{variant}_score"], rows[f"{variant}_decision"]
    if chosen == "error":
        return _wrong(project, rows[LABEL], decision)
    if chosen == "worth":
        return _lost_worth(project, rows[LABEL], decision)
    truth = rows[LABEL].to_numpy().astype(np.float64)
    found = score.to_numpy().astype(np.float64)
    if chosen == "brier":
        lost = (found - truth) ** 2
    elif chosen == "log_loss":
        thought = np.clip(np.where(truth == 1, found, 1 - found), _CLIP, 1.0)
        lost = np.log(thought) / np.log(_CLIP)
    else:
        lost = np.abs(found - truth) / (_DEVIATIONS * unit)
    return np.where(np.isfinite(lost), np.clip(lost, 0.0, 1.0), 1.0)


def _wrong(project: Project, truth: pl.Series, decision: pl.Series) -> np.ndarray[Any, Any]:
    import numpy as np

    words = project.decide
    if project.label.task == "binary":
        names = [words.above if label else words.below for label in truth.to_list()]
    else:
        names = [str(label) for label in truth.to_list()]
    told = [0.5 if said == words.fallback else float(said != name) for said, name in zip(decision, names, strict=True)]
    return np.array(told, dtype=np.float64)


def _of_lists(had: pl.Series, shown: pl.Series, chosen: str) -> np.ndarray[Any, Any]:
    """What lists lack; who had nothing tells nothing against a list, and costs both releases the same."""
    import numpy as np

    lost = np.ones(len(had))
    for row, (came, items) in enumerate(zip(had.to_list(), shown.to_list(), strict=True)):
        hits = np.isin(items or [], came)
        if chosen == "missed":
            lost[row] = float(not hits.any())
        elif hits.any():
            discount = 1.0 / np.log2(np.arange(2, len(hits) + 2))
            lost[row] = 1.0 - discount[hits].sum() / discount[: len(came)].sum()
    return lost


def _lost_worth(project: Project, truth: pl.Series, decision: pl.Series) -> np.ndarray[Any, Any]:
    import numpy as np

    words, worth = project.decide, project.decide.worth or Worth()
    brought = {
        (1.0, words.above): worth.tp,
        (0.0, words.above): worth.fp,
        (0.0, words.below): worth.tn,
        (1.0, words.below): worth.fn,
    }
    most, least = max(0.0, *brought.values()), min(0.0, *brought.values())
    # who falls back costs and brings nothing by this decision
    told = [brought.get((float(label), said), 0.0) for label, said in zip(truth, decision, strict=True)]
    return (most - np.array(told, dtype=np.float64)) / ((most - least) or 1.0)
