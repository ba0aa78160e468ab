"""Linear regression with an L2 penalty on standardised columns (ridge): each column adds or takes an amount.

Use it first for a number, and keep it when `xgboost` does not beat it clearly. Not when the answer hangs on thresholds
or on columns acting together, and not where a few huge labels would bend the line: it minimises squares.

A missing value counts as the column's median; a standardised value is cut at `clip_sigma` standard deviations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_texts, refuse_unlearnable
from mlctl.models._scaling import learn, shares, steps

if TYPE_CHECKING:
    import numpy as np


class Options(ModelOptions):
    """Options of linear regression."""

    kind: Literal["linear"] = Field(default="linear", description="linear")
    l2: float = Field(default=1.0, ge=0, description="L2 penalty on the weights, from 0; larger is simpler")
    clip_sigma: float = Field(
        default=8.0, ge=1, le=1000, description="where a standardised value is cut, in deviations, 1 to 1000"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "linear", "l2": 2.0}
SEARCH: Final[dict[str, dict[str, object]]] = {"l2": {"low": 0.001, "high": 1000.0, "log": True}}
TASKS: Final = frozenset({"regression"})
OPS: Final = frozenset({"Cast", "IsNaN", "Where", "Sub", "Div", "Clip", "MatMul", "Add"})


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns one weight per column and an intercept, on one thread.

    Raises:
        DataError: The labels do not vary, there is no row, or a value is infinite.
    """
    import numpy as np
    from onnx import TensorProto, helper
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    refuse_texts("linear", table)
    refuse_unlearnable(table)
    scaling = learn(table.matrix, options.clip_sigma)
    # cholesky is exact for tables of few columns; with no penalty at all equal columns would have no single answer
    estimator = Ridge(alpha=max(options.l2, 1e-9), solver="cholesky")
    # A sum split over threads rounds differently, and the weights would depend on the machine's cores.
    with threadpool_limits(limits=1):
        estimator.fit(scaling(table.matrix), table.labels.astype(np.float64))
    weights, intercept = np.asarray(estimator.coef_).ravel(), np.asarray(estimator.intercept_).reshape(())

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        value: np.ndarray[Any, Any] = scaling(matrix) @ weights + intercept
        return value

    nodes, learnt = steps(scaling, weights, intercept)
    nodes.append(helper.make_node("Cast", ["sums"], ["score"], "score", to=TensorProto.FLOAT))
    return Fitted(build(nodes, learnt, len(table.columns)), predict, shares(np.abs(weights)))
