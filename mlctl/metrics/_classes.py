"""What was foretold against what was so, of two or of several classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np

Average = Literal["macro", "micro", "weighted"]


class ShareOptions(MetricOptions):
    """What metrics say that are a share of a class: precision, recall, F1."""

    threshold: float = Field(default=0.5, ge=0, le=1, description="of yes or no: scores from here on say yes, 0 to 1")
    average: Average = Field(
        default="macro",
        description="of several classes: macro, every class alike; weighted, by how often it is; micro, all rows alike",
    )
    of: int | None = Field(default=None, ge=0, description="of several classes: this one alone, by its place from 0")


class Counts(NamedTuple):
    """Weights by class; each is a float64 array (classes,).

    Of yes or no there is one class, the positive one, so that macro, micro and weighted are the same.
    """

    right: np.ndarray[Any, Any]
    foretold: np.ndarray[Any, Any]
    true: np.ndarray[Any, Any]


def likeliest(
    truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any], threshold: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
    """Whether each row was foretold right, and its weight; None where nothing is defined.

    Nothing is defined without weight, on scores that are not finite, or on one class of yes or no.
    """
    import numpy as np

    if score.ndim == 1:
        rows = usable(truth, score, weight)
        return None if rows is None else ((rows.score >= threshold) == (rows.truth > 0.5), rows.weight)
    if not _defined(truth, score, weight):
        return None
    return score.argmax(axis=1) == truth, np.asarray(weight, dtype=np.float64)


def counts(
    truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any], threshold: float
) -> Counts | None:
    """How much of each class was foretold, was so, and was both; None where nothing is defined."""
    import numpy as np

    if score.ndim == 1:
        rows = usable(truth, score, weight)
        if rows is None:
            return None
        said = rows.score >= threshold
        positive = rows.weight * (rows.truth > 0.5)
        return Counts(*(np.array([total]) for total in (positive[said].sum(), rows.weight[said].sum(), positive.sum())))
    if not _defined(truth, score, weight):
        return None
    said, classes = score.argmax(axis=1), score.shape[1]
    codes, heavy = truth.astype(np.int64), np.asarray(weight, dtype=np.float64)
    agree = np.where(said == codes, heavy, 0.0)
    return Counts(
        *(np.bincount(at, weights=of, minlength=classes) for at, of in ((codes, agree), (said, heavy), (codes, heavy)))
    )


def by_class(
    truth: np.ndarray[Any, Any],
    score: np.ndarray[Any, Any],
    weight: np.ndarray[Any, Any],
    loss: Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], np.ndarray[Any, Any]],
) -> float:
    """The mean loss of rows of several classes, from the true class's probability and the sum of squares of all."""
    import numpy as np

    if not _defined(truth, score, weight):
        return float("nan")
    true = score[np.arange(len(truth)), truth.astype(np.int64)]
    return float(weight @ loss(true, np.einsum("ij,ij->i", score, score))) / float(np.sum(weight))


def one_against_rest(
    truth: np.ndarray[Any, Any],
    score: np.ndarray[Any, Any],
    weight: np.ndarray[Any, Any],
    measure: Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]], float],
) -> float:
    """The mean over the classes of a measure of yes or no: this class or another (macro); NaN where one is NaN."""
    found = [measure((truth == code).astype("float64"), score[:, code], weight) for code in range(score.shape[1])]
    return float(sum(found)) / len(found)


def share_of_classes(
    options: ShareOptions,
    rows: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]],
    parts: Callable[[Counts], tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]],
) -> float:
    """A share of the positive class, of one class, or averaged over the classes; NaN where nothing is defined.

    Args:
        options: Threshold, average and class.
        rows: Truth, score and weight.
        parts: From the counts to what the share is of each class: its top and its bottom.
    """
    truth, score, weight = rows
    found = counts(truth, score, weight, options.threshold)
    if found is None:
        return float("nan")
    (top, bottom), true = parts(found), found.true
    if options.of is not None and score.ndim > 1:
        chosen = slice(options.of, options.of + 1)
        top, bottom, true = top[chosen], bottom[chosen], true[chosen]
        if not len(true) or not (true.sum() or bottom.sum()):
            return float("nan")
    return averaged(top, bottom, true, options.average)


def averaged(
    top: np.ndarray[Any, Any], bottom: np.ndarray[Any, Any], true: np.ndarray[Any, Any], average: Average
) -> float:
    """A share of every class, averaged; a class that neither is nor was foretold is left out, 0 / 0 counts as 0.

    macro: every class alike; weighted: by how often it is; micro: by adding up before dividing.
    """
    import numpy as np

    if average == "micro":
        return float(top.sum() / bottom.sum()) if bottom.sum() else 0.0
    there = (true > 0) | (bottom > 0)
    shares = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)[there]
    return float(np.average(shares, weights=true[there]) if average == "weighted" else shares.mean())


def _defined(truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> bool:
    """Whether rows of several classes have weight, of two classes at least, and finite scores."""
    import numpy as np

    heavy = truth[weight > 0]
    return len(heavy) > 0 and bool((heavy != heavy[0]).any()) and bool(np.isfinite(score).all())
