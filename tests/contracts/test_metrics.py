"""What every metric of yes or no promises, run on each from its EXAMPLE, each against a second way to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from mlctl import kinds

KINDS = [kind for kind in kinds.names("metrics") if "binary" in kinds.load("metrics", kind).TASKS]
PERFECT = {"log_loss": 1e-7, "brier": 0.0, "ece": 0.0, "lift_at": 2.0, "value": 5.0}
WORST = {"log_loss": -math.log(1e-7), "brier": 1.0, "ece": 1.0, "roc_auc": 0.0, "accuracy": 0.0}
WORST |= {"f1": 0.0, "precision_at": 0.0, "recall_at": 0.0, "lift_at": 0.0}
WORST |= {"precision": 0.0, "recall": 0.0, "value": -0.5}


def measure(kind: str, truth, score, weight=None, **settings: object) -> float:
    module = kinds.load("metrics", kind)
    weights = np.ones(len(truth)) if weight is None else np.asarray(weight)
    return module.measure(
        kinds.options("metrics", {**module.EXAMPLE, **settings}), np.asarray(truth), np.asarray(score), weights
    )


def drawn(seed: int, rows: int = 400):
    """Truths, scores with many ties (and both 0 and 1 among them), and bootstrap counts."""
    draw = np.random.default_rng(seed)
    score = np.round(draw.beta(2, 3, rows), 1 + seed % 2).astype(np.float32)
    score[:2] = 0.0, 1.0
    truth = (draw.random(rows) < score * 0.8 + 0.1).astype(np.float32)
    return truth, score, draw.multinomial(rows, np.full(rows, 1 / rows))


ORACLES = {
    "roc_auc": lambda truth, score, weight: reference.roc_auc_score(truth, score, sample_weight=weight),
    "average_precision": lambda truth, score, weight: reference.average_precision_score(
        truth, score, sample_weight=weight
    ),
    "log_loss": lambda truth, score, weight: reference.log_loss(
        truth, np.clip(score.astype(float), 1e-7, 1 - 1e-7), sample_weight=weight
    ),
    "brier": lambda truth, score, weight: reference.brier_score_loss(truth, score, sample_weight=weight),
    "accuracy": lambda truth, score, weight: reference.accuracy_score(truth, score >= 0.5, sample_weight=weight),
    "f1": lambda truth, score, weight: reference.f1_score(truth, score >= 0.5, sample_weight=weight),
    "precision": lambda truth, score, weight: reference.precision_score(truth, score >= 0.5, sample_weight=weight),
    "recall": lambda truth, score, weight: reference.recall_score(truth, score >= 0.5, sample_weight=weight),
    "value": lambda truth, score, weight: _slow_value(truth, score, weight),
    "ece": lambda truth, score, weight: _slow_ece(truth, score, weight),
    "precision_at": lambda truth, score, weight: _slow_top(truth, score, weight)[0],
    "recall_at": lambda truth, score, weight: _slow_top(truth, score, weight)[1],
    "lift_at": lambda truth, score, weight: _slow_top(truth, score, weight)[0] / np.average(truth, weights=weight),
}


def _slow_value(truth, score, weight) -> float:
    prices = {(1, True): 10.0, (0, True): -1.0}
    brings = [prices.get((int(so), bool(said >= 0.5)), 0.0) for so, said in zip(truth, score, strict=True)]
    return float(np.average(brings, weights=weight))


def _slow_ece(truth, score, weight) -> float:
    off = 0.0
    for lower in range(15):
        inside = [i for i in range(len(score)) if min(math.floor(float(score[i]) * 15), 14) == lower and weight[i]]
        if inside:
            counts = weight[inside]
            gap = np.average(score[inside].astype(float), weights=counts) - np.average(truth[inside], weights=counts)
            off += counts.sum() * abs(gap)
    return off / weight.sum()


def _slow_top(truth, score, weight, share: float = 0.1, orders: int = 4000) -> tuple[float, float]:
    """Precision and recall of the top rows, as the mean over many random orders of the tied rows."""
    rows = np.repeat(np.arange(len(truth)), weight)
    truth, score = truth[rows], score[rows]
    wanted = round(share * len(rows))
    draw, found = np.random.default_rng(0), []
    for _ in range(orders):
        best = np.lexsort((draw.random(len(rows)), -score))[:wanted]
        found.append(truth[best].sum())
    return float(np.mean(found)) / wanted, float(np.mean(found)) / truth.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid_and_names_its_kind(kind):
    module = kinds.load("metrics", kind)
    assert kinds.options("metrics", module.EXAMPLE).kind == kind
    assert module.BETTER in ("higher", "lower")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_equals_a_second_way_on_ties_and_counts(kind, seed):
    truth, score, counts = drawn(seed)
    within = 0.02 if kind == "lift_at" else 0.01 if kind.endswith("_at") else 1e-7
    for weight in (np.ones(len(truth), dtype=int), counts):
        assert measure(kind, truth, score, weight) == pytest.approx(ORACLES[kind](truth, score, weight), abs=within)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_weight_is_the_same_as_repeating_the_row(kind, seed):
    truth, score, counts = drawn(seed)
    rows = np.repeat(np.arange(len(truth)), counts)
    assert (counts == 0).any()
    assert measure(kind, truth, score, counts) == pytest.approx(measure(kind, truth[rows], score[rows]), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_has_no_effect(kind):
    truth, score, counts = drawn(4)
    plain = measure(kind, truth, score, counts)
    for order in (
        np.random.default_rng(1).permutation(len(truth)),
        np.argsort(score),
        np.argsort(-score),
        np.lexsort((truth, score)),
    ):
        assert measure(kind, truth[order], score[order], counts[order]) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_scores_are_the_best_there_is(kind):
    truth = np.array([0.0, 1.0] * 20)
    settings = {"share": 0.5} if kind.endswith("_at") else {}
    assert measure(kind, truth, truth, **settings) == pytest.approx(PERFECT.get(kind, 1.0), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_the_wrong_way_round_are_the_worst_there_is(kind):
    truth = np.array([0.0, 1.0] * 20)
    settings = {"share": 0.5} if kind.endswith("_at") else {}
    worst = measure(kind, truth, 1 - truth, **settings)
    # All positives tie below all negatives, so average precision is taken at one step: 20 of 40.
    assert worst == pytest.approx(WORST.get(kind, 0.5), rel=1e-3)
    best = measure(kind, truth, truth, **settings)
    assert (worst < best) == (kinds.load("metrics", kind).BETTER == "higher")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_of_one_class_are_told_as_nan(kind, value):
    assert math.isnan(measure(kind, np.full(5, value), np.linspace(0, 1, 5)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resample_of_one_class_is_told_as_nan(kind):
    assert math.isnan(measure(kind, [0.0, 0.0, 1.0], [0.1, 0.2, 0.3], [2, 1, 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_no_weight_and_scores_that_are_not_finite_are_told_as_nan(kind):
    assert math.isnan(measure(kind, np.zeros(0), np.zeros(0)))
    assert math.isnan(measure(kind, [0.0, 1.0], [0.1, 0.2], [0, 0]))
    assert math.isnan(measure(kind, [0.0, 1.0], [0.1, math.nan]))
    assert math.isnan(measure(kind, [0.0, 1.0], [0.1, math.inf]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_measure_leaves_its_inputs_as_they_are(kind):
    truth, score, counts = drawn(5)
    before = truth.copy(), score.copy(), counts.copy()
    measure(kind, truth, score, counts)
    assert all(np.array_equal(*pair) for pair in zip(before, (truth, score, counts), strict=True))


def test_a_tied_pair_counts_half():
    # positives 0.5 and 0.9, negatives 0.5 and 0.1: wins 0.5 + 1 + 1 + 1 of 4 pairs
    assert measure("roc_auc", [1, 1, 0, 0], [0.5, 0.9, 0.5, 0.1]) == 0.875


def test_average_precision_takes_tied_rows_together():
    # 0.9 holds one positive (precision 1), 0.5 one of each (precision 2/3): 1/2 * 1 + 1/2 * 2/3
    assert measure("average_precision", [1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1]) == pytest.approx(5 / 6)


def test_the_top_share_takes_its_part_of_a_tie():
    # Top 2 of 4: the 0.9 (negative), then one of two tied rows of which one is positive: half a positive expected.
    truth, score = [0, 1, 0, 1], [0.9, 0.5, 0.5, 0.1]
    assert measure("precision_at", truth, score, share=0.5) == 0.25
    assert measure("recall_at", truth, score, share=0.5) == 0.25
    assert measure("lift_at", truth, score, share=0.5) == 0.5


def test_every_row_is_found_when_all_are_looked_at():
    truth, score, counts = drawn(6)
    assert measure("recall_at", truth, score, counts, share=1.0) == pytest.approx(1)
    assert measure("lift_at", truth, score, counts, share=1.0) == pytest.approx(1)


def test_a_certain_mistake_costs_sixteen_nats_and_not_infinity():
    # rows: 0 nats, -ln(1e-7) = 16.118 nats
    assert measure("log_loss", [1, 0], [1.0, 1.0]) == pytest.approx(16.118 / 2, abs=1e-3)


def test_calibration_error_by_hand():
    # bin of 0.1: score 0.1, truth 0.5 (off 0.4, 2 rows); bin of 0.9: score 0.9, truth 1 (off 0.1, 2 rows)
    assert measure("ece", [0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9]) == pytest.approx(0.25)


def test_calibration_error_of_several_classes_by_hand():
    # the likeliest: 0.6 right and 0.6 wrong (half of them right: off 0.1, 2 rows), 0.9 right (off 0.1)
    scores = [[0.6, 0.2, 0.2], [0.6, 0.4, 0.0], [0.05, 0.05, 0.9]]
    assert measure("ece", np.array([0.0, 1.0, 2.0]), np.array(scores)) == pytest.approx(0.1)
    assert np.isnan(measure("ece", np.array([1.0, 1.0, 1.0]), np.array(scores)))


def test_a_score_on_the_threshold_is_a_yes():
    assert measure("accuracy", [1, 0], [0.5, 0.4]) == 1
    assert measure("f1", [1, 0], [0.7, 0.4], threshold=0.9) == 0
