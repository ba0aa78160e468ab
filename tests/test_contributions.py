"""What moved a score: exact against xgboost's own TreeSHAP, against the definition, and by hand for weights."""

from __future__ import annotations

import json
import math
from itertools import permutations
from typing import Any

import numpy as np
import polars as pl
import pytest
import xgboost
from onnx import helper, load_from_string

from mlctl import kinds
from mlctl.config import validation
from mlctl.encoding import encode, learn
from mlctl.errors import IntegrityError
from mlctl.graphs import runtime
from mlctl.graphs.shapley import additive
from mlctl.models import TrainingTable
from mlctl.models import xgboost as trees
from mlctl.release import Release
from mlctl.release.contributions import contributions
from tests.test_spec import VALID

COLUMNS = 6
DRAW = np.random.default_rng(3)


def matrix(rows: int) -> np.ndarray[Any, Any]:
    values = DRAW.normal(size=(rows, COLUMNS)).astype(np.float32).round(1)
    values[DRAW.random(values.shape) < 0.1] = np.nan
    return values


def labels(values: np.ndarray[Any, Any], task: str) -> np.ndarray[Any, Any]:
    known = np.nan_to_num(values)
    number = known[:, 0] * known[:, 1] + known[:, 2] ** 2 + DRAW.normal(size=len(values)) * 0.2
    return {
        "binary": (number > 1).astype(float),
        "multiclass": np.digitize(number, [0.2, 1.0]).astype(float),
        "regression": number.astype(float) + 40,
    }[task]


def with_passed(file: bytes, booster: xgboost.Booster) -> bytes:
    """The graph, saying also the weight of the training rows that passed each node."""
    model = load_from_string(file)
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
    if any(attribute.name == "nodes_hitrates" for attribute in node.attribute):
        return file
    saved = json.loads(booster.save_raw(raw_format="json"))["learner"]["gradient_booster"]["model"]["trees"]
    at = {attribute.name: attribute.ints for attribute in node.attribute}
    passed = [
        saved[tree]["sum_hessian"][one] for tree, one in zip(at["nodes_treeids"], at["nodes_nodeids"], strict=True)
    ]
    node.attribute.append(helper.make_attribute("nodes_hitrates", passed))
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def boosted(task: Any, depth: int, rounds: int = 12) -> tuple[xgboost.Booster, bytes]:
    """Trees, and the graph that their release holds."""
    values = matrix(800)
    classes = {"binary": ("0", "1"), "multiclass": ("a", "b", "c"), "regression": ()}[str(task)]
    names = tuple(f"f{place}" for place in range(COLUMNS))
    table = TrainingTable(values, labels(values, task), names, task, classes)
    start = trees._start(table)
    options = trees.Options(depth=depth, trees=rounds, learning_rate=0.3)
    booster = xgboost.train(
        trees._parameters(options, table, start), xgboost.DMatrix(values, label=table.labels), rounds
    )
    return booster, with_passed(trees._graph(booster, table, start), booster)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("depth", [1, 3, 7])
def test_trees_are_taken_apart_as_xgboost_takes_them_apart(task: str, depth: int) -> None:
    booster, file = boosted(task, depth)
    rows = np.concatenate([matrix(300), runtime.hostile(matrix(50))])
    wanted = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    wanted = wanted.reshape(len(rows), -1, COLUMNS + 1)
    found = additive(file, rows)
    assert found is not None
    np.testing.assert_allclose(found.parts, wanted[:, :, :-1], atol=2e-5)
    np.testing.assert_allclose(np.broadcast_to(found.base, wanted.shape[:2]), wanted[:, :, -1], atol=2e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_base_and_parts_add_up_to_the_score_of_the_very_graph(task: str) -> None:
    _, file = boosted(task, 4)
    rows = matrix(200)
    found = additive(file, rows)
    assert found is not None
    sums = found.base + found.parts.sum(axis=2)
    if task == "binary":
        sums = 1 / (1 + np.exp(-sums))
    elif task == "multiclass":
        sums = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sums if task == "multiclass" else sums[:, 0], runtime.score_onnx(file, rows), rtol=1e-5)


def test_a_tree_that_asks_a_column_twice_is_taken_apart_as_the_definition_says() -> None:
    # x0 < 2 ? (x1 < 1 ? (x0 < 1 ? 8 : 4) : -2) : (x2 < 0 ? 1 : 5), with the rows that passed each node
    nodes = {
        0: ("x", 0, 2.0, 1, 2, 100.0),
        1: ("x", 1, 1.0, 3, 4, 60.0),
        2: ("x", 2, 0.0, 5, 6, 40.0),
        3: ("x", 0, 1.0, 7, 8, 20.0),
        4: ("leaf", 0, -2.0, 0, 0, 40.0),
        5: ("leaf", 0, 1.0, 0, 0, 10.0),
        6: ("leaf", 0, 5.0, 0, 0, 30.0),
        7: ("leaf", 0, 8.0, 0, 0, 5.0),
        8: ("leaf", 0, 4.0, 0, 0, 15.0),
    }

    def expected(row: list[float], known: frozenset[int], at: int = 0) -> float:
        kind, column, value, below, above, rows = nodes[at]
        if kind == "leaf":
            return value
        if column in known:
            return expected(row, known, below if row[column] < value else above)
        return sum(expected(row, known, way) * nodes[way][5] / rows for way in (below, above))

    def shapley(row: list[float], column: int) -> float:
        orders = list(permutations(range(3)))
        gains = 0.0
        for order in orders:
            before = frozenset(order[: order.index(column)])
            gains += expected(row, before | {column}) - expected(row, before)
        return gains / len(orders)

    leaves = [at for at, node in nodes.items() if node[0] == "leaf"]
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * 9,
        nodes_nodeids=list(nodes),
        nodes_modes=["LEAF" if node[0] == "leaf" else "BRANCH_LT" for node in nodes.values()],
        nodes_featureids=[node[1] for node in nodes.values()],
        nodes_values=[node[2] for node in nodes.values()],
        nodes_truenodeids=[node[3] for node in nodes.values()],
        nodes_falsenodeids=[node[4] for node in nodes.values()],
        nodes_hitrates=[node[5] for node in nodes.values()],
        nodes_missing_value_tracks_true=[0] * 9,
        target_ids=[0] * 5,
        target_treeids=[0] * 5,
        target_nodeids=leaves,
        target_weights=[nodes[at][2] for at in leaves],
    )
    rows = [[x0, x1, x2] for x0 in (0.0, 1.5, 3.0) for x1 in (0.0, 2.0) for x2 in (-1.0, 1.0)]
    file = helper.make_model(helper.make_graph([ensemble], "one", [], [])).SerializeToString()
    found = additive(file, np.array(rows, dtype=np.float32))
    assert found is not None
    # 5/100 * 8 + 15/100 * 4 + 40/100 * -2 + 10/100 * 1 + 30/100 * 5
    assert found.base.tolist() == pytest.approx([1.8])
    wanted = [[shapley(row, column) for column in range(3)] for row in rows]
    np.testing.assert_allclose(found.parts[:, 0], wanted, atol=1e-12)


def test_trees_that_do_not_tell_the_rows_of_their_nodes_are_refused() -> None:
    _, file = boosted("binary", 2, 1)
    model = load_from_string(file)
    ensemble = model.graph.node[0]
    kept = [attribute for attribute in ensemble.attribute if attribute.name != "nodes_hitrates"]
    del ensemble.attribute[:]
    ensemble.attribute.extend(kept)
    with pytest.raises(IntegrityError, match="how many training rows passed each node"):
        additive(model.SerializeToString(), matrix(3))


FEATURES = pl.DataFrame(
    {
        "orders": [1.0, 3.0, None, 5.0, 2.0, 4.0, 9.0, 0.0],
        "plan": ["annual", "none", None, "none", "annual", "none", "annual", None],
        'odd "name"': [1.0] * 8,
    }
)


def opened(kind: str, **label: Any) -> Release:
    """A release that was never sealed: what scores is there."""
    project, faults = validation.read({**VALID, "model": {"kind": kind}})
    assert project is not None, faults
    encoding = learn(FEATURES)
    truth = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    table = TrainingTable(encode(encoding, FEATURES), truth, encoding.columns(), **label)
    fitted = kinds.load("models", kind).fit(kinds.load("models", kind).Options(), table)
    return Release("r", {"model": kind}, project, encoding, fitted.onnx)


def test_of_weights_a_feature_adds_weight_times_distance_from_the_mean() -> None:
    release = opened("logistic")
    values = encode(release.encoding, FEATURES).astype(float)
    # the median of what is known, 3, stands for the missing one
    orders = np.where(np.isnan(values[:, 0]), 3.0, values[:, 0])
    found = additive(release.onnx, values.astype(np.float32))
    assert found is not None
    slope = found.parts[1, 0, 0] / (orders[1] - orders.mean())
    np.testing.assert_allclose(found.parts[:, 0, 0], slope * (orders - orders.mean()), rtol=1e-9)
    assert found.parts[:, 0].sum(axis=0) == pytest.approx([0.0] * 6, abs=1e-12)
    odds = found.base[0] + found.parts[:, 0].sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), release.score(FEATURES), rtol=1e-6)


def test_the_text_names_the_features_that_moved_the_score_most_and_adds_up_a_category() -> None:
    release = opened("logistic")
    values = encode(release.encoding, FEATURES)
    texts = contributions(release, values, 3)
    assert (texts.name, texts.dtype, len(texts)) == ("contributions", pl.String, 8)
    found = additive(release.onnx, values)
    assert found is not None
    for text, parts in zip(texts, found.parts[:, 0], strict=True):
        wanted = {"orders": parts[0], "plan": parts[1:5].sum()}
        told = json.loads(text)
        # a column of one value never moves anything
        assert [one["feature"] for one in told] == sorted(wanted, key=lambda name: -abs(wanted[name]))
        assert all(one["adds"] == pytest.approx(wanted[one["feature"]], rel=1e-3) for one in told)
    assert [len(json.loads(text)) for text in contributions(release, values, 1)] == [1] * 8


def test_a_name_with_quotes_is_still_json() -> None:
    release = opened("logistic")
    changed = FEATURES.with_columns(pl.Series('odd "name"', [float(n) for n in range(8)]))
    encoding = learn(changed)
    table = TrainingTable(encode(encoding, changed), np.array([0.0, 1.0] * 4), encoding.columns())
    fitted = kinds.load("models", "logistic").fit(release.project.model, table)
    texts = contributions(Release("r", {}, release.project, encoding, fitted.onnx), encode(encoding, changed), 9)
    assert all('odd "name"' in {one["feature"] for one in json.loads(text)} for text in texts)


def test_of_several_classes_it_is_told_what_speaks_for_the_foretold_one() -> None:
    _, file = boosted("multiclass", 3)
    rows = matrix(50)
    names = [f"f{place}" for place in range(COLUMNS)]
    encoding = learn(pl.DataFrame({name: [0.0] for name in names}))
    release = Release("r", {}, opened("logistic").project, encoding, file)
    found = additive(file, rows)
    assert found is not None
    foretold = runtime.score_onnx(file, rows).argmax(axis=1)
    for row, text in enumerate(contributions(release, rows, 1)):
        parts = found.parts[row, foretold[row]]
        strongest = int(np.abs(parts).argmax())
        [told] = json.loads(text)
        assert told["feature"] == names[strongest]
        assert math.isclose(told["adds"], parts[strongest], rel_tol=1e-3)


def test_a_constant_has_nothing_to_tell() -> None:
    release = opened("constant")
    assert contributions(release, encode(release.encoding, FEATURES), 3).to_list() == [None] * 8


def test_no_rows_have_no_texts() -> None:
    release = opened("logistic")
    assert contributions(release, encode(release.encoding, FEATURES.clear()), 3).to_list() == []
