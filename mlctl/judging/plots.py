"""The series that DVC plots: `dvc plots show` and editors draw them, and compare them between commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl.judging import curves
from mlctl.judging.curves import Points
from mlctl.spec import Task

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAMES: Final = ("roc.csv", "pr.csv", "calibration.csv", "lift.csv", "coverage.csv", "importance.csv")
"""The files, in the order of dvc.yaml, which names them and the columns to draw."""
MOST_FEATURES: Final = 30
"""Most features that importance.csv holds."""


def plots(
    task: Task, truth: Array, score: Array, importance: Mapping[str, float], threshold: float | None = None
) -> dict[str, str]:
    """Every series of one model, as CSV by file name: all of `NAMES`, whatever the label.

    Several classes are drawn as one curve over all pairs of row and class (micro average); calibration and coverage
    are of the likeliest class. A number that is foretold has the bins of foretold against true as its calibration, and
    no ROC, PR, lift and coverage: those files hold their header alone.

    Args:
        task: What is foretold.
        truth: float array (rows,): 0.0 and 1.0, class codes, or the values.
        score: float array (rows,) or (rows, classes).
        importance: By feature, its share of what the model learnt.
        threshold: Binary: scores from here on are decided 1; None is 0.5.
    """
    import numpy as np

    regression = task == "regression"
    none = np.zeros(0)
    decided = (none, none) if regression else (truth, score)
    ones, chances = (none, none) if regression else _pairs(truth, score)
    ordered = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:MOST_FEATURES]
    series = {
        "roc.csv": _csv(curves.roc(ones, chances)),
        "pr.csv": _csv(curves.pr(ones, chances)),
        "calibration.csv": _csv(_calibrated(truth, score, regression)),
        "lift.csv": _csv(curves.lift(ones, chances)),
        "coverage.csv": _csv(curves.coverage(decided[0], decided[1], 0.5 if threshold is None else threshold)),
        "importance.csv": "\n".join(["feature,importance", *(f"{_cell(k)},{v:.6f}" for k, v in ordered)]) + "\n",
    }
    return {name: series[name] for name in NAMES}


def plots_of_lists(
    hits: Array, relevant: Array, had: Array, items: int, importance: Mapping[str, float]
) -> dict[str, str]:
    """Every series of lists that were shown, as CSV by file name: all of `NAMES`.

    pr.csv and lift.csv have a point for each length k of a list: precision over recall, and recall over the share of
    the catalogue that is shown. coverage.csv tells how often a list hits something among the users of whom most is
    known; there, `confidence` is the least number of items that one of them had. A list has no ROC and no calibration:
    these two hold their header alone.

    Args:
        hits: bool array (cases, k): whether the item at this place of the list was had then.
        relevant: int array (cases,): how many items were had then.
        had: int array (cases,): how many items were had before.
        items: How many items there are.
        importance: By part of the model and state, its share.
    """
    import numpy as np

    lengths = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)
    recall = (found / np.maximum(relevant, 1).reshape(-1, 1)).mean(axis=0)
    share = lengths / max(1, items)
    ends = np.flatnonzero(np.diff(np.append(np.sort(-had), 1)))
    landed: Array = np.asarray(hits.any(axis=1))[np.argsort(-had, kind="stable")]
    rate = np.cumsum(landed)[ends] / (ends + 1)
    files = plots("binary", np.zeros(0), np.zeros(0), importance)
    drawn = {
        "pr.csv": {"recall": recall, "precision": (found / lengths).mean(axis=0)},
        "lift.csv": {"share_of_rows": share, "gain": recall, "lift": recall / share},
        "coverage.csv": {"coverage": (ends + 1) / len(had), "accuracy": rate, "confidence": -np.sort(-had)[ends]},
    }
    for name, points in drawn.items():
        files[name] = _csv({column: list(map(float, values)) for column, values in points.items()})
    return files


def _pairs(truth: Array, score: Array) -> tuple[Array, Array]:
    """Each row, or each pair of row and class, as a question of yes and no."""
    import numpy as np

    if score.ndim == 1:
        return truth, score
    return (truth[:, None] == np.arange(score.shape[1])).astype(np.float64).ravel(), score.ravel()


def _calibrated(truth: Array, score: Array, regression: bool) -> Points:
    import numpy as np

    if regression:
        found = curves.foretold(truth, score)
        return dict(zip(("mean_score", "mean_truth", "low", "high", "rows"), found.values(), strict=True))
    if score.ndim > 1:
        truth, score = (truth == score.argmax(axis=1)).astype(np.float64), score.max(axis=1)
    found = curves.calibration(truth, score)
    return {"mean_truth" if name == "positive_share" else name: values for name, values in found.items()}


def _csv(points: Points) -> str:
    lines = (",".join(map(_number, line)) for line in zip(*points.values(), strict=True))
    return "\n".join([",".join(points), *lines]) + "\n"


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(sign in text for sign in ',"\r\n') else text
