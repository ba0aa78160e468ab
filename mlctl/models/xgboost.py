"""Gradient-boosted shallow trees: thresholds and columns acting together, with missing values as values of their own.

Use it when it beats `logistic` on rows that neither has seen. Not for a few hundred rows, and not where the score must
go on beyond what was seen: a tree says the same for every value above its last threshold.

The defaults are many shallow trees that learn slowly, each from a part of the rows and columns: forgiving, seldom far
from the best, and small enough to be scored in microseconds (Chen and Guestrin, "XGBoost", KDD 2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_texts, refuse_unlearnable, weights

if TYPE_CHECKING:
    import numpy as np
    from xgboost import Booster


class Options(ModelOptions):
    """Options of gradient-boosted trees."""

    kind: Literal["xgboost"] = Field(default="xgboost", description="xgboost")
    trees: int = Field(default=200, ge=1, le=5000, description="number of trees, 1 to 5000")
    depth: int = Field(default=3, ge=1, le=12, description="questions from root to leaf, 1 to 12")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="how much of each tree is kept, above 0 to 1")
    row_share: float = Field(default=0.8, gt=0, le=1, description="share of the rows that each tree sees, above 0 to 1")
    column_share: float = Field(
        default=0.8, gt=0, le=1, description="share of the columns that each tree sees, above 0 to 1"
    )
    min_child_weight: float = Field(
        default=1.0, ge=0, description="least weight of the rows in a leaf (sum of p(1 - p)), from 0"
    )
    l2: float = Field(default=1.0, ge=0, description="L2 penalty on the leaves, from 0")
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(
        default_factory=dict, description="features along which the score may only rise or only fall"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "xgboost", "trees": 120, "depth": 3}
SEARCH: Final[dict[str, dict[str, object]]] = {
    "trees": {"low": 50, "high": 800, "log": True},
    "depth": {"low": 2, "high": 8},
    "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
    "row_share": {"low": 0.5, "high": 1.0},
    "column_share": {"low": 0.4, "high": 1.0},
    "min_child_weight": {"low": 0.5, "high": 50.0, "log": True},
    "l2": {"low": 0.1, "high": 30.0, "log": True},
}
TASKS: Final = frozenset({"binary", "multiclass", "regression"})
OPS: Final = frozenset({"TreeEnsembleRegressor", "Squeeze", "Sigmoid", "Softmax"})
_THREADS: Final = 2
_OBJECTIVES: Final = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}
_NO_CHILD: Final = -1


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns the trees by histograms of the columns.

    Raises:
        DataError: The labels do not vary, there is no row, a value is infinite, or `monotone` names no column.
        ConfigError: `class_weight` names a class that is not there.
    """
    from xgboost import DMatrix, train

    refuse_texts("xgboost", table)
    refuse_unlearnable(table)
    start = _start(table)
    rows = DMatrix(table.matrix, label=table.labels, weight=weights(options, table), nthread=_THREADS)
    booster = train(_parameters(options, table, start), rows, num_boost_round=options.trees)

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        score: np.ndarray[Any, Any] = booster.predict(DMatrix(matrix, nthread=_THREADS))
        return score

    return Fitted(_graph(booster, table, start), predict, _importance(booster, len(table.columns)))


def _start(table: TrainingTable) -> float:
    """What the trees begin with: the base rate, or the mean; of classes all begin with the same."""
    return 0.5 if table.task == "multiclass" else float(table.labels.mean(dtype="float64"))


def _parameters(options: Options, table: TrainingTable, start: float) -> dict[str, Any]:
    objective: dict[str, Any] = {"objective": _OBJECTIVES[table.task]}
    if table.task == "multiclass":
        objective["num_class"] = len(table.classes)
    if options.monotone:
        objective["monotone_constraints"] = _constraints(options, table)
    return {
        **objective,
        "base_score": start,
        "tree_method": "hist",
        "nthread": _THREADS,
        "seed": options.seed,
        "max_depth": options.depth,
        "eta": options.learning_rate,
        "subsample": options.row_share,
        "colsample_bytree": options.column_share,
        "min_child_weight": options.min_child_weight,
        "lambda": options.l2,
        "verbosity": 0,
    }


def _constraints(options: Options, table: TrainingTable) -> str:
    for name in options.monotone:
        if name not in table.columns:
            raise DataError.missing_column("features", name, table.columns, "model.monotone")
    signs = {"increasing": "1", "decreasing": "-1"}
    return f"({','.join(signs.get(options.monotone.get(name, ''), '0') for name in table.columns)})"


def _importance(booster: Booster, columns: int) -> tuple[float, ...]:
    """Each column's share of the loss that all splits saved."""
    gains: dict[str, Any] = booster.get_score(importance_type="total_gain")
    by_column = [float(gains.get(f"f{position}", 0.0)) for position in range(columns)]
    total = sum(by_column)
    return tuple(gain / total if total > 0 else 0.0 for gain in by_column)


def _graph(booster: Booster, table: TrainingTable, start: float) -> bytes:
    """The trees in ONNX, and what they sum up to (log odds, or the value) as a score.

    Built from the booster's own file and not by onnxmltools, which reads a text dump: where every tree is one leaf it
    takes the model for a regression, and where the first tree says 0 it starts from the rate in place of its log odds.
    """
    import json

    import numpy as np
    from onnx import helper

    saved = json.loads(booster.save_raw(raw_format="json"))["learner"]["gradient_booster"]["model"]
    several = table.task == "multiclass"
    targets = len(table.classes) if several else 1
    nodes = [node for number, tree in enumerate(saved["trees"]) for node in _nodes(number, tree)]
    leaves = [node for node in nodes if node["modes"] == "LEAF"]
    described: dict[str, Any] = {f"nodes_{name}": [node[name] for node in nodes] for name in nodes[0]}
    log_odds = table.task == "binary"
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["sums"],
        "sums",
        domain="ai.onnx.ml",
        n_targets=targets,
        base_values=[float(np.log(start) - np.log1p(-start)) if log_odds else start] * targets,
        target_ids=[saved["tree_info"][leaf["treeids"]] for leaf in leaves],
        target_treeids=[leaf["treeids"] for leaf in leaves],
        target_nodeids=[leaf["nodeids"] for leaf in leaves],
        target_weights=[leaf["values"] for leaf in leaves],
        **described,
    )
    if several:
        softmax = helper.make_node("Softmax", ["sums"], ["score"], "score", axis=1)
        return build([ensemble, softmax], {}, len(table.columns), targets)
    axis = {"second_axis": np.array([1], dtype=np.int64)}
    if not log_odds:
        squeeze = helper.make_node("Squeeze", ["sums", "second_axis"], ["score"], "score")
        return build([ensemble, squeeze], axis, len(table.columns))
    squeeze = helper.make_node("Squeeze", ["sums", "second_axis"], ["log_odds"], "log_odds")
    score = helper.make_node("Sigmoid", ["log_odds"], ["score"], "score")
    return build([ensemble, squeeze, score], axis, len(table.columns))


def _nodes(number: int, tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One tree's nodes from the root down; of a leaf, `values` is what it adds to the log odds.

    `hitrates` is the weight of the training rows that passed: ONNX Runtime ignores it, contributions are made of it.
    """
    waiting = [0]
    while waiting:
        at = waiting.pop()
        left, right = tree["left_children"][at], tree["right_children"][at]
        leaf = left == _NO_CHILD
        if not leaf:
            waiting += [right, left]
        yield {
            "treeids": number,
            "nodeids": at,
            "modes": "LEAF" if leaf else "BRANCH_LT",
            "featureids": 0 if leaf else tree["split_indices"][at],
            "values": tree["split_conditions"][at],
            "truenodeids": 0 if leaf else left,
            "falsenodeids": 0 if leaf else right,
            "missing_value_tracks_true": 0 if leaf else tree["default_left"][at],
            "hitrates": tree["sum_hessian"][at],
        }
