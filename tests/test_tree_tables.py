"""Tables say of every row what ONNX Runtime says on one thread, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from mlctl import kinds
from mlctl.graphs import runtime
from mlctl.graphs.tree_tables import scorer
from mlctl.judging import fitting
from mlctl.models import TrainingTable
from tests.test_contributions import COLUMNS, labels, matrix


def graph_says(file: bytes, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The scores by ONNX Runtime itself, on one thread."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    score: np.ndarray[Any, Any] = session.run(["score"], {"features": rows})[0]
    return score


NAMES = tuple(f"f{place}" for place in range(COLUMNS))
CLASSES = {"binary": ("0", "1"), "multiclass": ("a", "b", "c"), "regression": ()}


def fitted(task: Any, kind: str = "xgboost", **options: Any) -> bytes:
    values = matrix(800)
    chosen = kinds.load("models", kind).Options(**options)
    return fitting.fit(chosen, TrainingTable(values, labels(values, task), NAMES, task, CLASSES[task])).onnx


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("depth", [1, 3])
def test_small_trees_score_as_the_graph_does(task: str, depth: int) -> None:
    file = fitted(task, depth=depth, trees=150)
    fast = scorer(file)
    assert fast is not None
    rows = np.concatenate([matrix(20_000), runtime.hostile(matrix(50))])
    np.testing.assert_array_equal(fast(rows), graph_says(file, rows))


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_a_calibration_behind_the_trees_is_kept(kind: str) -> None:
    file = fitted("binary", depth=3, trees=100, calibration=kind)
    fast = scorer(file)
    assert fast is not None
    rows = matrix(3000)
    np.testing.assert_array_equal(fast(rows), graph_says(file, rows))


def test_a_row_alone_scores_as_among_others() -> None:
    fast = scorer(fitted("binary", depth=3, trees=150))
    assert fast is not None
    rows = matrix(9000)
    whole = fast(rows)
    assert [fast(rows[at : at + 1])[0] for at in range(0, 9000, 500)] == whole[::500].tolist()
    assert fast(rows[:0]).shape == (0,)


@pytest.mark.parametrize(("kind", "options"), [("logistic", {}), ("constant", {}), ("xgboost", {"depth": 6})])
def test_what_is_no_small_tree_stays_with_onnx_runtime(kind: str, options: dict[str, Any]) -> None:
    assert scorer(fitted("binary", kind, **options)) is None
