"""The points behind every picture of an evaluation: what a curve goes through, as plain columns of numbers.

All are pure functions of truths and scores. `Points` are columns of one length, in the order in which they are drawn;
a curve of many rows is thinned to `MOST` points, always the same ones, and keeps both its ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Points = dict[str, list[float]]

MOST: Final = 200
"""Most points of a curve."""
_Z: Final = 1.959963984540054
"""Of a 95 % interval."""


def roc(truth: Array, score: Array) -> Points:
    """How many of the ones are found for how many of the zeros taken along, from the highest score down.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score: float array (rows,), higher is more likely 1.

    Returns:
        Columns false_positive_share and true_positive_share, from (0, 0) to (1, 1); empty unless both outcomes are
        there.

    >>> import numpy as np
    >>> roc(np.array([1.0, 0.0]), np.array([0.9, 0.1]))
    {'false_positive_share': [0.0, 0.0, 1.0], 'true_positive_share': [0.0, 1.0, 1.0]}
    """
    import numpy as np

    taken, ones = _cumulated(truth, score)
    positives, negatives = float(truth.sum()), float(len(truth) - truth.sum())
    if not positives or not negatives:
        return {"false_positive_share": [], "true_positive_share": []}
    start = np.zeros(1)
    return thinned(
        {
            "false_positive_share": _numbers(np.concatenate([start, (taken - ones) / negatives])),
            "true_positive_share": _numbers(np.concatenate([start, ones / positives])),
        }
    )


def pr(truth: Array, score: Array) -> Points:
    """How many of those taken are ones, for how many of the ones are found, from the highest score down.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score: float array (rows,), higher is more likely 1.

    Returns:
        Columns recall and precision; empty where there is no 1.
    """
    taken, ones = _cumulated(truth, score)
    positives = float(truth.sum())
    if not positives:
        return {"recall": [], "precision": []}
    return thinned({"recall": _numbers(ones / positives), "precision": _numbers(ones / taken)})


def lift(truth: Array, score: Array) -> Points:
    """What is won by taking the rows with the highest scores first.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score: float array (rows,), higher is more likely 1.

    Returns:
        Columns share_of_rows, gain (share of all ones found) and lift (gain over what chance would find), from (0, 0)
        on; empty where there is no 1.
    """
    import numpy as np

    taken, ones = _cumulated(truth, score)
    positives = float(truth.sum())
    if not positives:
        return {"share_of_rows": [], "gain": [], "lift": []}
    share, gain = taken / len(truth), ones / positives
    over = gain / share
    columns = (np.append(0.0, share), np.append(0.0, gain), np.append(over[:1], over))
    return thinned(dict(zip(("share_of_rows", "gain", "lift"), map(_numbers, columns), strict=True)))


def calibration(truth: Array, score: Array, bins: int = 10) -> Points:
    """Whether scores are probabilities: of bins of equally many rows, the mean score and what really happened.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score: float array (rows,) of probabilities.
        bins: How many.

    Returns:
        Columns mean_score, positive_share, its 95 % interval low and high (Wilson, "Probable inference", 1927) and
        rows.
    """
    import numpy as np

    points: Points = {name: [] for name in ("mean_score", "positive_share", "low", "high", "rows")}
    order = np.argsort(score, kind="stable")
    for chosen in np.array_split(order, min(bins, len(order)) or 1):
        if not len(chosen):
            continue
        share, rows = float(truth[chosen].mean()), len(chosen)
        low, high = wilson(share, rows)
        found = (float(score[chosen].mean()), share, low, high, float(rows))
        for name, value in zip(points, found, strict=True):
            points[name].append(value)
    return points


def wilson(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share that was seen on so many rows.

    >>> [round(end, 4) for end in wilson(0.5, 100)]
    [0.4038, 0.5962]
    """
    middle = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z / (1 + _Z**2 / rows) * (share * (1 - share) / rows + _Z**2 / (4 * rows**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def coverage(truth: Array, score: Array, threshold: float = 0.5) -> Points:
    """How right the model is when it decides only the rows of which it is most sure.

    Args:
        truth: float array (rows,) of 0.0 and 1.0, or of class codes.
        score: float array (rows,) of P(label = 1), or (rows, classes).
        threshold: Binary: scores from here on are decided 1.

    Returns:
        Columns coverage (share of rows decided), accuracy among them, and confidence of the least sure of them.
    """
    import numpy as np

    right, confidence = correctness(truth, score, threshold)
    taken, hits = _cumulated(right.astype(np.float64), confidence)
    levels = np.unique(confidence)[::-1]
    if not len(truth):
        return {"coverage": [], "accuracy": [], "confidence": []}
    return thinned(
        {
            "coverage": _numbers(taken / len(truth)),
            "accuracy": _numbers(hits / taken),
            "confidence": _numbers(levels),
        }
    )


def correctness(truth: Array, score: Array, threshold: float = 0.5) -> tuple[Array, Array]:
    """Which rows are decided rightly, bool (rows,), and how sure the model is of each, float (rows,).

    Args:
        truth: float array (rows,) of 0.0 and 1.0, or of class codes.
        score: float array (rows,) of P(label = 1), or (rows, classes).
        threshold: Binary: scores from here on are decided 1.
    """
    import numpy as np

    if score.ndim > 1:
        return score.argmax(axis=1) == truth, score.max(axis=1)
    return (score >= threshold) == (truth == 1), np.maximum(score, 1 - score)


def histogram(truth: Array, score: Array, bins: int = 20) -> Points:
    """How many rows of each outcome have which score.

    Args:
        truth: float array (rows,) of 0.0 and 1.0.
        score: float array (rows,) of probabilities.
        bins: How many, equally wide from 0 to 1; a score on an edge counts in the bin above it.

    Returns:
        Columns from, to, rows_of_0 and rows_of_1.
    """
    import numpy as np

    edges = np.linspace(0.0, 1.0, bins + 1)
    counts = [np.histogram(score[truth == outcome], edges)[0] for outcome in (0.0, 1.0)]
    names = ("from", "to", "rows_of_0", "rows_of_1")
    return dict(zip(names, map(_numbers, (edges[:-1], edges[1:], *counts)), strict=True))


def foretold(truth: Array, score: Array, bins: int = 10) -> Points:
    """Of bins of equally many rows by what was foretold: the mean of it, and what came.

    Args:
        truth: float array (rows,), in the label's unit.
        score: float array (rows,), in the label's unit.
        bins: How many.

    Returns:
        Columns mean_predicted, mean_true, the tenth and the ninetieth hundredth of the truth (low, high), and rows.
    """
    import numpy as np

    points: Points = {name: [] for name in ("mean_predicted", "mean_true", "low", "high", "rows")}
    for chosen in np.array_split(np.argsort(score, kind="stable"), min(bins, len(score)) or 1):
        if not len(chosen):
            continue
        low, high = np.quantile(truth[chosen], [0.1, 0.9])
        found = (score[chosen].mean(), truth[chosen].mean(), low, high, len(chosen))
        for name, value in zip(points, found, strict=True):
            points[name].append(float(value))
    return points


def residuals(truth: Array, score: Array) -> Points:
    """How far off the foretold numbers are: quantiles of truth minus foretold.

    Args:
        truth: float array (rows,), in the label's unit.
        score: float array (rows,), in the label's unit.

    Returns:
        Columns quantile (0..1, by twentieths) and residual, in the label's unit; empty without rows.

    >>> import numpy as np
    >>> residuals(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0]))["residual"][10]
    1.0
    """
    import numpy as np

    quantiles = np.linspace(0.0, 1.0, 21)
    if not len(truth):
        return {"quantile": [], "residual": []}
    return {"quantile": _numbers(quantiles), "residual": _numbers(np.quantile(truth - score, quantiles))}


def confusion(truth: Array, score: Array) -> list[list[int]]:
    """How many rows of each true class (rows of the table) are decided as which (its columns).

    Args:
        truth: float array (rows,) of class codes.
        score: float array (rows, classes).

    >>> import numpy as np
    >>> confusion(np.array([0.0, 1.0, 1.0]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    [[1, 0], [1, 1]]
    """
    import numpy as np

    classes = score.shape[1]
    codes = truth.astype(np.int64) * classes + score.argmax(axis=1)
    counts: list[list[int]] = np.bincount(codes, minlength=classes**2).reshape(classes, classes).tolist()
    return counts


def of_classes(counts: Sequence[Sequence[int]], names: Sequence[str]) -> list[dict[str, Any]]:
    """A line a class of a confusion table: rows, precision, recall and F1; what is not defined is None.

    Args:
        counts: As `confusion` gives them.
        names: Of the classes, by code.
    """
    lines = []
    for code, name in enumerate(names):
        hits, true, decided = counts[code][code], sum(counts[code]), sum(line[code] for line in counts)
        lines.append(
            {
                "class": name,
                "rows": true,
                "precision": hits / decided if decided else None,
                "recall": hits / true if true else None,
                "f1": 2 * hits / (true + decided) if true + decided else None,
            }
        )
    return lines


def thinned(points: Mapping[str, list[float]], most: int = MOST) -> Points:
    """At most so many of the points, evenly spread over their order; the first and the last stay.

    >>> thinned({"x": [0.0, 1.0, 2.0, 3.0, 4.0]}, most=3)
    {'x': [0.0, 2.0, 4.0]}
    """
    import numpy as np

    length = min(len(column) for column in points.values())
    if length <= most:
        return {name: list(column) for name, column in points.items()}
    kept = np.unique(np.linspace(0, length - 1, most).round().astype(int)).tolist()
    return {name: [column[index] for index in kept] for name, column in points.items()}


def _cumulated(outcome: Array, score: Array) -> tuple[Array, Array]:
    """At each distinct score from the highest down: how many rows lie at or above it, and how many ones are among them.

    Rows of one score are taken together: which of them comes first would be chance.
    """
    import numpy as np

    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(ordered) else np.zeros(0, dtype=int)
    return (ends + 1).astype(np.float64), np.cumsum(outcome[order])[ends]


def _numbers(values: Array) -> list[float]:
    return [float(value) for value in values]
