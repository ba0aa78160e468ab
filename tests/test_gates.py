"""The gate: what was not measured never passes, and an edge counts as inside."""

from __future__ import annotations

from typing import Any

import pytest

from mlctl.config import validation
from mlctl.gates import judge
from tests.test_spec import changed


def evaluation(
    value: Any = 0.8, low: Any = 0.75, high: Any = 0.85, other: Any = (0.02, 0.06), better: str = "higher"
) -> dict[str, Any]:
    part = {
        "better": {"roc_auc": better},
        "models": {
            "xgboost": {"roc_auc": {"value": value, "low": low, "high": high}},
            "constant": {
                "roc_auc": {
                    "value": 0.5,
                    "low": 0.5,
                    "high": 0.5,
                    "own_minus_this": {"low": other[0], "high": other[1]},
                }
            },
        },
    }
    return {
        "model": "xgboost",
        "everybody": part,
        "cohorts": {"new": part, "few": {"rows": 3, "not_measured": "3 rows"}},
    }


def verdict(rule: dict[str, Any], **measured: Any):
    project, faults = validation.read(
        changed(
            cohorts={"new": "orders = 0", "few": "orders = 1", "gone": "orders = 2"},
            gate={"r": {"metric": "roc_auc", **rule}},
        )
    )
    assert project is not None, faults
    (found,) = judge(project, evaluation(**measured))
    return found


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"min": 0.75}, True), ({"min": 0.7500001}, False), ({"max": 0.85}, True), ({"max": 0.8499999}, False),
        ({"min": 0.8, "by": "value"}, True), ({"min": 0.8000001, "by": "value"}, False), ({"max": 0.8, "by": "value"}, True),
        ({"max": 0.7999999, "by": "value"}, False), ({"min": 0.75, "max": 0.85}, True), ({"min": 0.75, "max": 0.84}, False),
        ({"min": 0.76, "max": 0.85}, False), ({"min": 0.0, "max": 0.0}, False), ({"cohort": "new", "min": 0.75}, True),
    ],
)  # fmt: skip
def test_the_worse_end_of_the_interval_or_the_value_alone_must_pass(rule, passed):
    assert verdict(rule).passed is passed


@pytest.mark.parametrize(
    ("better", "interval", "passed"),
    [
        ("higher", (0.0001, 0.2), True), ("higher", (0.0, 0.2), False), ("higher", (-0.1, 0.2), False), ("higher", (-0.2, -0.1), False),
        ("lower", (-0.2, -0.0001), True), ("lower", (-0.2, 0.0), False), ("lower", (-0.2, 0.1), False), ("lower", (0.1, 0.2), False),
    ],
)  # fmt: skip
def test_better_means_the_whole_paired_interval_on_the_better_side_of_zero(better, interval, passed):
    assert verdict({"better_than": "constant"}, other=interval, better=better).passed is passed


@pytest.mark.parametrize("null", ["value", "low", "high"])
@pytest.mark.parametrize("rule", [{"min": 0.0}, {"max": 1.0}, {"min": 0.0, "by": "value"}])
def test_what_is_not_defined_never_passes(null, rule):
    found = verdict(rule, **{null: None})

    assert not found.passed
    assert "not measured" in found.found


@pytest.mark.parametrize("other", [(None, 0.1), (0.1, None), (None, None)])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_difference_that_is_not_defined_never_passes(other, better):
    assert not verdict({"better_than": "constant"}, other=other, better=better).passed


def test_a_model_that_was_not_trained_is_not_beaten():
    assert not verdict({"better_than": "logistic"}).passed


@pytest.mark.parametrize(("cohort", "why"), [("few", "3 rows"), ("gone", "the cohort is not in the evaluation")])
@pytest.mark.parametrize("rule", [{"min": 0.0}, {"better_than": "constant"}])
def test_a_cohort_that_was_not_measured_never_passes(cohort, why, rule):
    found = verdict({"cohort": cohort, **rule})

    assert not found.passed
    assert found.found == f"not measured: {why}"
    assert found.subject == f"roc_auc of {cohort}"


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"min": 0.75}, True),
        ({"min": 0.9}, False),
        ({"max": 0.85}, True),
        ({"max": 0.8}, False),
        ({"min": 0.9, "by": "value"}, False),
    ],
)
def test_a_rule_with_a_limit_and_a_rival_asks_for_both(rule, passed):
    assert verdict({"better_than": "constant", **rule}).passed is passed
    assert not verdict({"better_than": "constant", **rule}, other=(-0.1, 0.1)).passed


def test_a_verdict_says_what_was_wanted_and_found():
    assert verdict({"min": 0.9}).record() == {
        "rule": "r", "passed": False, "subject": "roc_auc of everybody", "found": "0.8000 [0.7500, 0.8500]", "wanted": ">= 0.9 by interval", "cohort": "", "waived": "",
    }  # fmt: skip
    assert verdict({"better_than": "constant"}).wanted == "better than constant"
    assert (
        verdict({"min": 0.1, "max": 0.9, "by": "value", "better_than": "constant"}).wanted
        == ">= 0.1 and <= 0.9 by value and better than constant"
    )
