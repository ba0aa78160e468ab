"""The policy of decisions, set on rows that the model has not seen: threshold, confidence, and what they will cost.

`worth`: the threshold with the largest mean worth. `max_error`: of twenty shares of the rows, the surest ones first,
the largest whose upper limit of wrong decisions (Clopper and Pearson, Biometrika 26, 1934) stays below the target; each
limit is taken at a twentieth of 5 %, so the promise holds with 95 % for the one that is taken (Angelopoulos et al.,
"Learn then test", 2021). `conformal`: split conformal sets (Vovk, Gammerman and Shafer, "Algorithmic learning in a
random world", 2005).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.spec import Decide, Task, Worth

if TYPE_CHECKING:
    import numpy as np

_RISK: Final = 0.05
_TESTED: Final = 20
"""Shares of rows that are tried for `max_error`."""


@dataclass(frozen=True)
class Policy:
    """What decisions go by.

    Attributes:
        threshold: Scores from here on are decided `above`; None for a number that is only foretold.
        min_confidence: Below it the decision falls back.
        set_level: An outcome is possible from this probability on; None without conformal sets.
        how: What was chosen, and what it promises.
        coverage: Of each step from sure to unsure: the share decided by the model, the share of those that is wrong,
            and the confidence of the last one; empty for a number.
    """

    threshold: float | None
    min_confidence: float
    set_level: float | None = None
    how: tuple[str, ...] = ()
    coverage: tuple[dict[str, float], ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """The policy as JSON-ready data."""
        return {**asdict(self), "how": list(self.how), "coverage": list(self.coverage)}

    def lines(self) -> tuple[str, ...]:
        """What was chosen, for people."""
        return tuple(f"decide: {line}" for line in self.how)


def choose(decide: Decide, task: Task, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any]) -> Policy:
    """The policy that a `decide:` section asks for.

    Args:
        decide: The section.
        task: What is foretold.
        truth: float array (rows,): labels or class codes.
        score: Scores of these rows by a model that has not seen them; (rows,) or (rows, classes).

    Raises:
        DataError: No confidence keeps the promised share of errors.
    """
    if task == "regression":
        return Policy(decide.threshold, 0.0)
    how: list[str] = []
    threshold = 0.5 if decide.threshold is None else decide.threshold
    if decide.worth is not None and task == "binary":
        threshold, brings = _worthiest(decide.worth, truth, score)
        how.append(f"threshold {threshold:.3f} brings {brings:.4g} a row, the most of all, on rows held out")
    confidence, wrong = _confidence(task, truth, score, threshold)
    curve = _coverage(confidence, wrong)
    if decide.conformal is not None:
        level = _set_level(decide.conformal, truth, score)
        alone = float((possible(score, level) == 1).mean())
        how.append(f"sets that miss {decide.conformal:.1%}: one outcome alone for {alone:.1%} of rows held out")
        return Policy(threshold, 0.0, level, tuple(how), curve)
    lowest = decide.min_confidence
    if decide.max_error is not None:
        lowest = _surest(decide.max_error, confidence, wrong)
        kept = confidence >= lowest
        how.append(
            f"confidence from {lowest:.3f} on: {wrong[kept].mean():.2%} wrong of the {kept.mean():.1%} that the model "
            f"decides, on rows held out (promised: at most {decide.max_error:.2%})"
        )
    return Policy(threshold, lowest, None, tuple(how), curve)


def both(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Probabilities of every outcome: float array (rows, outcomes), of two where the score is P(label = 1)."""
    import numpy as np

    return score if score.ndim == 2 else np.column_stack([1 - score, score])


def confidence_of(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The likelier outcome's probability: float array (rows,); `both(score).max(axis=1)` without that array."""
    import numpy as np

    likelier: np.ndarray[Any, Any] = score.max(axis=1) if score.ndim == 2 else np.maximum(1 - score, score)
    return likelier


def _confidence(
    task: Task, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], threshold: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The probability of the likelier outcome, and whether the decision is wrong."""
    decided = score.argmax(axis=1) if task == "multiclass" else score >= threshold
    return confidence_of(score), decided != truth


def _worthiest(worth: Worth, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The threshold that brings most a row, and what it brings; of equal ones the highest."""
    import numpy as np

    order = np.argsort(-score, kind="stable")
    positive = np.cumsum(truth[order])
    rows = np.arange(1, len(truth) + 1)
    total, everybody = float(truth.sum()), len(truth)
    above = positive * worth.tp + (rows - positive) * worth.fp
    below = (total - positive) * worth.fn + (everybody - rows - (total - positive)) * worth.tn
    # a threshold lies between two different scores
    last_of_score = np.append(score[order][1:] != score[order][:-1], True)
    nobody = total * worth.fn + (everybody - total) * worth.tn
    brings = np.where(last_of_score, above + below, -np.inf)
    best = int(np.argmax(brings))
    if nobody >= brings[best]:
        return 1.0, nobody / everybody
    return float(score[order][best]), float(brings[best]) / everybody


def _coverage(
    confidence: np.ndarray[Any, Any], wrong: np.ndarray[Any, Any], steps: int = 100
) -> tuple[dict[str, float], ...]:
    """The coverage-accuracy curve, in equal steps of the rows; equal confidences enter together."""
    import numpy as np

    order = np.argsort(-confidence, kind="stable")
    errors, sure = np.cumsum(wrong[order]), confidence[order]
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    wanted = np.unique(np.ceil(np.arange(1, steps + 1) / steps * len(sure)).astype(int) - 1)
    picks = np.unique(ends[np.searchsorted(ends, wanted)])
    return tuple(
        {
            "coverage": float((at + 1) / len(sure)),
            "error": float(errors[at] / (at + 1)),
            "confidence": float(sure[at]),
        }
        for at in picks
    )


def _surest(most: float, confidence: np.ndarray[Any, Any], wrong: np.ndarray[Any, Any]) -> float:
    """The lowest confidence whose rows keep the share of wrong decisions, with 95 % certainty.

    Raises:
        DataError: There is none.
    """
    from scipy.special import betaincinv

    lowest: float | None = None
    rows = len(confidence)
    for step in _coverage(confidence, wrong, _TESTED):
        decided = round(step["coverage"] * rows)
        errors = round(step["error"] * decided)
        upper = 1.0 if errors == decided else float(betaincinv(errors + 1, decided - errors, 1 - _RISK / _TESTED))
        if upper <= most:
            lowest = step["confidence"]
    if lowest is None:
        best = min((step["error"] for step in _coverage(confidence, wrong)), default=1.0)
        raise DataError.no_confidence(most, best, rows)
    return lowest


def _set_level(miss: float, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any]) -> float:
    """The probability from which on an outcome is possible."""
    import numpy as np

    of_truth = both(score)[np.arange(len(truth)), truth.astype(np.int64)]
    rank = int(np.floor(miss * (len(truth) + 1)))
    return float(np.sort(of_truth)[rank - 1]) if rank >= 1 else 0.0


def possible(score: np.ndarray[Any, Any], level: float) -> np.ndarray[Any, Any]:
    """How many outcomes are possible: int array (rows,)."""
    count: np.ndarray[Any, Any] = (both(score) >= level).sum(axis=1)
    return count
