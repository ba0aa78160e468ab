"""Every decision says its reason: the model, too little confidence, or too little known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mlctl.decide import Decider
from mlctl.errors import DataError
from mlctl.judging.policy import Policy, choose
from mlctl.spec import Decide


def decided(
    policy: dict, scores: list[float], evidence: list[float | None] | None = None, prior: float = 0.25
) -> list[tuple]:
    features = pl.DataFrame({"orders": evidence or [1.0] * len(scores)}, schema={"orders": pl.Float64})
    words = Decide.model_validate(policy)
    chosen = choose(words, "binary", np.array([0.0, 1.0]), np.array([0.2, 0.7]))
    return Decider(words, chosen, prior=prior)(features, np.array(scores)).rows()


def test_a_score_exactly_at_the_threshold_is_above():
    assert decided({"threshold": 0.25, "above": "call", "below": "wait"}, [0.25, 0.2499, 1.0, 0.0]) == [
        (0.25, "call", "model", 0.75), (0.2499, "wait", "model", 1 - 0.2499), (1.0, "call", "model", 1.0), (0.0, "wait", "model", 1.0),
    ]  # fmt: skip


def test_below_the_least_confidence_the_decision_is_the_fallback():
    assert decided({"min_confidence": 0.75, "fallback": "ask"}, [0.75, 0.25, 0.5, 0.7499]) == [
        (0.75, "yes", "model", 0.75), (0.25, "no", "model", 0.75), (0.5, "ask", "low_confidence", 0.5), (0.7499, "ask", "low_confidence", 0.7499),
    ]  # fmt: skip


def test_who_is_not_known_gets_the_prior_and_the_fallback_whatever_the_model_says():
    found = decided(
        {"evidence": "orders", "min_evidence": 2, "fallback": "greet"}, [0.9, 0.9, 0.9, 0.9], [2.0, 1.0, 0.0, None]
    )

    assert found == [(0.9, "yes", "model", 0.9)] + [(0.25, "greet", "cold_start", 0.75)] * 3


def test_cold_comes_before_unsure():
    assert decided({"evidence": "orders", "min_confidence": 1.0}, [1.0, 0.9], [0.0, 5.0]) == [
        (0.25, "review", "cold_start", 0.75), (0.9, "review", "low_confidence", 0.9),
    ]  # fmt: skip


def test_a_score_that_is_no_number_decides_nothing_and_is_none():
    nothing = (None, "ask", "model_error", None)

    assert decided({"fallback": "ask"}, [float("nan"), float("inf"), 0.9]) == [
        nothing,
        nothing,
        (0.9, "yes", "model", 0.9),
    ]
    assert decided({"fallback": "ask", "evidence": "orders"}, [float("nan")] * 2, [0.0, 1.0]) == [
        (0.25, "ask", "cold_start", 0.75), nothing,
    ]  # fmt: skip


def test_without_the_model_the_rule_decides_where_it_does_so_elsewhere():
    words = Decide.model_validate({"fallback": "ask", "fallback_by": "rule"})
    told = Decider(words, Policy(0.5, 0.0), rule="orders > 2").without_model(pl.DataFrame({"orders": [3.0, 1.0, None]}))

    assert told.rows() == [
        (None, "yes", "model_error", None), (None, "no", "model_error", None), (None, "ask", "model_error", None),
    ]  # fmt: skip


def test_evidence_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match="'ordres'"):
        decided({"evidence": "ordres"}, [0.5])


def test_nobody_gets_no_decision():
    assert decided({}, []) == []


def test_a_row_alone_is_decided_as_among_others():
    policy = {"evidence": "orders", "min_confidence": 0.6}
    scores, evidence = [0.9, 0.55, 0.1, 0.5], [3.0, 3.0, None, 0.0]

    assert decided(policy, scores, evidence) == [
        decided(policy, [s], [e])[0] for s, e in zip(scores, evidence, strict=True)
    ]
