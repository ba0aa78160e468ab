"""A model of any kind from a training table: fitted, and calibrated on rows held out where its options say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.graphs import runtime
from mlctl.judging import calibration, class_calibration
from mlctl.metrics import measuring
from mlctl.models import Fitted, ModelOptions, TrainingTable

if TYPE_CHECKING:
    import numpy as np

_FOLDS: Final = 3


def fit(options: ModelOptions, table: TrainingTable) -> Fitted:
    """Learns from a table. The same table and options give the same bytes.

    Raises:
        DataError: The labels do not vary, there is no row, a value is infinite, or a fold lacks an outcome.
        ConfigError: The options do not fit the table.
    """
    fitted: Fitted = kinds.load("models", options.kind).fit(options, table)
    if options.calibration == "none":
        return fitted
    learn = class_calibration.learn if table.task == "multiclass" else calibration.learn
    held_out = _held_out(options, table)
    curve = learn(options.calibration, held_out, table.labels)

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return curve.apply(fitted.predict(matrix))

    told = {
        "kind": options.calibration,
        "ece_before": _calibration_error(table.labels, held_out),
        "ece_after": _calibration_error(table.labels, curve.apply(held_out)),
    }
    return Fitted(calibration.appended(fitted.onnx, curve), predict, fitted.importance, told)


def _calibration_error(labels: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    import numpy as np

    measure, _ = measuring(kinds.options("metrics", {"kind": "ece"}))
    return measure(labels, scores, np.ones(len(labels)))


def operators(options: ModelOptions) -> frozenset[str]:
    """The ONNX operators that a graph of these options may hold."""
    ops: frozenset[str] = kinds.load("models", options.kind).OPS
    return ops if options.calibration == "none" else ops | calibration.OPS


def _held_out(options: ModelOptions, table: TrainingTable) -> np.ndarray[Any, Any]:
    """Each row's score by a model of the other folds: float64 array (rows,), of several classes (rows, classes).

    An entity's rows are in one fold.
    """
    import numpy as np

    module = kinds.load("models", options.kind)
    groups = np.arange(len(table.labels)) if table.groups is None else table.groups
    names, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(np.random.Generator(np.random.PCG64(options.seed)).permutation(len(names)))
    fold = order[codes] % _FOLDS
    several = (len(table.classes),) if table.task == "multiclass" else ()
    scores = np.empty((len(table.labels), *several))
    for number in range(_FOLDS):
        judged = fold == number
        fitted = module.fit(options, table.only(~judged))
        scores[judged] = runtime.score_onnx(fitted.onnx, table.matrix[judged])
    return scores
