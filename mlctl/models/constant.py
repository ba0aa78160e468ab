"""Predicts the share of positive labels for every row: the score that any other model must beat.

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
OPS: Final = frozenset({"Shape", "ConstantOfShape"})


def fit(options: Options, table: TrainingTable) -> Fitted:
    """Learns the base rate; missing and hostile values change nothing, because no value is read.

    Raises:
        DataError: The labels do not vary, there is no row, or a value is infinite.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    refuse_unlearnable(table)
    rate = np.array([table.labels.mean(dtype=np.float64)], dtype=np.float32)
    nodes = [
        helper.make_node("Shape", ["features"], ["rows"], "rows", start=0, end=1),
        helper.make_node("ConstantOfShape", ["rows"], ["score"], "score", value=numpy_helper.from_array(rate)),
    ]

    def predict(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full(len(matrix), rate[0])

    return Fitted(build(nodes, {}, len(table.columns)), predict, (0.0,) * len(table.columns))
