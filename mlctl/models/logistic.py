"""Logistic regression on standardised columns: each column pushes the score up or down, by an amount one can read.

Use it first, and keep it when `xgboost` does not beat it clearly: it is small, smooth and calibrated. Not when the
answer hangs on thresholds or on columns acting together: it sees each column as a straight line.

A missing value counts as the column's median. A standardised value is cut at `clip_sigma` standard deviations, so that
one absurd row bends neither the fit nor its own score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_unlearnable

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import LogisticRegression


class Options(ModelOptions):
    """Options of logistic regression."""

    kind: Literal["logistic"] = Field(default="logistic", description="logistic")
    c: float = Field(default=1.0, gt=0, description="inverse strength of the L2 penalty, above 0; smaller is simpler")
    max_iter: int = Field(default=1000, ge=1, le=100_000, description="most iterations of the solver, 1 to 100000")
    class_weight: Literal["balanced"] | None = Field(
        default=None, description="balanced: both classes weigh the same, at the cost of calibration; default: rows do"
    )
    clip_sigma: float = Field(
        default=8.0, ge=1, le=1000, description="where a standardised value is cut, in deviations, 1 to 1000"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "logistic", "c": 0.5}
OPS: Final = frozenset({"Cast", "IsNaN", "Where", "Sub", "Div", "Clip", "MatMul", "Add", "Sigmoid"})


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns one weight per column and an intercept, by L-BFGS on one thread.

    Raises:
        DataError: The labels do not vary, there is no row, or a value is infinite.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    refuse_unlearnable(table)
    scaling = _scaling(table.matrix)
    estimator = LogisticRegression(
        C=options.c, max_iter=options.max_iter, class_weight=options.class_weight, tol=1e-6, random_state=options.seed
    )
    # A sum split over threads rounds differently, and the weights would depend on the machine's cores.
    with threadpool_limits(limits=1):
        estimator.fit(_standardised(table.matrix, scaling, options.clip_sigma), table.labels)

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        probability: np.ndarray[Any, Any] = estimator.predict_proba(_standardised(matrix, scaling, options.clip_sigma))[
            :, 1
        ]
        return probability

    strength = np.abs(estimator.coef_[0])
    total = float(strength.sum())
    importance = tuple(float(value) / total if total > 0 else 0.0 for value in strength)
    return Fitted(_graph(scaling, estimator, options.clip_sigma), predict, importance)


def _scaling(matrix: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Median, mean and deviation per column; a column of one value has deviation 1, one without values median 0."""
    import numpy as np

    medians, means, deviations = (np.zeros(matrix.shape[1]) for _ in range(3))
    # Column by column, so that a wide table is not copied three times in float64.
    for position in range(matrix.shape[1]):
        column = matrix[:, position].astype(np.float64)
        missing = np.isnan(column)
        medians[position] = 0.0 if missing.all() else np.median(column[~missing])
        column[missing] = medians[position]
        means[position] = column.mean()
        deviations[position] = column.std() if column.min() < column.max() else 1.0
    return {"medians": medians, "means": means, "deviations": deviations}


def _standardised(
    matrix: np.ndarray[Any, Any], scaling: dict[str, np.ndarray[Any, Any]], clip_sigma: float
) -> np.ndarray[Any, Any]:
    import numpy as np

    values = matrix.astype(np.float64)
    filled = np.where(np.isnan(values), scaling["medians"], values)
    clipped: np.ndarray[Any, Any] = np.clip(
        (filled - scaling["means"]) / scaling["deviations"], -clip_sigma, clip_sigma
    )
    return clipped


def _graph(scaling: dict[str, np.ndarray[Any, Any]], estimator: LogisticRegression, clip_sigma: float) -> bytes:
    """The same arithmetic in ONNX; in float64, because a large weight times a rounded float32 would leave the 1e-5."""
    import numpy as np
    from onnx import TensorProto, helper

    steps: list[tuple[str, list[str], str]] = [
        ("IsNaN", ["values"], "missing"),
        ("Where", ["missing", "medians", "values"], "filled"),
        ("Sub", ["filled", "means"], "centred"),
        ("Div", ["centred", "deviations"], "scaled"),
        ("Clip", ["scaled", "lowest", "highest"], "clipped"),
        ("MatMul", ["clipped", "weights"], "weighted"),
        ("Add", ["weighted", "intercept"], "log_odds"),
        ("Sigmoid", ["log_odds"], "probability"),
    ]
    nodes = [helper.make_node("Cast", ["features"], ["values"], "values", to=TensorProto.DOUBLE)]
    nodes += [helper.make_node(operator, inputs, [output], output) for operator, inputs, output in steps]
    nodes += [helper.make_node("Cast", ["probability"], ["score"], "score", to=TensorProto.FLOAT)]
    limits = {"lowest": np.array(-clip_sigma), "highest": np.array(clip_sigma)}
    learnt = {
        "weights": estimator.coef_[0].astype(np.float64),
        "intercept": estimator.intercept_[0].astype(np.float64).reshape(()),
    }
    return build(nodes, {**scaling, **limits, **learnt}, len(scaling["means"]))
