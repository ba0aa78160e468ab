"""Probabilities of several classes bent to the frequencies that they promise, as ONNX nodes.

One curve a class, learnt against all others (Zadrozny and Elkan, "Transforming classifier scores into accurate
multiclass probability estimates", KDD 2002), and the row divided by its sum; where every curve says 0, all classes are
as likely. So does scikit-learn's `CalibratedClassifierCV`. The curves are those of `calibration.py`; the line of
`sigmoid` goes through Platt's smoothed targets, since a class may have few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.judging.calibration import EDGE, RAW, Calibration, Curve, isotonic_curve, log_odds, node, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import onnx


def learn(kind: str, scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Calibration:
    """The curves of a kind.

    Args:
        kind: sigmoid or isotonic.
        scores: float array (rows, classes) of probabilities of rows that the model has not seen.
        labels: float array (rows,) of class codes; of every class there is one.
    """
    import numpy as np

    own = [(labels == code).astype(np.float64) for code in range(scores.shape[1])]
    if kind == "sigmoid":
        lines = np.array([_line(log_odds(scores[:, code]), truth) for code, truth in enumerate(own)])
        return _sigmoid(lines[:, 0], lines[:, 1])
    return _isotonic([isotonic_curve(scores[:, code], truth) for code, truth in enumerate(own)])


def _line(odds: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Slope and intercept of the likeliest line through log odds, for Platt's targets.

    With `n` rows of an outcome its target is (n + 1) / (n + 2) and not 1, as if one more row had said otherwise.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    positive = truth.sum()
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (len(truth) - positive + 2))
    # a row whose target lies between 0 and 1 is two rows that weigh one together
    rows, outcome = np.tile(odds, 2)[:, None], np.repeat([1.0, 0.0], len(odds))
    with threadpool_limits(limits=1):
        fitted = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000)
        fitted.fit(rows, outcome, sample_weight=np.append(target, 1 - target))
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _sigmoid(slopes: np.ndarray[Any, Any], intercepts: np.ndarray[Any, Any]) -> Calibration:
    import numpy as np

    def bend(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        bent: np.ndarray[Any, Any] = 1 / (1 + np.exp(-(slopes * log_odds(raw) + intercepts)))
        return bent

    steps = [
        node("Clip", ["wide", "least", "most"], "kept"),
        node("Log", ["kept"], "log"),
        node("Sub", ["one", "kept"], "rest"),
        node("Log", ["rest"], "log_rest"),
        node("Sub", ["log", "log_rest"], "odds"),
        node("Mul", ["odds", "slope"], "turned"),
        node("Add", ["turned", "intercept"], "moved"),
        node("Sigmoid", ["moved"], "bent"),
    ]
    constants = {
        "least": np.array(EDGE),
        "most": np.array(1 - EDGE),
        "slope": slopes[None, :],
        "intercept": intercepts[None, :],
    }
    return _shared(bend, steps, constants, len(slopes))


def _isotonic(curves: list[Curve]) -> Calibration:
    import numpy as np
    from onnx import TensorProto, helper

    def bend(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.column_stack([curve(raw[:, code]) for code, curve in enumerate(curves)])

    parts = [f"calibration_{name}" for name in ("start", "value", "slope")]
    found, sizes = "calibration_found", "calibration_sizes"
    steps = [
        trees(curves, RAW),
        helper.make_node("Cast", ["calibration_pieces"], [found], found, to=TensorProto.DOUBLE),
        helper.make_node("Split", [found, sizes], parts, "calibration_parts", axis=1),
        node("Sub", ["wide", "start"], "along"),
        node("Mul", ["along", "slope"], "rise"),
        node("Add", ["value", "rise"], "sum"),
        node("Clip", ["sum", "zero", "one"], "bent"),
    ]
    return _shared(bend, steps, {"sizes": np.full(3, len(curves), dtype=np.int64)}, len(curves))


def _shared(
    bend: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    steps: list[onnx.NodeProto],
    constants: Mapping[str, np.ndarray[Any, Any]],
    classes: int,
) -> Calibration:
    """The calibration whose steps lead from `wide` to `bent`; each row is then divided by its sum."""
    import numpy as np
    from onnx import TensorProto, helper

    def apply(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        bent = bend(raw)
        total = bent.sum(axis=1, keepdims=True)
        share: np.ndarray[Any, Any] = np.where(total == 0, 1 / classes, bent / np.where(total == 0, 1.0, total))
        return share

    nodes = [
        helper.make_node("Cast", [RAW], ["calibration_wide"], "calibration_wide", to=TensorProto.DOUBLE),
        *steps,
        node("ReduceSum", ["bent", "axis"], "total"),
        node("Equal", ["total", "zero"], "nothing"),
        node("Where", ["nothing", "one", "total"], "divisor"),
        node("Div", ["bent", "divisor"], "divided"),
        node("Where", ["nothing", "even", "divided"], "share"),
        helper.make_node("Cast", ["calibration_share"], ["score"], "score", to=TensorProto.FLOAT),
    ]
    numbers = {"zero": np.array(0.0), "one": np.array(1.0), "even": np.array(1 / classes)}
    return Calibration(apply, tuple(nodes), {**constants, **numbers, "axis": np.array([1], dtype=np.int64)})
