"""What every metric of several classes and of numbers promises, against a second way to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from mlctl import kinds
from tests.contracts.test_metrics import measure

OF_CLASSES = [kind for kind in kinds.names("metrics") if "multiclass" in kinds.load("metrics", kind).TASKS]
OF_NUMBERS = [kind for kind in kinds.names("metrics") if "regression" in kinds.load("metrics", kind).TASKS]


def classes(seed: int, rows: int = 300):
    """Codes of four classes, probabilities that lean to them, and bootstrap counts."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 4, rows)
    score = draw.dirichlet(np.ones(4), rows)
    score[np.arange(rows), truth] += 0.3
    return (
        truth.astype(float),
        score / score.sum(axis=1, keepdims=True),
        draw.multinomial(rows, np.full(rows, 1 / rows)),
    )


def numbers(seed: int, rows: int = 300):
    draw = np.random.default_rng(seed)
    truth = draw.normal(50, 10, rows)
    return truth, truth + draw.normal(2, 5, rows), draw.multinomial(rows, np.full(rows, 1 / rows))


def one_against_rest(of, truth, score, weight) -> float:
    return float(np.mean([of(truth == code, score[:, code], sample_weight=weight) for code in range(score.shape[1])]))


def gap_by_bins(truth, score, weight) -> float:
    confidence, right = score.max(1), score.argmax(1) == truth
    in_bins = [np.digitize(confidence, np.linspace(0, 1, 16)[1:-1]) == number for number in range(15)]
    gaps = [
        abs(np.average(confidence[here], weights=weight[here]) - np.average(right[here], weights=weight[here]))
        * weight[here].sum()
        for here in in_bins
        if weight[here].sum()
    ]
    return sum(gaps) / weight.sum()


ORACLES = {
    "accuracy": lambda t, s, w: reference.accuracy_score(t, s.argmax(1), sample_weight=w),
    "precision": lambda t, s, w: reference.precision_score(t, s.argmax(1), sample_weight=w, average="macro"),
    "recall": lambda t, s, w: reference.balanced_accuracy_score(t, s.argmax(1), sample_weight=w),
    "f1": lambda t, s, w: reference.f1_score(t, s.argmax(1), sample_weight=w, average="macro"),
    "log_loss": lambda t, s, w: reference.log_loss(t, s, sample_weight=w, labels=range(4)),
    "brier": lambda t, s, w: np.average(((s - np.eye(4)[t.astype(int)]) ** 2).sum(1), weights=w),
    "ece": gap_by_bins,
    "roc_auc": lambda t, s, w: one_against_rest(reference.roc_auc_score, t, s, w),
    "average_precision": lambda t, s, w: one_against_rest(reference.average_precision_score, t, s, w),
    "rmse": lambda t, s, w: reference.root_mean_squared_error(t, s, sample_weight=w),
    "mae": lambda t, s, w: reference.mean_absolute_error(t, s, sample_weight=w),
    "mape": lambda t, s, w: reference.mean_absolute_percentage_error(t, s, sample_weight=w),
    "r2": lambda t, s, w: reference.r2_score(t, s, sample_weight=w),
    "pinball": lambda t, s, w: reference.mean_pinball_loss(t, s, sample_weight=w, alpha=0.9),
}


@pytest.mark.parametrize(("kind", "draw"), [(k, classes) for k in OF_CLASSES] + [(k, numbers) for k in OF_NUMBERS])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_equals_a_second_way_also_with_counts(kind, draw, seed):
    truth, score, counts = draw(seed)
    for weight in (np.ones(len(truth)), counts):
        assert measure(kind, truth, score, weight) == pytest.approx(ORACLES[kind](truth, score, weight), abs=1e-9)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
def test_averages_are_those_of_the_field(kind, average):
    truth, score, counts = classes(3)
    of = getattr(reference, f"{kind}_score")
    wanted = of(truth, score.argmax(1), sample_weight=counts, average=average)

    assert measure(kind, truth, score, counts, average=average) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
def test_one_class_may_be_judged_alone(kind):
    truth, score, _ = classes(4)
    wanted = getattr(reference, f"{kind}_score")(truth, score.argmax(1), average=None)[2]

    assert measure(kind, truth, score, of=2) == pytest.approx(wanted)
    assert math.isnan(measure(kind, truth, score, of=9))


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_rows_of_one_class_without_weight_or_with_nan_are_told_as_nan(kind):
    truth, score, _ = classes(5, 20)
    broken = score.copy()
    broken[3, 1] = math.nan
    assert math.isnan(measure(kind, np.zeros(20), score))
    assert math.isnan(measure(kind, truth, score, np.zeros(20)))
    assert math.isnan(measure(kind, truth, broken))
    assert math.isnan(measure(kind, np.zeros(0), np.zeros((0, 4))))


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_numbers_that_are_not_finite_and_no_weight_are_told_as_nan(kind):
    assert math.isnan(measure(kind, [1.0, 2.0], [1.0, math.inf]))
    assert math.isnan(measure(kind, [1.0, math.nan], [1.0, 2.0]))
    assert math.isnan(measure(kind, [1.0, 2.0], [1.0, 2.0], [0, 0]))
    assert math.isnan(measure(kind, [], []))


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_the_truth_itself_is_the_best_there_is(kind):
    truth, score, _ = numbers(6)
    best, other = measure(kind, truth, truth), measure(kind, truth, score)

    assert best == (1.0 if kind == "r2" else 0.0)
    assert (best > other) == (kinds.load("metrics", kind).BETTER == "higher")


def test_a_share_of_a_label_of_zero_is_not_defined():
    assert math.isnan(measure("mape", [0.0, 1.0], [1.0, 1.0]))
    assert measure("mape", [0.0, 2.0], [1.0, 1.0], [0, 1]) == 0.5


def test_labels_that_do_not_vary_leave_nothing_to_be_explained():
    assert math.isnan(measure("r2", [3.0, 3.0], [3.0, 3.1]))


def test_a_quantile_that_is_too_low_costs_its_share():
    # 0.9 of a unit where 1 too low, 0.1 where 1 too high
    assert measure("pinball", [10.0], [9.0], quantile=0.9) == pytest.approx(0.9)
    assert measure("pinball", [10.0], [11.0], quantile=0.9) == pytest.approx(0.1)
