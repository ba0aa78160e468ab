"""Test rows with their scores, and those to look at: where the model was most sure, and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl.judging import curves
from mlctl.plan import AS_OF
from mlctl.report.disk import Disk
from mlctl.times import moment_text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

MOST_ERRORS: Final = 20


def truth(scored: pl.DataFrame) -> Array:
    """float64 array (rows,): 0.0 and 1.0, class codes, or values."""
    return scored["label"].to_numpy().astype("float64")


def scores(scored: pl.DataFrame, evaluation: Mapping[str, Any]) -> dict[str, Array]:
    """Of each judged model float64 scores (rows,), or (rows, classes)."""
    models = evaluation["everybody"]["models"]
    return {model: scored[model].to_numpy().astype("float64") for model in models if model in scored.columns}


def most_wrong(disk: Disk, scored: pl.DataFrame, actual: Array, score: Array) -> list[int]:
    """Indices of the rows to look at, worst first: sure and wrong, or for a number the farthest off.

    Rows that are equally wrong come in the order of their key.
    """
    import numpy as np

    if disk.project.label.task == "regression":
        worst, wrong = np.abs(actual - score), np.ones(len(actual), dtype=bool)
    else:
        right, worst = curves.correctness(actual, score, disk.threshold())
        wrong = ~right
    keys = np.asarray(scored[disk.project.entity.key].cast(str).to_list())
    order = np.lexsort((keys, -worst))
    return [int(index) for index in order if wrong[index]][:MOST_ERRORS]


def told(disk: Disk, scored: pl.DataFrame, actual: Array, score: Array, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """Key, `as_of`, truth and score of chosen rows; of several classes the names."""
    names = list((disk.evaluation or {}).get("classes") or ())
    several = score.ndim > 1
    lines: list[dict[str, Any]] = []
    for index in chosen:
        code = int(score[index].argmax()) if several else -1
        lines.append(
            {
                "key": str(scored[disk.project.entity.key][index]),
                "as_of": moment_text(scored[AS_OF][index]),
                "truth": names[int(actual[index])] if several else float(actual[index]),
                "score": float(score[index][code]) if several else float(score[index]),
                "foretold": names[code] if several else None,
                "reasons": [],
            }
        )
    return lines
