"""Logistic regression on standardised columns: each column pushes the score up or down, by an amount one can read.

Use it first, and keep it when `xgboost` does not beat it clearly: it is small, smooth and calibrated. Not when the
answer hangs on thresholds or on columns acting together: it sees each column as a straight line.

A missing value counts as the column's median. A standardised value is cut at `clip_sigma` standard deviations, so that
one absurd row bends neither the fit nor its own score. Several classes share one fit (multinomial, softmax).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_unlearnable, weights
from mlctl.models._scaling import Scaling, learn, shares, steps

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import LogisticRegression


class Options(ModelOptions):
    """Options of logistic regression."""

    kind: Literal["logistic"] = Field(default="logistic", description="logistic")
    c: float = Field(default=1.0, gt=0, description="inverse strength of the L2 penalty, above 0; smaller is simpler")
    max_iter: int = Field(default=1000, ge=1, le=100_000, description="most iterations of the solver, 1 to 100000")
    clip_sigma: float = Field(
        default=8.0, ge=1, le=1000, description="where a standardised value is cut, in deviations, 1 to 1000"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "logistic", "c": 0.5}
SEARCH: Final[dict[str, dict[str, object]]] = {"c": {"low": 0.001, "high": 100.0, "log": True}}
TASKS: Final = frozenset({"binary", "multiclass"})
OPS: Final = frozenset(
    {"Cast", "IsNaN", "Where", "Sub", "Div", "Clip", "MatMul", "Add", "Sigmoid", "Softmax"},
)


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns one weight per column (and class) and an intercept, by L-BFGS on one thread.

    Raises:
        DataError: The labels do not vary, there is no row, or a value is infinite.
        ConfigError: `class_weight` names a class that is not there.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    refuse_unlearnable(table)
    scaling = learn(table.matrix, options.clip_sigma)
    estimator = LogisticRegression(C=options.c, max_iter=options.max_iter, tol=1e-6, random_state=options.seed)
    # A sum split over threads rounds differently, and the weights would depend on the machine's cores.
    with threadpool_limits(limits=1):
        estimator.fit(scaling(table.matrix), table.labels, sample_weight=weights(options, table))
    binary = table.task == "binary"

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        probability: np.ndarray[Any, Any] = estimator.predict_proba(scaling(matrix))
        return probability[:, 1] if binary else probability

    strength = np.abs(estimator.coef_).sum(axis=0)
    return Fitted(_graph(scaling, estimator, binary), predict, shares(strength))


def _graph(scaling: Scaling, estimator: LogisticRegression, binary: bool) -> bytes:
    """The same arithmetic in ONNX."""
    from onnx import TensorProto, helper

    if binary:
        nodes, learnt = steps(scaling, estimator.coef_[0], estimator.intercept_[0].reshape(()))
        nodes.append(helper.make_node("Sigmoid", ["sums"], ["probability"], "probability"))
    else:
        nodes, learnt = steps(scaling, estimator.coef_.T, estimator.intercept_)
        nodes.append(helper.make_node("Softmax", ["sums"], ["probability"], "probability", axis=1))
    nodes.append(helper.make_node("Cast", ["probability"], ["score"], "score", to=TensorProto.FLOAT))
    return build(nodes, learnt, len(scaling.means), None if binary else len(estimator.classes_))
