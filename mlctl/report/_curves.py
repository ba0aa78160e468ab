"""The curves of an evaluation by task: of every model where they are compared, of the adopted one elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl.judging import curves
from mlctl.report.disk import Disk

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_CLASSES: Final = 8
"""Most classes with a curve of their own, the commonest first: more than eight colours nobody tells apart."""


def of(disk: Disk, truth: Array, scores: Mapping[str, Array]) -> dict[str, Any]:
    """By name, points (or by series, points) of each curve that the task has."""
    own = str(disk.own())
    if own not in scores or not len(truth):
        return {}
    return {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[disk.project.label.task](
        disk, truth, scores, own
    )


def _binary(disk: Disk, truth: Array, scores: Mapping[str, Array], own: str) -> dict[str, Any]:
    return {
        "roc": {model: curves.roc(truth, score) for model, score in scores.items()},
        "pr": {model: curves.pr(truth, score) for model, score in scores.items()},
        "calibration": curves.calibration(truth, scores[own]),
        "lift": {model: curves.lift(truth, score) for model, score in scores.items()},
        "coverage": {
            model: curves.coverage(truth, score, disk.threshold() if model == own else 0.5)
            for model, score in scores.items()
        },
        "histogram": curves.histogram(truth, scores[own]),
    }


def _multiclass(disk: Disk, truth: Array, scores: Mapping[str, Array], own: str) -> dict[str, Any]:
    names = list((disk.evaluation or {}).get("classes") or ())
    score = scores[own]
    right, confidence = curves.correctness(truth, score)
    counts = curves.confusion(truth, score)
    commonest = sorted(range(len(names)), key=lambda code: (-sum(counts[code]), code))[:MOST_CLASSES]
    ones = {names[code]: ((truth == code) * 1.0, score[:, code]) for code in commonest}
    return {
        "confusion": {"classes": names, "counts": counts},
        "of_classes": curves.of_classes(counts, names),
        "roc": {name: curves.roc(*found) for name, found in ones.items()},
        "pr": {name: curves.pr(*found) for name, found in ones.items()},
        "calibration": curves.calibration(right * 1.0, confidence),
        "coverage": {model: curves.coverage(truth, each) for model, each in scores.items()},
    }


def _regression(disk: Disk, truth: Array, scores: Mapping[str, Array], own: str) -> dict[str, Any]:
    return {
        "foretold": curves.foretold(truth, scores[own]),
        "residuals": {model: curves.residuals(truth, score) for model, score in scores.items()},
    }
