"""Logistic regression on standardised columns: each column pushes the score up or down, by an amount one can read.

Use it first, and keep it when `xgboost` does not beat it clearly: it is small, smooth and calibrated. Not when the
answer hangs on thresholds or on columns acting together: it sees each column as a straight line.

A missing value counts as the column's median. A standardised value is cut at `clip_sigma` standard deviations, so that
one absurd row bends neither the fit nor its own score. Several classes share one fit (multinomial, softmax). Of a text
each term pushes the score by its weight in the text; `c: 10` suits texts, whose weights are small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_unlearnable, weights
from mlctl.models._scaling import Scaling, learn, shares, steps
from mlctl.models._terms import OPS as OPS_OF_TERMS
from mlctl.models._terms import sparse
from mlctl.models._terms import steps as steps_of_terms
from mlctl.text import TextColumn

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
OPS: Final = OPS_OF_TERMS | {"Cast", "IsNaN", "Where", "Sub", "Div", "Clip", "MatMul", "Add", "Sigmoid", "Softmax"}


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
    seen = _Seen(learn(table.matrix[:, : len(table.columns)], options.clip_sigma), table.texts)
    # a class of texts has thousands of weights, and the last digits of each decide nothing
    tol = 1e-4 if seen.texts else 1e-6
    estimator = LogisticRegression(C=options.c, max_iter=options.max_iter, tol=tol, random_state=options.seed)
    # A sum split over threads rounds differently, and the weights would depend on the machine's cores.
    with threadpool_limits(limits=1):
        estimator.fit(seen(table.matrix), table.labels, sample_weight=weights(options, table))
    # the graph's weights of terms are float32, and the library shall predict with the same
    estimator.coef_[:, len(table.columns) :] = estimator.coef_[:, len(table.columns) :].astype(np.float32)
    binary = table.task == "binary"

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        probability: np.ndarray[Any, Any] = estimator.predict_proba(seen(matrix))
        return probability[:, 1] if binary else probability

    strength = np.abs(estimator.coef_).sum(axis=0)
    return Fitted(_graph(seen, estimator, table), predict, shares(seen.by_column(strength)))


@dataclass(frozen=True)
class _Seen:
    """What the estimator sees of a row: its columns standardised, and behind them the weights of its terms.

    Attributes:
        scaling: Of the columns.
        texts: The columns that only count a text's pairs; they weigh nothing. Without any the estimator sees a plain
            array.
    """

    scaling: Scaling
    texts: tuple[TextColumn, ...]

    def __call__(self, matrix: np.ndarray[Any, Any]) -> Any:
        columns = len(self.scaling.means)
        scaled = self.scaling(matrix[:, :columns])
        if not self.texts:
            return scaled
        from scipy.sparse import csr_array, hstack

        scaled[:, [text.column for text in self.texts]] = 0.0
        return hstack([csr_array(scaled), sparse(matrix, columns, self.texts[-1].last)], format="csr")

    def by_column(self, strength: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Of each column its part; a text's is what its terms weigh."""
        columns = len(self.scaling.means)
        found: np.ndarray[Any, Any] = strength[:columns].copy()
        for text in self.texts:
            found[text.column] = strength[columns + text.first - 1 : columns + text.last].sum()
        return found


def _graph(seen: _Seen, estimator: LogisticRegression, table: TrainingTable) -> bytes:
    """The same arithmetic in ONNX."""
    import numpy as np
    from onnx import TensorProto, helper

    binary, columns = table.task == "binary", len(table.columns)
    by_class, intercept = estimator.coef_, estimator.intercept_
    if not binary and len(by_class) == 1:
        # of two classes scikit-learn learns the second against the first, whose sum is 0
        by_class, intercept = np.concatenate([0 * by_class, by_class]), np.concatenate([0 * intercept, intercept])
    learnt_weights = by_class[0] if binary else by_class.T
    intercept = intercept[0].reshape(()) if binary else intercept
    source = "columns" if seen.texts else "features"
    nodes, learnt = steps(seen.scaling, learnt_weights[:columns], intercept, source)
    if seen.texts:
        before, constants = steps_of_terms(learnt_weights[columns:], columns)
        nodes[-1].output[0] = nodes[-1].name = "of_columns"
        nodes = [*before, *nodes, helper.make_node("Add", ["of_columns", "of_terms"], ["sums"], "sums")]
        learnt = {**learnt, **constants}
    if binary:
        nodes.append(helper.make_node("Sigmoid", ["sums"], ["probability"], "probability"))
    else:
        nodes.append(helper.make_node("Softmax", ["sums"], ["probability"], "probability", axis=1))
    nodes.append(helper.make_node("Cast", ["probability"], ["score"], "score", to=TensorProto.FLOAT))
    return build(nodes, learnt, table.width, None if binary else len(estimator.classes_))
