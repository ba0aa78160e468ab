"""A model is a function from a training table to ONNX bytes.

A kind gets float32 columns (categories are already one-hot, missing is NaN: `mlctl/encoding.py`) and gives back a graph
with one input `features` and one output `score`. What a kind needs beside the estimator (imputing, scaling) lives
inside the graph, so that evaluation, packaging and serving never see the training library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pydantic import Field

from mlctl.kinds import Record
from mlctl.spec import Task
from mlctl.text import TextColumn

if TYPE_CHECKING:
    import numpy as np

LADDERS: Final[dict[str, tuple[str, ...]]] = {
    "binary": ("constant", "rule", "logistic", "xgboost"),
    "multiclass": ("constant", "rule", "logistic", "xgboost"),
    "regression": ("constant", "rule", "linear", "xgboost"),
}
"""From simple to complex, by task: a rung must earn its place over the ones below it."""

OPSET: Final = 15
"""The ONNX operator set that every kind exports to."""


@dataclass(frozen=True)
class TrainingTable:
    """What a model learns from.

    Attributes:
        matrix: float32 array (rows, columns), NaN is "missing"; with texts a tail of pairs stands behind the columns.
        labels: float array (rows,): 0.0 and 1.0 (binary), codes 0.0 to classes - 1 (multiclass), or the value.
        columns: Names of the matrix columns; a category's are `feature=value`.
        task: What is foretold.
        classes: Names of the classes by code; none for a regression.
        groups: int array (rows,): rows of one entity have one number; None where every row is another's.
        texts: The columns that say how many pairs of a text the row holds behind all columns; a pair is a term's
            number, from 1, and its weight (`mlctl/encoding.py`).
    """

    matrix: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    columns: tuple[str, ...]
    task: Task = "binary"
    classes: tuple[str, ...] = ("0", "1")
    groups: np.ndarray[Any, Any] | None = None
    texts: tuple[TextColumn, ...] = ()

    @property
    def terms(self) -> int:
        """How many terms all texts have together."""
        return self.texts[-1].last if self.texts else 0

    @property
    def width(self) -> int | None:
        """How wide every row is; None where the tail of texts is as wide as the longest."""
        return None if self.terms else len(self.columns)

    def only(self, rows: np.ndarray[Any, Any]) -> TrainingTable:
        """The same table with some of its rows: a mask or positions."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, matrix=self.matrix[rows], labels=self.labels[rows], groups=groups)


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        onnx: The graph: input `features` float32 (rows, columns); output `score` float32, (rows,) P(label = 1) or the
            value, (rows, classes) probabilities for several classes.
        predict: The same prediction by the training library, for the parity check; it lives only in this process.
        importance: A share per column, summing to 1 (all 0 when no column matters), in the order of the columns.
        calibrated: The calibration's kind, and the expected calibration error of the rows that taught it, as their
            models scored them (`ece_before`) and bent (`ece_after`); None without calibration.
    """

    onnx: bytes
    predict: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    importance: tuple[float, ...]
    calibrated: Mapping[str, Any] | None = None


class ModelOptions(Record):
    """What every model says, whatever its kind."""

    kind: str = Field(description="the model's kind: mlctl explain models")
    seed: int = Field(default=7, ge=0, description="seed of everything random in the fit")
    rule: str | None = Field(
        default=None, description="the business rule of today, an SQL expression over features: a rung of the ladder"
    )
    ladder: tuple[str, ...] | None = Field(
        default=None,
        description="simpler kinds trained beside it; default: those below it (constant, rule, logistic, xgboost)",
    )
    adopt: Literal["earned", "always"] = Field(
        default="earned",
        description="earned: the simplest rung that none above clearly beats is released; always: this kind is",
    )
    calibration: Literal["none", "sigmoid", "isotonic"] = Field(
        default="none",
        description="bends probabilities to the frequencies of rows held out of the training; of several classes a "
        "curve for each, and a row is divided by its sum",
    )
    class_weight: Literal["balanced"] | dict[str, float] | None = Field(
        default=None,
        description="balanced: every class weighs the same; or a weight a class (binary: '0', '1'); default: rows do",
    )

    def rungs(self, task: Task) -> tuple[str, ...]:
        """The simpler kinds to train beside this one, from simple to complex."""
        known = LADDERS[task]
        wanted = self.ladder
        if wanted is None:
            wanted = known[: known.index(self.kind)] if self.kind in known else known[:-1]
        return tuple(kind for kind in wanted if kind != self.kind and (kind != "rule" or self.rule is not None))


class Model(Protocol):
    """The functions of a model kind (the module itself satisfies this)."""

    Options: type[ModelOptions]
    EXAMPLE: dict[str, object]
    TASKS: frozenset[str]
    """What it can foretell."""
    OPS: frozenset[str]
    """The ONNX operators that its graphs may hold; a release with any other is refused."""

    def fit(self, options: Any, table: TrainingTable) -> Fitted:
        """Learns the score. The same table, options and seed give the same bytes, whatever the thread count.

        Raises:
            DataError: The labels do not vary, or there is no row.
        """
        ...
