"""What every model kind promises for each task that it takes: yes or no, several classes, a number; and the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression

from mlctl import kinds
from mlctl.errors import ConfigError, DataError
from mlctl.graphs import runtime
from mlctl.judging import calibration, class_calibration, fitting
from mlctl.metrics import ece
from mlctl.models import TrainingTable

COLUMNS = ("a", "b", "c", "empty")
CASES = [
    (kind, task)
    for kind in kinds.names("models")
    for task in sorted(kinds.load("models", kind).TASKS)
    if kind not in ("rule",)
]
CLASSES = {"binary": ("0", "1"), "multiclass": ("mail", "phone", "shop"), "regression": ()}


def planted(task: str, rows: int = 2000, seed: int = 1) -> TrainingTable:
    """Labels that hang on the first three columns; a tenth of the values is missing, one column is empty."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(rows, len(COLUMNS))).astype(np.float32)
    known = matrix.copy()
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    matrix[:, 3] = np.nan
    if task == "regression":
        labels = 30_000 + 1000 * known[:, 0] + 400 * np.abs(known[:, 1]) + draw.normal(size=rows)
    elif task == "multiclass":
        strength = np.column_stack([2 * known[:, 0], 2 * known[:, 1], known[:, 2] - known[:, 0]])
        labels = np.argmax(strength + draw.gumbel(size=strength.shape), axis=1)
    else:
        labels = draw.random(rows) < 1 / (1 + np.exp(-2 * known[:, 0]))
    return TrainingTable(matrix, labels.astype(np.float64), COLUMNS, task, CLASSES[task])


def fit(kind: str, table: TrainingTable, **settings: object):
    return fitting.fit(kinds.options("models", {**kinds.load("models", kind).EXAMPLE, **settings}), table)


def unit(table: TrainingTable) -> float:
    return float(table.labels.std()) if table.task == "regression" else 1.0


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_onnx_says_what_the_library_says_on_seen_and_hostile_rows(kind, task):
    table = planted(task)
    assert runtime.parity(fit(kind, table), table.matrix, unit=unit(table)) < 1e-5


@pytest.mark.parametrize("kind", [kind for kind, task in CASES if task == "multiclass"])
def test_two_classes_by_name_are_classes_too(kind):
    binary = planted("binary")
    table = replace(binary, task="multiclass", classes=("no", "yes"))
    fitted = fit(kind, table)

    assert runtime.parity(fitted, table.matrix) < 1e-5
    scores = runtime.score_onnx(fitted.onnx, table.matrix)
    assert scores.shape == (len(table.labels), 2)
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_the_graph_has_the_shape_of_the_task_and_only_operators_of_its_kind(kind, task):
    table = planted(task)
    classes = len(table.classes) if task == "multiclass" else None
    fitted = fit(kind, table)
    runtime.check_graph(fitted.onnx, kinds.load("models", kind).OPS, len(COLUMNS), classes)
    scores = runtime.score_onnx(fitted.onnx, table.matrix[:5])
    assert scores.shape == ((5, 3) if task == "multiclass" else (5,))
    if task == "multiclass":
        assert scores.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_the_same_table_gives_the_same_bytes(kind, task):
    assert fit(kind, planted(task)).onnx == fit(kind, planted(task)).onnx


@pytest.mark.parametrize(("kind", "task"), [case for case in CASES if case[0] != "constant"])
def test_it_learns_what_was_planted(kind, task):
    fresh = planted(task, seed=2)
    scores = runtime.score_onnx(fit(kind, planted(task)).onnx, fresh.matrix)
    if task == "regression":
        assert np.sqrt(np.mean((scores - fresh.labels) ** 2)) < 0.6 * fresh.labels.std()
    else:
        right = scores.argmax(axis=1) if task == "multiclass" else scores >= 0.5
        assert (right == fresh.labels).mean() > 0.6


def test_the_constant_says_the_shares_of_the_classes_and_the_mean():
    classes, numbers = planted("multiclass"), planted("regression")
    shares = np.bincount(classes.labels.astype(int)) / len(classes.labels)

    assert runtime.score_onnx(fit("constant", classes).onnx, classes.matrix[:2]) == pytest.approx(
        np.tile(shares, (2, 1))
    )
    assert runtime.score_onnx(fit("constant", numbers).onnx, numbers.matrix[:1])[0] == pytest.approx(
        numbers.labels.mean(), rel=1e-6
    )


@pytest.mark.parametrize(("kind", "task"), [case for case in CASES if case[1] == "multiclass"])
def test_a_class_without_rows_is_refused_by_name(kind, task):
    table = planted(task)
    without = table.only(table.labels != 1)
    with pytest.raises(DataError, match=r"1 classes have no row in the training rows: phone"):
        fit(kind, without)


@pytest.mark.parametrize("kind", ["logistic", "xgboost"])
def test_balanced_classes_weigh_the_same_and_a_named_one_more(kind):
    table = planted("binary")
    rare = table.only(np.flatnonzero((table.labels == 0) | (np.arange(len(table.labels)) % 10 == 0)))
    share = rare.labels.mean()
    plain, balanced, named = (
        runtime.score_onnx(fit(kind, rare, class_weight=weight).onnx, rare.matrix).mean()
        for weight in (None, "balanced", {"1": 4.0})
    )

    assert plain == pytest.approx(share, abs=0.01)
    assert balanced > 2 * share
    assert plain < named < balanced


def test_a_weight_of_a_class_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="no class 'fax'"):
        fit("logistic", planted("multiclass"), class_weight={"fax": 2.0})


def test_scores_rise_along_a_feature_that_is_declared_increasing():
    table = planted("binary")
    turned = replace(table, matrix=-table.matrix)
    rows = np.zeros((50, 4), dtype=np.float32)
    rows[:, 0] = np.linspace(-3, 3, 50)
    # the labels fall along the turned column: a model that may only rise there cannot use it
    free = runtime.score_onnx(fit("xgboost", turned).onnx, rows)
    held = runtime.score_onnx(fit("xgboost", turned, monotone={"a": "increasing"}).onnx, rows)

    assert (np.diff(free) < 0).any()
    assert (np.diff(held) >= 0).all()


def test_a_feature_that_is_not_there_cannot_be_monotone():
    with pytest.raises(DataError, match="'age'"):
        fit("xgboost", planted("binary"), monotone={"age": "increasing"})


@pytest.mark.parametrize("kind", ["logistic", "xgboost"])
@pytest.mark.parametrize("curve", ["sigmoid", "isotonic"])
def test_a_calibrated_graph_says_what_numpy_says_and_means_its_frequencies(kind, curve):
    table, fresh = planted("binary", 6000), planted("binary", 6000, seed=9)
    options = kinds.options("models", {"kind": kind, "class_weight": {"1": 6.0}, "calibration": curve})
    fitted = fitting.fit(options, table)
    runtime.check_graph(fitted.onnx, fitting.operators(options), len(COLUMNS))

    assert runtime.parity(fitted, table.matrix) < 1e-5
    scores = runtime.score_onnx(fitted.onnx, fresh.matrix)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        chosen = (scores >= low) & (scores < high)
        assert scores[chosen].mean() == pytest.approx(fresh.labels[chosen].mean(), abs=0.05)


def skewed_classes(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three classes that are far too sure, and what came of them; the last class is rare."""
    draw = np.random.default_rng(8)
    strength = draw.normal([1.0, 0.5, -2.0], size=(rows, 3))
    likely, sure = np.exp(strength), np.exp(3 * strength)
    drawn = draw.random(rows)[:, None] * likely.sum(axis=1, keepdims=True)
    labels = (likely.cumsum(axis=1) < drawn).sum(axis=1)
    return sure / sure.sum(axis=1, keepdims=True), labels.astype(float)


class Says(ClassifierMixin, BaseEstimator):
    """A model of scikit-learn whose rows are its answers."""

    def fit(self, rows, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows):
        return self.classes_[rows.argmax(axis=1)]


class SaysLogOdds(Says):
    def decision_function(self, rows):
        return rows


class SaysProbabilities(Says):
    def predict_proba(self, rows):
        return rows


def by_scikit_learn(kind: str, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What its calibration of several classes says of the rows that taught it."""
    says, rows = SaysProbabilities(), scores
    if kind == "sigmoid":
        says, rows = SaysLogOdds(), calibration.log_odds(scores)
    frozen = FrozenEstimator(says.fit(rows, labels))
    return CalibratedClassifierCV(frozen, method=kind, ensemble=False).fit(rows, labels).predict_proba(rows)


def test_lines_of_several_classes_are_scikit_learns():
    scores, labels = skewed_classes()
    ours = class_calibration.learn("sigmoid", scores, labels).apply(scores)

    assert ours == pytest.approx(by_scikit_learn("sigmoid", scores, labels), abs=1e-5)


def test_rising_curves_of_several_classes_are_shared_out_as_scikit_learn_does():
    scores, labels = skewed_classes()
    ours = class_calibration.learn("isotonic", scores, labels).apply(scores)

    # its curves are steps, ours join the middles of those steps
    assert np.abs(ours - by_scikit_learn("isotonic", scores, labels)).mean() < 0.02
    curves = [calibration.isotonic_curve(scores[:, code], (labels == code).astype(float)) for code in range(3)]
    bent = np.column_stack([curve(scores[:, code]) for code, curve in enumerate(curves)])
    assert ours == pytest.approx(bent / bent.sum(axis=1, keepdims=True))


def test_a_row_that_every_curve_calls_impossible_is_shared_out_evenly():
    scores = np.repeat([[0.1, 0.9], [0.9, 0.1]], 50, axis=0)
    curves = class_calibration.learn("isotonic", scores, np.repeat([1.0, 0.0], 50))

    assert curves.apply(np.array([[0.1, 0.1], [0.9, 0.1]])) == pytest.approx(np.array([[0.5, 0.5], [1.0, 0.0]]))


@pytest.mark.parametrize("kind", ["logistic", "xgboost"])
@pytest.mark.parametrize("curve", ["sigmoid", "isotonic"])
def test_a_calibrated_graph_of_several_classes_says_what_numpy_says_and_is_less_off(kind, curve):
    table, fresh = planted("multiclass", 3000), planted("multiclass", 3000, seed=9)
    plain = kinds.options("models", {"kind": kind, "class_weight": {"shop": 6.0}})
    options = plain.model_copy(update={"calibration": curve})
    fitted = fitting.fit(options, table)
    runtime.check_graph(fitted.onnx, fitting.operators(options), len(COLUMNS), 3)

    assert runtime.parity(fitted, table.matrix) < 1e-5
    bent = runtime.score_onnx(fitted.onnx, fresh.matrix)
    assert bent.sum(axis=1) == pytest.approx(1, abs=1e-6)
    raw = runtime.score_onnx(fitting.fit(plain, table).onnx, fresh.matrix)
    ones = np.ones(len(fresh.labels))
    before, after = (ece.measure(ece.Options(), fresh.labels, scores, ones) for scores in (raw, bent))
    assert after < before / 2, (before, after)


def test_an_isotonic_curve_rises_and_stays_near_the_library_s_steps():
    draw = np.random.default_rng(4)
    scores = draw.random(5000)
    labels = (draw.random(5000) < scores**2).astype(float)
    curve = calibration.learn("isotonic", scores, labels)
    grid = np.linspace(0, 1, 1000, dtype=np.float32)
    steps = IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(grid)

    assert (np.diff(curve.apply(grid)) >= 0).all()
    assert np.abs(curve.apply(grid) - steps).mean() < 0.02


def rule_table(task: str, said: list[float], labels: list[float]) -> TrainingTable:
    matrix = np.array(said, dtype=np.float32)[:, None]
    return TrainingTable(matrix, np.array(labels), ("rule",), task, CLASSES[task])


def test_a_yes_or_no_rule_scores_what_its_answers_were_worth():
    said = [1.0] * 4 + [0.0] * 5 + [np.nan]
    labels = [1, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    table = rule_table("binary", said, labels)
    fitted = fit("rule", table)

    # half of all rows are 1; one such row is added to each answer: (3 + .5) / 5, (1 + .5) / 6, (1 + .5) / 2
    assert runtime.score_onnx(fitted.onnx, table.matrix)[[0, 4, 9]] == pytest.approx([0.7, 0.25, 0.75])
    assert runtime.parity(fitted, table.matrix) < 1e-6


def test_a_rule_that_says_a_probability_is_taken_at_its_word():
    table = rule_table("binary", [0.2, 0.9, np.nan, 0.5], [0, 1, 1, 1])

    assert runtime.score_onnx(fit("rule", table).onnx, table.matrix) == pytest.approx([0.2, 0.9, 0.75, 0.5])


def test_a_rule_that_says_more_than_1_of_yes_or_no_is_refused():
    with pytest.raises(DataError, match="it says 7; a rule for yes or no"):
        fit("rule", rule_table("binary", [7.0, 0.0], [0, 1]))


def test_a_rule_that_names_classes_scores_the_shares_of_each_answer():
    table = rule_table("multiclass", [0, 0, 1, 1, 2, np.nan], [0, 1, 1, 1, 2, 0])
    base = np.array([2, 3, 1]) / 6
    scores = runtime.score_onnx(fit("rule", table).onnx, table.matrix)

    assert scores[0] == pytest.approx((np.array([1, 1, 0]) + base) / 3)
    assert scores[5] == pytest.approx((np.array([1, 0, 0]) + base) / 2)


def test_a_rule_that_says_a_number_is_the_number():
    table = rule_table("regression", [10.0, np.nan, 30.0], [1.0, 2.0, 6.0])

    assert runtime.score_onnx(fit("rule", table).onnx, table.matrix) == pytest.approx([10.0, 3.0, 30.0])
