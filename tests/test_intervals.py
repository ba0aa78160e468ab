"""Intervals by resampling: they cover what they promise, pair models, and keep entities whole."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlctl import kinds
from mlctl.judging.intervals import around, bootstrap, interval, paired


def measures(*names: str):
    built = {}
    for name in names:
        module, options = kinds.load("metrics", name), kinds.options("metrics", {"kind": name})
        built[name] = lambda truth, score, weight, module=module, options=options: module.measure(
            options, truth, score, weight
        )
    return built


def drawn(rows: int, seed: int):
    """Truths and two models that see almost the same; the second a little noisier."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=rows)
    truth = (signal + draw.normal(size=rows) > 0.5).astype(np.float32)
    better, worse = signal + 0.3 * draw.normal(size=rows), signal + 0.5 * draw.normal(size=rows)
    return truth, {"better": 1 / (1 + np.exp(-better)), "worse": 1 / (1 + np.exp(-worse))}


def test_the_interval_of_a_calibration_error_holds_it_on_most_draws_of_the_same_size():
    module = kinds.load("metrics", "ece")
    held = 0
    expected = []
    for seed in range(200):
        draw = np.random.default_rng(seed)
        score = draw.beta(2, 3, 1000)
        truth = (draw.random(1000) < np.clip(score + 0.05, 0, 1)).astype(float)
        expected.append(module.measure(module.Options(), truth, score, np.ones(1000)))
    for seed in range(40):
        draw = np.random.default_rng(seed)
        score = draw.beta(2, 3, 1000)
        truth = (draw.random(1000) < np.clip(score + 0.05, 0, 1)).astype(float)
        value = module.measure(module.Options(), truth, score, np.ones(1000))
        measures = {"ece": lambda *rows: module.measure(module.Options(), *rows)}
        values = bootstrap(truth, {"m": score}, measures, resamples=200)["m"]["ece"]
        low, high = interval(around(values, value))
        assert low <= value <= high
        held += low <= np.mean(expected) <= high

    # 38 of 40 are expected; the plain percentiles hold it far less often
    assert held >= 34


def test_the_same_seed_gives_the_same_values_and_another_seed_others():
    truth, scores = drawn(300, 1)
    first = bootstrap(truth, scores, measures("roc_auc", "brier"), resamples=20, seed=3)
    assert first == bootstrap(truth, scores, measures("roc_auc", "brier"), resamples=20, seed=3)
    assert first != bootstrap(truth, scores, measures("roc_auc", "brier"), resamples=20, seed=4)
    assert {model: {metric: len(values) for metric, values in by.items()} for model, by in first.items()} == {
        "better": {"roc_auc": 20, "brier": 20},
        "worse": {"roc_auc": 20, "brier": 20},
    }


def test_a_resample_is_worth_the_same_as_copied_rows():
    truth, scores = drawn(200, 2)
    values = bootstrap(truth, scores, measures("roc_auc"), resamples=5, seed=11)["worse"]["roc_auc"]
    generator, module = np.random.Generator(np.random.PCG64(11)), kinds.load("metrics", "roc_auc")
    for value in values:
        rows = generator.integers(0, 200, size=200)
        copied = module.measure(module.Options(), truth[rows], scores["worse"][rows], np.ones(200))
        assert value == pytest.approx(copied, abs=1e-12)


def test_the_interval_of_an_accuracy_is_that_of_a_mean_of_coin_throws():
    # 900 of 1000 right: normal theory says 0.9 +- 1.96 * sqrt(0.9 * 0.1 / 1000) = 0.8814 .. 0.9186
    truth = np.array([0.0, 1.0] * 500)
    score = np.where(np.arange(1000) < 900, truth, 1 - truth)
    low, high = interval(bootstrap(truth, {"m": score}, measures("accuracy"), resamples=2000)["m"]["accuracy"])
    assert low == pytest.approx(0.8814, abs=0.004)
    assert high == pytest.approx(0.9186, abs=0.004)


def test_an_interval_of_95_percent_covers_the_true_value_about_95_times_in_100():
    draw, covered = np.random.default_rng(0), 0
    for trial in range(200):
        truth = (draw.random(200) < 0.5).astype(float)
        score = np.where(draw.random(200) < 0.8, truth, 1 - truth)
        values = bootstrap(truth, {"m": score}, measures("accuracy"), resamples=200, seed=trial)["m"]["accuracy"]
        low, high = interval(values)
        covered += low <= 0.8 <= high
    assert 180 <= covered <= 198  # three standard errors (1.5 %) below 95 %, and never always


def test_the_paired_difference_is_narrower_than_the_two_intervals_suggest():
    truth, scores = drawn(2000, 3)
    values = bootstrap(truth, scores, measures("roc_auc"), resamples=300)
    a, b = values["better"]["roc_auc"], values["worse"]["roc_auc"]
    low, high = paired(a, b)
    shuffled = list(np.random.default_rng(0).permutation(b))
    unpaired_low, unpaired_high = paired(a, shuffled)
    assert high - low < 0.6 * (unpaired_high - unpaired_low)
    assert low > 0


def test_the_same_model_under_two_names_differs_by_nothing():
    truth, scores = drawn(300, 4)
    values = bootstrap(truth, {"a": scores["better"], "b": scores["better"][:]}, measures("brier"), resamples=50)
    assert paired(values["a"]["brier"], values["b"]["brier"]) == (0.0, 0.0)


def test_rows_of_one_entity_are_drawn_together_so_copies_add_no_certainty():
    truth, scores = drawn(150, 5)
    entities = np.repeat(np.array([40, 7, 900] * 50) * 1000 + np.arange(150), 8)
    copies = {"better": np.repeat(scores["better"], 8)}
    plain = interval(bootstrap(truth, {"better": scores["better"]}, measures("roc_auc"))["better"]["roc_auc"])
    grouped = interval(bootstrap(np.repeat(truth, 8), copies, measures("roc_auc"), entities)["better"]["roc_auc"])
    fooled = interval(bootstrap(np.repeat(truth, 8), copies, measures("roc_auc"))["better"]["roc_auc"])
    assert grouped[1] - grouped[0] == pytest.approx(plain[1] - plain[0], rel=0.2)
    assert fooled[1] - fooled[0] < 0.5 * (plain[1] - plain[0])


def test_more_than_five_percent_undefined_resamples_leave_no_interval():
    nan = float("nan")
    assert interval([0.5] * 95 + [nan] * 5) == (0.5, 0.5)
    assert all(map(math.isnan, interval([0.5] * 94 + [nan] * 6)))
    assert all(map(math.isnan, interval([])))
    assert all(map(math.isnan, paired([0.5] * 10, [nan] * 10)))


def test_two_positives_in_a_thousand_rows_are_too_few_for_an_interval():
    truth = np.zeros(1000)
    truth[:2] = 1
    values = bootstrap(truth, {"m": np.linspace(1, 0, 1000)}, measures("roc_auc"), resamples=200)["m"]["roc_auc"]
    assert 10 < sum(map(math.isnan, values)) < 50  # exp(-2) = 13.5 % of the resamples miss both
    assert all(map(math.isnan, interval(values)))


def test_no_rows_give_undefined_values_and_no_crash():
    values = bootstrap(np.zeros(0), {"m": np.zeros(0)}, measures("roc_auc"), np.zeros(0, dtype=int), resamples=3)
    assert all(map(math.isnan, values["m"]["roc_auc"]))


def test_pairs_of_different_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])
