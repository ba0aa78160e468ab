"""Columns filled, standardised and cut, as a sum of weighted columns needs them: in numpy, and as steps in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import onnx


@dataclass(frozen=True)
class Scaling:
    """Learnt from the training rows; each array is float64 (columns,).

    Attributes:
        medians: What a missing value counts as; 0 for a column without values.
        means: Of the filled columns.
        deviations: Of the filled columns; 1 for a column of one value.
        clip_sigma: Where a standardised value is cut.
    """

    medians: np.ndarray[Any, Any]
    means: np.ndarray[Any, Any]
    deviations: np.ndarray[Any, Any]
    clip_sigma: float

    def __call__(self, matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The standardised rows: float64 array (rows, columns) within -clip_sigma to clip_sigma."""
        import numpy as np

        values = matrix.astype(np.float64)
        filled = np.where(np.isnan(values), self.medians, values)
        scaled: np.ndarray[Any, Any] = np.clip(
            (filled - self.means) / self.deviations, -self.clip_sigma, self.clip_sigma
        )
        return scaled


def learn(matrix: np.ndarray[Any, Any], clip_sigma: float) -> Scaling:
    """Median, mean and deviation of each column."""
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
    return Scaling(medians, means, deviations, clip_sigma)


def steps(
    scaling: Scaling, weights: np.ndarray[Any, Any], intercept: np.ndarray[Any, Any], source: str = "features"
) -> tuple[list[onnx.NodeProto], Mapping[str, np.ndarray[Any, Any]]]:
    """The nodes from `source` to `sums` (standardised columns times weights, plus intercept) and their constants.

    In float64, because a large weight times a rounded float32 would leave the parity limit.
    """
    import numpy as np
    from onnx import TensorProto, helper

    named: list[tuple[str, list[str], str]] = [
        ("IsNaN", ["values"], "missing"),
        ("Where", ["missing", "medians", "values"], "filled"),
        ("Sub", ["filled", "means"], "centred"),
        ("Div", ["centred", "deviations"], "scaled"),
        ("Clip", ["scaled", "lowest", "highest"], "clipped"),
        ("MatMul", ["clipped", "weights"], "weighted"),
        ("Add", ["weighted", "intercept"], "sums"),
    ]
    nodes = [helper.make_node("Cast", [source], ["values"], "values", to=TensorProto.DOUBLE)]
    nodes += [helper.make_node(operator, inputs, [output], output) for operator, inputs, output in named]
    return nodes, {
        "medians": scaling.medians,
        "means": scaling.means,
        "deviations": scaling.deviations,
        "lowest": np.array(-scaling.clip_sigma),
        "highest": np.array(scaling.clip_sigma),
        "weights": weights.astype(np.float64),
        "intercept": intercept.astype(np.float64),
    }


def shares(strength: np.ndarray[Any, Any]) -> tuple[float, ...]:
    """Each column's share of the weights' sizes; all 0 where no column has a weight."""
    total = float(strength.sum())
    return tuple(float(value) / total if total > 0 else 0.0 for value in strength)
