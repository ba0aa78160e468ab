"""What every model kind promises of yes-or-no labels, run on each from its EXAMPLE.

Other tasks, and the rule, which sees one column of its own, are in test_model_tasks.py.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.metrics import roc_auc_score

from mlctl import kinds
from mlctl.errors import DataError, IntegrityError
from mlctl.graphs import runtime
from mlctl.models import OPSET, TrainingTable
from mlctl.models._graph import operators

KINDS = [kind for kind in kinds.names("models") if "binary" in kinds.load("models", kind).TASKS and kind != "rule"]
COLUMNS = ("recency", "orders", "is_new", "empty", "same", "spent", "noise")


def planted(rows: int = 3000, rate_shift: float = 0.0, seed: int = 3) -> TrainingTable:
    """Columns of every sort a table holds: real, whole, yes or no, all missing, constant, heavy-tailed, noise."""
    draw = np.random.default_rng(seed)
    matrix = np.empty((rows, len(COLUMNS)), dtype=np.float32)
    matrix[:, 0] = draw.exponential(30, rows)
    matrix[:, 1] = draw.poisson(3, rows)
    matrix[:, 2] = draw.integers(0, 2, rows)
    matrix[:, 3] = np.nan
    matrix[:, 4] = 5.1
    matrix[:, 5] = np.exp(draw.normal(3, 2, rows))
    matrix[:, 6] = draw.normal(0, 1, rows)
    log_odds = 0.05 * (matrix[:, 0] - 30) - 0.6 * (matrix[:, 1] - 3) + matrix[:, 2] + rate_shift
    labels = (draw.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(np.float32)
    holes = draw.random(matrix.shape) < 0.1
    holes[:, 4] = False
    matrix[holes] = np.nan
    return TrainingTable(matrix, labels, COLUMNS)


def fit(kind: str, table: TrainingTable, **settings: object):
    module = kinds.load("models", kind)
    return module.fit(kinds.options("models", {**module.EXAMPLE, **settings}), table)


@pytest.fixture(scope="module")
def table() -> TrainingTable:
    return planted()


@pytest.fixture(scope="module")
def fitted(table):
    return {kind: fit(kind, table) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid_and_names_its_kind(kind):
    assert kinds.options("models", kinds.load("models", kind).EXAMPLE).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_table_and_seed_give_the_same_bytes_in_this_process(kind, table, fitted):
    assert fit(kind, table).onnx == fitted[kind].onnx


def test_the_same_table_and_seed_give_the_same_bytes_in_another_process_on_one_thread(fitted):
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_models as t; table = t.planted();"
        "print(*(hashlib.sha256(t.fit(kind, table).onnx).hexdigest() for kind in t.KINDS))"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "123",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "TZ": "Asia/Tokyo",
    }
    environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code, here], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [hashlib.sha256(fitted[kind].onnx).hexdigest() for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_says_what_the_library_says_on_seen_and_hostile_rows(kind, table, fitted):
    assert runtime.parity(fitted[kind], table.matrix, seed=1) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_shift", [-6.0, 6.0])
def test_onnx_says_what_the_library_says_when_one_class_is_rare(kind, rate_shift):
    table = planted(rate_shift=rate_shift)
    assert min(table.labels.mean(), 1 - table.labels.mean()) < 0.03
    rare = fit(kind, table)
    assert runtime.parity(rare, table.matrix) < 1e-5
    assert runtime.score_onnx(rare.onnx, table.matrix).mean() == pytest.approx(table.labels.mean(), abs=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_finite_shares_even_for_rows_that_no_training_saw(kind, table, fitted):
    rows = runtime.hostile(table.matrix)
    for infinity in (np.inf, -np.inf):
        rows = np.vstack([rows, np.full((1, len(COLUMNS)), infinity, dtype=np.float32)])
    scores = runtime.score_onnx(fitted[kind].onnx, rows)
    assert scores.dtype == np.float32
    assert scores.shape == (len(rows),)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_labels_of_one_class_are_refused(kind, value, table):
    constant = TrainingTable(table.matrix, np.full_like(table.labels, value), table.columns)
    with pytest.raises(DataError, match="does not vary"):
        fit(kind, constant)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_refused(kind, table):
    with pytest.raises(DataError, match="no rows"):
        fit(kind, TrainingTable(table.matrix[:0], table.labels[:0], table.columns))


@pytest.mark.parametrize("kind", KINDS)
def test_an_infinite_training_value_is_refused_with_its_column(kind, table):
    matrix = table.matrix.copy()
    matrix[17, 5] = np.inf
    with pytest.raises(DataError, match="1 rows hold an infinity, in spent"):
        fit(kind, TrainingTable(matrix, table.labels, table.columns))


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_holds_no_operator_but_those_of_its_kind(kind, fitted):
    assert operators(fitted[kind].onnx) <= kinds.load("models", kind).OPS


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_leads_from_features_to_one_score_per_row(kind, fitted):
    runtime.check_graph(fitted[kind].onnx, kinds.load("models", kind).OPS, len(COLUMNS))
    model = onnx.load_from_string(fitted[kind].onnx)
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": OPSET, "ai.onnx.ml": 3}
    assert [model.producer_name, model.producer_version, model.doc_string, model.graph.doc_string] == [
        "mlctl",
        "",
        "",
        "",
    ]
    assert not any(node.doc_string for node in model.graph.node)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "constant"])
def test_it_learns_a_planted_pattern_and_ranks_rows_it_has_not_seen(kind, fitted):
    fresh = planted(seed=99)
    assert roc_auc_score(fresh.labels, runtime.score_onnx(fitted[kind].onnx, fresh.matrix)) > 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_importance_is_a_share_per_column_or_nothing_at_all(kind, fitted):
    importance = fitted[kind].importance
    assert len(importance) == len(COLUMNS)
    assert min(importance) >= 0
    assert sum(importance) == pytest.approx(0 if kind == "constant" else 1)
    assert importance[3] == importance[4] == 0  # nothing is known in one, nothing varies in the other


@pytest.mark.parametrize("kind", KINDS)
def test_two_rows_and_one_column_are_enough(kind):
    tiny = TrainingTable(np.array([[1.0], [2.0]], np.float32), np.array([0.0, 1.0], np.float32), ("only",))
    assert runtime.parity(fit(kind, tiny), tiny.matrix) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positives", [10, 50, 90])
def test_columns_that_say_nothing_leave_the_base_rate(kind, positives):
    labels = np.zeros(100, np.float32)
    labels[:positives] = 1
    table = TrainingTable(np.full((100, 2), [np.nan, 3.0], np.float32), labels, ("empty", "same"))
    settings = {"row_share": 1.0} if kind == "xgboost" else {}
    blind = fit(kind, table, **settings)
    assert runtime.parity(blind, table.matrix) < 1e-5
    assert runtime.score_onnx(blind.onnx, table.matrix) == pytest.approx(np.full(100, positives / 100), abs=1e-4)
    assert blind.importance == (0.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_at_the_ends_of_float32_are_learnt_from_without_overflow(kind):
    draw = np.random.default_rng(0)
    matrix = draw.choice(np.array([-3.4e38, -1e30, 0, 1e-38, 1e30, 3.4e38], np.float32), (200, 3))
    table = TrainingTable(matrix, (draw.random(200) < 0.5).astype(np.float32), ("a", "b", "c"))
    assert runtime.parity(fit(kind, table), matrix) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_batches_or_threads(kind, fitted, table, monkeypatch):
    whole = runtime.score_onnx(fitted[kind].onnx, table.matrix, threads=1)
    monkeypatch.setattr(runtime, "BATCH_ROWS", 7)
    assert np.array_equal(whole[:100], runtime.score_onnx(fitted[kind].onnx, table.matrix[:100]))
    assert runtime.score_onnx(fitted[kind].onnx, table.matrix[:0]).shape == (0,)


def test_the_constant_score_is_the_share_of_positives(fitted, table):
    assert set(runtime.score_onnx(fitted["constant"].onnx, table.matrix)) == {
        np.float32(table.labels.mean(dtype=float))
    }


def test_a_row_of_medians_scores_as_a_row_of_missing_values_under_logistic(fitted, table):
    rows = np.full((2, len(COLUMNS)), np.nan, dtype=np.float32)
    rows[1] = [0.0 if name == "empty" else np.nanmedian(table.matrix[:, at]) for at, name in enumerate(COLUMNS)]
    missing, medians = runtime.score_onnx(fitted["logistic"].onnx, rows)
    assert missing == pytest.approx(medians, abs=1e-6)


def test_logistic_is_exact_where_large_weights_cancel():
    draw = np.random.default_rng(5)
    base = draw.normal(size=(400, 1))
    matrix = np.hstack([base, base + 1e-4 * draw.normal(size=(400, 1))]).astype(np.float32)
    labels = (matrix[:, 0] - matrix[:, 1] > 0).astype(np.float32)
    strong = fit("logistic", TrainingTable(matrix, labels, ("a", "b")), c=1e8)
    assert runtime.parity(strong, matrix) < 1e-5


def test_trees_send_a_value_equal_to_a_threshold_the_same_way_in_onnx(fitted, table):
    [trees, *_] = onnx.load_from_string(fitted["xgboost"].onnx).graph.node
    parts = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    rows = []
    for mode, column, threshold in zip(
        parts["nodes_modes"], parts["nodes_featureids"], parts["nodes_values"], strict=True
    ):
        if mode != b"LEAF":
            for near in (threshold, np.nextafter(np.float32(threshold), np.float32(-np.inf))):
                rows.append(table.matrix[len(rows) % len(table.matrix)].copy())
                rows[-1][column] = near
    matrix = np.array(rows, dtype=np.float32)
    assert len(matrix) > 500
    difference = np.abs(runtime.score_onnx(fitted["xgboost"].onnx, matrix) - fitted["xgboost"].predict(matrix))
    assert difference.max() < 1e-5


def _with_extra_node(model: onnx.ModelProto, operator: str, domain: str = "") -> None:
    extra = helper.make_node(operator, ["features"], ["aside"], "aside", domain=domain)
    model.graph.node.insert(0, extra)


def _with_custom_domain(model: onnx.ModelProto) -> None:
    _with_extra_node(model, "Cast", "com.somebody")
    model.opset_import.append(helper.make_opsetid("com.somebody", 1))


def _with_subgraph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", inner))


def _with_external_data(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer.add(name="outside", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _with_function(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("own", "Cast", ["a"], ["b"], [], [helper.make_opsetid("", OPSET)]))


def _with_renamed_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "probability"


def _with_second_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("values", TensorProto.DOUBLE, [None, len(COLUMNS)]))


def _with_two_columned_score(model: onnx.ModelProto) -> None:
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 2]))


def _with_dangling_name(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nothing"


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (lambda model: _with_extra_node(model, "If"), "it holds If; allowed: Add, Cast"),
        (_with_custom_domain, "foreign domain com.somebody"),
        (_with_subgraph, "a graph inside a node"),
        (_with_external_data, "data from outside"),
        (_with_function, "functions"),
        (_with_renamed_output, "outputs are probability"),
        (_with_second_output, "outputs are score"),
        (_with_two_columned_score, r"shape \(None, 2\)"),
        (_with_dangling_name, "no valid graph"),
    ],
)
def test_a_tampered_graph_is_refused(tamper, why, fitted):
    model = onnx.load_from_string(fitted["logistic"].onnx)
    tamper(model)
    with pytest.raises(IntegrityError, match=why):
        runtime.check_graph(model.SerializeToString(), kinds.load("models", "logistic").OPS, len(COLUMNS))


def test_a_graph_of_another_width_is_refused(fitted):
    with pytest.raises(IntegrityError, match=r"wanted: features float32 \(rows, 8\)"):
        runtime.check_graph(fitted["logistic"].onnx, kinds.load("models", "logistic").OPS, len(COLUMNS) + 1)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x80\x04\x95pickle"])
def test_bytes_that_are_no_graph_are_refused(junk):
    with pytest.raises(IntegrityError):
        runtime.check_graph(junk, frozenset({"Gather"}), 1)
    with pytest.raises(IntegrityError, match="ONNX Runtime cannot load"):
        runtime.score_onnx(junk, np.zeros((1, 1), np.float32))


def test_a_score_that_is_not_finite_is_never_parity(fitted, table):
    broken = type(fitted["constant"])(fitted["constant"].onnx, lambda matrix: np.full(len(matrix), np.nan), ())
    assert runtime.parity(broken, table.matrix) == float("inf")
