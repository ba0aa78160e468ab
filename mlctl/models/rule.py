"""The business rule of today as a model: what an SQL expression over features says, and how often it was right.

Use it as the rung above the constant: whoever replaces a rule that works must beat it. Not where there is no rule.

For yes or no the expression is true or false (or a probability, taken as it is), and the score is the share of label 1
among the training rows where it said so. For classes it names the class; for a number it is the number itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_unlearnable

if TYPE_CHECKING:
    import numpy as np
    import onnx


class Options(ModelOptions):
    """Options of the rule."""

    kind: Literal["rule"] = Field(default="rule", description="rule")
    rule: str = Field(description="an SQL expression over features: true or false, a class's name, or a number")


EXAMPLE: Final[dict[str, object]] = {"kind": "rule", "rule": "days_since_order > 90"}
TASKS: Final = frozenset({"binary", "multiclass", "regression"})
OPS: Final = frozenset({"Squeeze", "IsNaN", "Where", "Cast", "Gather", "Max", "Min"})


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns what the rule's answers were worth.

    Args:
        options: The rule; its expression is already evaluated.
        table: One column, what the rule says: 0 and 1 or a probability, a class's code, a number; NaN is "nothing".

    Raises:
        DataError: The labels do not vary, there is no row, or the rule says what is no answer of its task.
    """
    import numpy as np

    refuse_unlearnable(table)
    said = table.matrix[:, 0].astype(np.float64)
    told = ~np.isnan(said)
    if table.task == "regression":
        return _as_said(float(table.labels.mean(dtype=np.float64)), None)
    if table.task == "binary" and not ((said[told] >= 0) & (said[told] <= 1)).all():
        why = f"it says {said[told].max():g}; a rule for yes or no says true, false or a probability"
        raise DataError.bad_expression("model.rule", options.rule, why)
    if table.task == "binary" and not np.isin(said[told], (0.0, 1.0)).all():
        return _as_said(float(table.labels.mean(dtype=np.float64)), (0.0, 1.0))
    return _by_answer(table, np.where(told, said, len(table.classes)).astype(np.int64))


def _by_answer(table: TrainingTable, answers: np.ndarray[Any, Any]) -> Fitted:
    """The share of each class among the rows of each answer; the last answer is none at all.

    An answer that was never given gets the shares among all rows. One row of each class is added to every answer
    (Laplace), so that no score is 0 or 1.
    """
    import numpy as np

    classes = len(table.classes)
    labels = table.labels.astype(np.int64)
    base = np.bincount(labels, minlength=classes) / len(labels)
    shares = np.tile(base, (classes + 1, 1))
    for answer in range(classes + 1):
        counts = np.bincount(labels[answers == answer], minlength=classes)
        if counts.sum():
            shares[answer] = (counts + base) / (counts.sum() + 1)
    learnt = shares.astype(np.float32)
    scores = learnt if table.task == "multiclass" else learnt[:, 1]

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        said = matrix[:, 0]
        places = np.clip(np.where(np.isnan(said), classes, said), 0, classes).astype(np.int64)
        return np.asarray(scores[places])

    constants = {
        "nothing": np.array(classes, np.float32),
        "first": np.array(0, np.float32),
        "last": np.array(classes, np.float32),
        "shares": scores,
    }
    nodes = _place_nodes()
    file = build([*_said(constants), *nodes], constants, 1, classes if table.task == "multiclass" else None)
    return Fitted(file, predict, (1.0,))


def _place_nodes() -> list[onnx.NodeProto]:
    from onnx import TensorProto, helper

    return [
        helper.make_node("Max", ["told", "first"], ["from_first"], "from_first"),
        helper.make_node("Min", ["from_first", "last"], ["to_last"], "to_last"),
        helper.make_node("Cast", ["to_last"], ["place"], "place", to=TensorProto.INT64),
        helper.make_node("Gather", ["shares", "place"], ["score"], "score", axis=0),
    ]


def _said(constants: dict[str, np.ndarray[Any, Any]]) -> list[onnx.NodeProto]:
    """From the one column of `features` to `told`, where `nothing` stands for NaN."""
    import numpy as np
    from onnx import helper

    constants["second_axis"] = np.array([1], dtype=np.int64)
    return [
        helper.make_node("Squeeze", ["features", "second_axis"], ["said"], "said"),
        helper.make_node("IsNaN", ["said"], ["missing"], "missing"),
        helper.make_node("Where", ["missing", "nothing", "said"], ["told"], "told"),
    ]


def _as_said(otherwise: float, limits: tuple[float, float] | None) -> Fitted:
    """The rule's own number, within limits; `otherwise` where it says nothing."""
    import numpy as np
    from onnx import helper

    low, high = limits or (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
    constants = {
        "nothing": np.array(otherwise, np.float32),
        "low": np.array(low, np.float32),
        "high": np.array(high, np.float32),
    }

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        said = matrix[:, 0].astype(np.float32)
        return np.clip(np.where(np.isnan(said), constants["nothing"], said), constants["low"], constants["high"])

    nodes = [
        *_said(constants),
        helper.make_node("Max", ["told", "low"], ["from_low"], "from_low"),
        helper.make_node("Min", ["from_low", "high"], ["score"], "score"),
    ]
    return Fitted(build(nodes, constants, 1), predict, (1.0,))
