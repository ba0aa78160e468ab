"""A model is a function from a training table to ONNX bytes.

A kind gets float32 columns (categories are already one-hot, missing is NaN: `mlctl/encoding.py`) and gives back a graph
with one input `features` and one output `score`. What a kind needs beside the estimator (imputing, scaling) lives
inside the graph, so that evaluation, packaging and serving never see the training library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import Field

from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np

LADDER: Final = ("constant", "logistic", "xgboost")
"""From simple to complex: a rung must earn its place over the ones below it."""

OPSET: Final = 15
"""The ONNX operator set that every kind exports to."""


@dataclass(frozen=True)
class TrainingTable:
    """What a model learns from.

    Attributes:
        matrix: float32 array (rows, columns); NaN is "missing".
        labels: float32 array (rows,) of 0.0 and 1.0.
        columns: Names of the matrix columns, `[a-z_][a-z0-9_]*`.
    """

    matrix: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        onnx: The graph: input `features` float32 (rows, columns), output `score` float32 (rows,), P(label = 1).
        predict: The same prediction by the training library, for the parity check; it lives only in this process.
        importance: A share per column, summing to 1 (all 0 when no column matters), in the order of the columns.
    """

    onnx: bytes
    predict: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    importance: tuple[float, ...]


class ModelOptions(Record):
    """What every model says, whatever its kind."""

    kind: str = Field(description="the model's kind: mlctl explain models")
    seed: int = Field(default=7, ge=0, description="seed of everything random in the fit")
    ladder: tuple[str, ...] | None = Field(
        default=None,
        description="simpler kinds trained beside it; default: those below it (constant, logistic, xgboost)",
    )

    def rungs(self) -> tuple[str, ...]:
        """The simpler kinds to train beside this one, from simple to complex."""
        if self.ladder is not None:
            return self.ladder
        return LADDER[: LADDER.index(self.kind)] if self.kind in LADDER else LADDER[:2]


class Model(Protocol):
    """The functions of a model kind (the module itself satisfies this)."""

    Options: type[ModelOptions]
    EXAMPLE: dict[str, object]
    OPS: frozenset[str]
    """The ONNX operators that its graphs may hold; a release with any other is refused."""

    def fit(self, options: Any, table: TrainingTable) -> Fitted:
        """Learns P(label = 1). The same table, options and seed give the same bytes, whatever the thread count.

        Raises:
            DataError: The labels do not vary, or there is no row.
        """
        ...
