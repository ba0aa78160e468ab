"""Predicts the same for every row (the share of each class, or the mean): the score that any other model must beat.

Use it as the floor of the ladder, and to try a pipeline before there is a feature worth having. Not for decisions: it
ranks nobody above anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.models._graph import build
from mlctl.models._learnable import refuse_unlearnable

if TYPE_CHECKING:
    import numpy as np


class Options(ModelOptions):
    """Options of the constant model: none of its own."""

    kind: Literal["constant"] = Field(default="constant", description="constant")


EXAMPLE: Final[dict[str, object]] = {"kind": "constant"}
TASKS: Final = frozenset({"binary", "multiclass", "regression"})
OPS: Final = frozenset({"Shape", "Concat", "Expand"})


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns the base rate; missing and hostile values change nothing, because no value is read.

    Raises:
        DataError: The labels do not vary, there is no row, or a value is infinite.
    """
    import numpy as np
    from onnx import helper

    refuse_unlearnable(table)
    several = table.task == "multiclass"
    if several:
        counts = np.bincount(table.labels.astype(np.int64), minlength=len(table.classes))
        always = (counts / len(table.labels)).astype(np.float32)
    else:
        always = np.array(table.labels.mean(dtype=np.float64), dtype=np.float32)
    nodes = [helper.make_node("Shape", ["features"], ["rows"], "rows", start=0, end=1)]
    constants: dict[str, np.ndarray[Any, Any]] = {"always": always}
    shape = "rows"
    if several:
        nodes.append(helper.make_node("Concat", ["rows", "classes"], ["shape"], "shape", axis=0))
        constants["classes"] = np.array([len(always)], dtype=np.int64)
        shape = "shape"
    nodes.append(helper.make_node("Expand", ["always", shape], ["score"], "score"))

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.tile(always, (len(matrix), 1)) if several else np.full(len(matrix), always)

    file = build(nodes, constants, table.width, len(table.classes) if several else None)
    return Fitted(file, predict, (0.0,) * len(table.columns))
