"""Thresholds and confidences are chosen on rows that the model has not seen, and keep what they promise on others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mlctl.decide import Decider
from mlctl.errors import DataError
from mlctl.judging.policy import choose
from mlctl.spec import Decide


def rows(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that mean what they say, and outcomes drawn by them."""
    draw = np.random.default_rng(seed)
    score = draw.beta(0.6, 0.6, count)
    return (draw.random(count) < score).astype(float), score


def classes(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    score = draw.dirichlet([0.4, 0.4, 0.4], count)
    return (draw.random(count)[:, None] > score.cumsum(axis=1)).sum(axis=1).astype(float), score


def decide(**said: object) -> Decide:
    return Decide.model_validate(said)


def test_the_threshold_that_brings_most_is_taken():
    truth, score = np.array([1.0, 1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1])
    worth = {"tp": 10.0, "fp": -4.0}
    # above .9: 10; .8: 20; .7: 16; .6: 26; .5: 22; .1: 18
    policy = choose(decide(worth=worth), "binary", truth, score)

    assert policy.threshold == 0.6
    assert "brings 4.333 a row" in policy.how[0]


def test_where_every_decision_above_costs_nobody_is_above():
    policy = choose(decide(worth={"tp": -1.0, "fp": -1.0}), "binary", *rows(1))

    assert policy.threshold == 1.0


def test_equal_scores_are_decided_alike_when_the_threshold_is_chosen():
    truth, score = np.array([1.0, 0, 0, 1]), np.array([0.5, 0.5, 0.5, 0.2])

    assert choose(decide(worth={"tp": 2.0, "fp": -1.5}), "binary", truth, score).threshold in (0.2, 1.0)


def test_a_promised_share_of_errors_is_kept_on_other_rows_in_95_of_100_draws():
    broken = 0
    for seed in range(100):
        policy = choose(decide(max_error=0.1), "binary", *rows(seed, 2000))
        truth, score = rows(1000 + seed, 20_000)
        kept = np.maximum(score, 1 - score) >= policy.min_confidence
        broken += ((score >= 0.5) != truth)[kept].mean() > 0.1

    # 5 are allowed; 11 or more would be a promise that is not kept (1 in 100 by chance)
    assert broken <= 10


def test_an_error_that_no_confidence_keeps_is_refused():
    draw = np.random.default_rng(3)
    truth, score = (draw.random(500) < 0.5).astype(float), np.full(500, 0.6)
    with pytest.raises(DataError, match="no confidence keeps"):
        choose(decide(max_error=0.01), "binary", truth, score)


@pytest.mark.parametrize(("task", "draw"), [("binary", rows), ("multiclass", classes)])
def test_conformal_sets_hold_the_true_outcome_as_often_as_promised(task, draw):
    shares = []
    for seed in range(20):
        policy = choose(decide(conformal=0.1), task, *draw(seed))
        truth, score = draw(500 + seed)
        every = score if score.ndim == 2 else np.column_stack([1 - score, score])
        shares.append((every[np.arange(len(truth)), truth.astype(int)] >= policy.set_level).mean())

    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


def test_one_possible_outcome_is_decided_and_none_or_several_fall_back():
    words = decide(conformal=0.1, fallback="ask")
    policy = choose(words, "multiclass", *classes(1))
    decider = Decider(words, policy, "multiclass", ("mail", "phone", "shop"), [0.2, 0.3, 0.5])
    level = policy.set_level
    assert level is not None
    sure, two = [0.97, 0.02, 0.01], [level + 0.01, level + 0.01, 0.0]
    told = decider(pl.DataFrame({"x": [1, 2]}), np.array([sure, two]))

    assert told["decision"].to_list() == ["mail", "ask"]
    assert told["reason"].to_list() == ["model", "low_confidence"]


def test_the_coverage_curve_ends_with_everybody_and_the_plain_error():
    truth, score = rows(2)
    curve = choose(decide(), "binary", truth, score).coverage

    assert curve[-1]["coverage"] == 1.0
    assert curve[-1]["error"] == pytest.approx(((score >= 0.5) != truth).mean())
    assert curve[0]["error"] < curve[-1]["error"]
    assert [step["coverage"] for step in curve] == sorted(step["coverage"] for step in curve)


def test_classes_are_decided_by_name_and_cold_ones_by_the_share_of_each():
    words = decide(evidence="orders", fallback="ask")
    decider = Decider(words, choose(words, "multiclass", *classes(1)), "multiclass", ("mail", "shop"), [0.3, 0.7])
    told = decider(pl.DataFrame({"orders": [3.0, 0.0]}), np.array([[0.6, 0.4], [0.9, 0.1]]))

    assert told.rows() == [(0.6, "mail", "model", 0.6), (0.7, "ask", "cold_start", 0.7)]


def test_a_number_is_foretold_and_with_a_threshold_decided():
    words = decide()
    told = Decider(words, choose(words, "regression", *rows(1)), "regression", (), 5.0)(
        pl.DataFrame({"x": [1]}), np.array([7.5])
    )
    assert told.rows() == [(7.5, "foretold", "model", None)]

    words = decide(threshold=7.0, above="large", below="small")
    told = Decider(words, choose(words, "regression", *rows(1)), "regression", (), 5.0)(
        pl.DataFrame({"x": [1, 2]}), np.array([7.5, 6.0])
    )
    assert told["decision"].to_list() == ["large", "small"]


def test_where_the_model_is_unsure_the_rule_of_today_decides():
    words = decide(min_confidence=0.9, fallback_by="rule", above="call", below="wait", fallback="ask")
    policy = choose(words, "binary", *rows(1))
    told = Decider(words, policy, rule="silent_days > 30")(
        pl.DataFrame({"silent_days": [10.0, 40.0, None, 40.0]}), np.array([0.6, 0.4, 0.5, 0.05])
    )

    assert told["decision"].to_list() == ["wait", "call", "ask", "wait"]
    assert told["reason"].to_list() == ["low_confidence"] * 3 + ["model"]
