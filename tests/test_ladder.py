"""A rung is adopted only where it clearly beats the one below it."""

from __future__ import annotations

import numpy as np
import pytest

from mlctl import kinds
from mlctl.judging.ladder import adopted, climb


def measure(name: str):
    module = kinds.load("metrics", name)
    options = module.Options()
    return (lambda truth, score, weight: module.measure(options, truth, score, weight)), module.BETTER


def rows(seed: int = 0, count: int = 2000):
    draw = np.random.default_rng(seed)
    strength = draw.normal(size=count)
    truth = (draw.random(count) < 1 / (1 + np.exp(-2 * strength))).astype(float)
    return draw, strength, truth


def shares(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_what_clearly_ranks_better_is_adopted_and_what_says_the_same_is_not(metric):
    draw, strength, truth = rows()
    scores = {
        "constant": np.full(len(truth), truth.mean()),
        "logistic": shares(2 * strength + draw.normal(size=len(truth))),
        "xgboost": shares(2 * strength),
        "deeper": shares(2 * strength + 0.01 * draw.normal(size=len(truth))),
    }
    steps = climb(truth, scores, measure(metric), np.arange(len(truth)))

    assert [(step.name, step.against, step.earned) for step in steps] == [
        ("constant", None, True),
        ("logistic", "constant", True),
        ("xgboost", "logistic", True),
        ("deeper", "xgboost", False),
    ]
    assert adopted(steps) == "xgboost"


def test_a_rung_that_failed_is_not_what_the_next_one_has_to_beat():
    _, strength, truth = rows()
    noise = np.random.default_rng(5).random(len(truth))
    scores = {"constant": np.full(len(truth), 0.5), "rule": noise, "logistic": shares(strength)}
    steps = climb(truth, scores, measure("roc_auc"), np.arange(len(truth)))

    assert [(step.against, step.earned) for step in steps] == [(None, True), ("constant", False), ("constant", True)]


def test_noise_earns_no_place_in_more_than_a_few_of_a_hundred_draws():
    taken = 0
    for seed in range(100):
        draw, strength, truth = rows(seed, 400)
        scores = {
            "logistic": shares(strength + draw.normal(size=400)),
            "xgboost": shares(strength + draw.normal(size=400)),
        }
        taken += climb(truth, scores, measure("roc_auc"), np.arange(400))[1].earned

    # 2.5 of 100 are expected of two that are alike; 8 or more have a chance of 1 in 300
    assert taken < 8


def test_a_metric_that_is_not_defined_adopts_nothing():
    truth = np.ones(100)
    scores = {"constant": np.full(100, 0.5), "logistic": np.linspace(0, 1, 100)}
    steps = climb(truth, scores, measure("roc_auc"), np.arange(100))

    assert adopted(steps) == "constant"
    assert steps[1].gain_low is None
