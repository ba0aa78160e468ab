"""Scores bent to the frequencies that they promise, learnt on rows that their model has not seen, and as ONNX nodes.

`sigmoid`: a line through the log odds, two numbers, safe on few rows (Platt, "Probabilistic outputs for support vector
machines", 1999). `isotonic`: any rising curve, for thousands of rows (Zadrozny and Elkan, "Transforming classifier
scores into accurate multiclass probability estimates", KDD 2002). No converter writes an isotonic curve; here it is one
balanced tree that finds the piece of the curve, and the line of that piece, so ONNX and numpy say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import onnx

OPS: Final = frozenset(
    {
        "Cast",
        "Clip",
        "Log",
        "Sub",
        "Mul",
        "Add",
        "Sigmoid",
        "Unsqueeze",
        "TreeEnsembleRegressor",
        "Split",
        "Squeeze",
        "ReduceSum",
        "Equal",
        "Where",
        "Div",
    }
)
"""The ONNX operators that a calibration adds."""
RAW: Final = "uncalibrated"
_NEAREST: Final = 0.005
EDGE: Final = 1e-7
"""Scores are kept this far from 0 and 1, whose log odds are infinite."""


@dataclass(frozen=True)
class Calibration:
    """A curve from score to probability.

    Attributes:
        apply: float array (rows,) to float64 array (rows,); of several classes (rows, classes) both.
        nodes: The same as ONNX, from `uncalibrated` to `score`.
        constants: The arrays that the nodes use.
    """

    apply: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    nodes: tuple[onnx.NodeProto, ...]
    constants: Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Curve:
    """A rising curve of straight pieces.

    Attributes:
        thresholds: float32 array (pieces - 1,), rising: where the next piece begins.
        pieces: float32 array (pieces, 3): where each begins, its value there, its slope.
    """

    thresholds: np.ndarray[Any, Any]
    pieces: np.ndarray[Any, Any]

    def __call__(self, raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Bent scores: float64 array (rows,) of a float array (rows,)."""
        import numpy as np

        narrow = raw.astype(np.float32)
        found = self.pieces[np.searchsorted(self.thresholds, narrow, side="right")].astype(np.float64)
        start, value, slope = found.T
        bent: np.ndarray[Any, Any] = np.clip(value + (narrow.astype(np.float64) - start) * slope, 0.0, 1.0)
        return bent


def isotonic_curve(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Curve:
    """The rising curve nearest to labels 0.0 and 1.0; arrays (rows,)."""
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0)
    fitted = curve.fit_transform(scores.astype(np.float64), labels.astype(np.float64))
    x, y = _centres(scores.astype(np.float64), fitted)
    slopes = np.append(np.diff(y.astype(np.float64)) / np.diff(x.astype(np.float64)), 0.0).astype(np.float32)
    # a piece below the first threshold, flat
    return Curve(x, np.column_stack([np.append(x[:1], x), np.append(y[:1], y), np.append(np.float32(0), slopes)]))


def learn(kind: str, scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Calibration:
    """The curve of a kind.

    Args:
        kind: sigmoid or isotonic.
        scores: float array (rows,) of scores of rows that the model has not seen.
        labels: float array (rows,) of 0.0 and 1.0, of both.
    """
    return _sigmoid(scores, labels) if kind == "sigmoid" else _isotonic(scores, labels)


def line(told: Mapping[str, Any]) -> str:
    """What a calibration did, for people.

    >>> line({"kind": "sigmoid", "ece_before": 0.0812, "ece_after": 0.0117})
    'calibration: sigmoid, expected calibration error 0.081 before and 0.012 after, on the rows that taught the curve'
    """
    before, after = told["ece_before"], told["ece_after"]
    error = f"expected calibration error {before:.3f} before and {after:.3f} after, on the rows that taught the curve"
    return f"calibration: {told['kind']}, {error}"


def appended(file: bytes, calibration: Calibration) -> bytes:
    """A graph with the calibration behind it."""
    from onnx import load_from_string, numpy_helper

    model = load_from_string(file)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "score":
                node.name = node.output[place] = RAW
    model.graph.node.extend(calibration.nodes)
    model.graph.initializer.extend(
        numpy_helper.from_array(array, f"calibration_{name}") for name, array in calibration.constants.items()
    )
    appended_file: bytes = model.SerializeToString(deterministic=True)
    return appended_file


def log_odds(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The log odds of probabilities, which are kept a little away from 0 and 1; float64, of the same shape."""
    import numpy as np

    kept = np.clip(scores.astype(np.float64), EDGE, 1 - EDGE)
    odds: np.ndarray[Any, Any] = np.log(kept) - np.log(1 - kept)
    return odds


def _sigmoid(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Calibration:
    import numpy as np
    from onnx import TensorProto, helper
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        line = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(log_odds(scores)[:, None], labels)
    slope, intercept = np.float64(line.coef_[0, 0]), np.float64(line.intercept_[0])

    def apply(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        bent: np.ndarray[Any, Any] = 1 / (1 + np.exp(-(slope * log_odds(raw) + intercept)))
        return bent

    steps = [
        ("Clip", ["wide", "low", "high"], "kept"),
        ("Log", ["kept"], "log"),
        ("Sub", ["one", "kept"], "rest"),
        ("Log", ["rest"], "log_rest"),
        ("Sub", ["log", "log_rest"], "odds"),
        ("Mul", ["odds", "slope"], "turned"),
        ("Add", ["turned", "intercept"], "moved"),
        ("Sigmoid", ["moved"], "bent"),
    ]
    constants = {
        "low": np.array(EDGE),
        "high": np.array(1 - EDGE),
        "one": np.array(1.0),
        "slope": np.array(slope),
        "intercept": np.array(intercept),
    }
    nodes = [helper.make_node("Cast", [RAW], ["calibration_wide"], "calibration_wide", to=TensorProto.DOUBLE)]
    nodes += [node(operator, inputs, output) for operator, inputs, output in steps]
    nodes.append(helper.make_node("Cast", ["calibration_bent"], ["score"], "score", to=TensorProto.FLOAT))
    return Calibration(apply, tuple(nodes), constants)


def _isotonic(scores: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Calibration:
    import numpy as np
    from onnx import TensorProto, helper

    curve = isotonic_curve(scores, labels)
    steps = [
        ("Sub", ["wide", "start"], "along"),
        ("Mul", ["along", "slope"], "rise"),
        ("Add", ["value", "rise"], "sum"),
        ("Clip", ["sum", "low", "high"], "clipped"),
    ]
    constants = {
        "axis": np.array([1], dtype=np.int64),
        "sizes": np.array([1, 1, 1], dtype=np.int64),
        "low": np.array(0.0),
        "high": np.array(1.0),
    }
    nodes = [node("Unsqueeze", [RAW, "axis"], "column"), trees([curve], "calibration_column")]
    nodes.append(
        helper.make_node(
            "Cast", ["calibration_pieces"], ["calibration_found"], "calibration_found", to=TensorProto.DOUBLE
        )
    )
    parts = [f"calibration_{name}" for name in ("start", "value", "slope")]
    nodes.append(
        helper.make_node("Split", ["calibration_found", "calibration_sizes"], parts, "calibration_parts", axis=1)
    )
    nodes.append(
        helper.make_node(
            "Cast", ["calibration_column"], ["calibration_wide"], "calibration_wide", to=TensorProto.DOUBLE
        )
    )
    nodes += [node(operator, inputs, output) for operator, inputs, output in steps]
    nodes.append(node("Squeeze", ["clipped", "axis"], "bent"))
    nodes.append(helper.make_node("Cast", ["calibration_bent"], ["score"], "score", to=TensorProto.FLOAT))
    return Calibration(curve, tuple(nodes), constants)


def _centres(scores: np.ndarray[Any, Any], fitted: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The middle of each step of an isotonic fit: float32 arrays (steps,) of score and probability, both rising.

    Between the middles the curve is straight (Oron and Flournoy, "Centered isotonic regression", 2017). Steps nearer
    than `_NEAREST` are one: in a steeper piece the last bit of a score would be seen in the fifth decimal.
    """
    import numpy as np

    _, step, rows = np.unique(fitted, return_inverse=True, return_counts=True)
    sums = np.column_stack([np.bincount(step, weights=scores), np.bincount(step, weights=fitted), rows])
    kept = [sums[0]]
    for step_sums in sums[1:]:
        if step_sums[0] / step_sums[2] - kept[-1][0] / kept[-1][2] < _NEAREST:
            kept[-1] = kept[-1] + step_sums
        else:
            kept.append(step_sums)
    total = np.array(kept)
    return (total[:, 0] / total[:, 2]).astype(np.float32), (total[:, 1] / total[:, 2]).astype(np.float32)


def node(operator: str, inputs: list[str], output: str) -> onnx.NodeProto:
    """A step; every name but the raw score's is the calibration's own."""
    from onnx import helper

    named = [name if name == RAW else f"calibration_{name}" for name in inputs]
    return helper.make_node(operator, named, [f"calibration_{output}"], f"calibration_{output}")


def trees(curves: Sequence[Curve], scores: str) -> onnx.NodeProto:
    """A tree a curve, whose leaves are its pieces: from (rows, curves) to (rows, 3 * curves).

    All starts come first, then all values, then all slopes.
    """
    from onnx import helper

    grown = [list(_halved(0, len(curve.pieces), [0])) for curve in curves]
    nodes = [(code, one) for code, tree in enumerate(grown) for one in tree]
    leaves = [(code, one, part) for code, one in nodes if one["leaf"] for part in range(3)]
    return helper.make_node(
        "TreeEnsembleRegressor",
        [scores],
        ["calibration_pieces"],
        "calibration_pieces",
        domain="ai.onnx.ml",
        n_targets=3 * len(curves),
        nodes_treeids=[code for code, _ in nodes],
        nodes_nodeids=[one["id"] for _, one in nodes],
        nodes_featureids=[code for code, _ in nodes],
        nodes_modes=["LEAF" if one["leaf"] else "BRANCH_LT" for _, one in nodes],
        nodes_values=[0.0 if one["leaf"] else float(curves[code].thresholds[one["at"] - 1]) for code, one in nodes],
        nodes_truenodeids=[one["below"] for _, one in nodes],
        nodes_falsenodeids=[one["above"] for _, one in nodes],
        nodes_missing_value_tracks_true=[0] * len(nodes),
        target_treeids=[code for code, _, _ in leaves],
        target_nodeids=[one["id"] for _, one, _ in leaves],
        target_ids=[part * len(curves) + code for code, _, part in leaves],
        target_weights=[float(curves[code].pieces[one["at"], part]) for code, one, part in leaves],
    )


def _halved(low: int, high: int, used: list[int]) -> Iterator[dict[str, Any]]:
    """The nodes of a balanced tree over the pieces `low` to `high`, root first; `used` counts the ids given."""
    own = used[0]
    used[0] += 1
    if high - low == 1:
        yield {"id": own, "leaf": True, "at": low, "below": 0, "above": 0}
        return
    middle = (low + high) // 2
    below = used[0]
    lower = list(_halved(low, middle, used))
    above = used[0]
    upper = list(_halved(middle, high, used))
    yield {"id": own, "leaf": False, "at": middle, "below": below, "above": above}
    yield from lower
    yield from upper
