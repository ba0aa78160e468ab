"""Gate rules about the champion, about many groups, about differences and about measures."""

from __future__ import annotations

from typing import Any

import pytest

from mlctl.config import validation
from mlctl.gates import Evidence, Verdict, judge, opens
from tests.test_spec import changed, faults

COHORTS = {"new": "orders = 0", "old": "orders = 1", "few": "orders = 2"}


def group(value: Any = 0.8, half: float = 0.05, rows: int = 100, **rivals: tuple[Any, Any]) -> dict[str, Any]:
    """A judged group; each rival as the paired interval of own minus its."""
    spread = {} if value is None else {"low": value - half, "high": value + half}
    models: dict[str, Any] = {"xgboost": {"roc_auc": {"value": value, **spread}}}
    for name, (low, high) in rivals.items():
        middle = None if low is None or high is None or value is None else value - (low + high) / 2
        models[name] = {"roc_auc": {"value": middle, "own_minus_this": {"low": low, "high": high}}}
    return {"rows": rows, "better": {"roc_auc": "higher"}, "models": models}


def verdicts(
    rule: dict[str, Any], everybody: dict[str, Any] | None = None, evidence: Evidence | None = None, **cohorts: Any
) -> list[Verdict]:
    subject = {} if "measure" in rule or "metric" in rule else {"metric": "roc_auc"}
    project, found = validation.read(changed(cohorts=COHORTS, gate={"r": {**subject, **rule}}))
    assert project is not None, found
    more = {key: cohorts.pop(key) for key in ("champion", "slices") if key in cohorts}
    evaluation = {"model": "xgboost", "everybody": everybody or group(), "cohorts": cohorts, **more}
    return judge(project, evaluation, evidence)


def passed(rule: dict[str, Any], everybody: dict[str, Any] | None = None, **more: Any) -> bool:
    return opens(verdicts(rule, everybody, **more))


@pytest.mark.parametrize(
    ("margin", "interval", "expected"),
    [
        (0.01, (-0.01, 0.2), True), (0.01, (-0.010001, 0.2), False), (0.0, (0.0, 0.1), True), (0.0, (-0.001, 0.1), False),
        (0.01, (None, 0.2), False), (0.01, (0.1, None), False), (0.5, (-0.4, -0.3), True),
    ],
)  # fmt: skip
def test_a_margin_is_how_far_the_paired_interval_may_reach_onto_the_worse_side(margin, interval, expected):
    assert passed({"better_than": "logistic", "margin": margin}, group(logistic=interval)) is expected


@pytest.mark.parametrize(
    ("interval", "expected"), [((-0.2, 0.01), True), ((-0.2, 0.0100001), False), ((0.02, 0.03), False)]
)
def test_where_lower_is_better_the_margin_lies_above_zero(interval, expected):
    everybody = {**group(logistic=interval), "better": {"roc_auc": "lower"}}

    assert passed({"better_than": "logistic", "margin": 0.01}, everybody) is expected


@pytest.mark.parametrize(("first", "expected"), [({}, True), ({"first": "pass"}, True), ({"first": "refuse"}, False)])
@pytest.mark.parametrize("cohort", [{}, {"cohort": "new"}, {"cohort": "each"}])
def test_without_a_champion_the_rule_says_what_holds_and_tells_it(first, expected, cohort):
    (found,) = verdicts({"better_than": "champion", **first, **cohort}, new=group())

    assert found.passed is expected
    assert "there is no champion yet" in found.found


def test_a_champion_that_could_not_be_judged_is_not_measured_and_never_passes():
    assert not passed({"better_than": "champion"}, champion={"release": "abc"})
    assert not passed({"better_than": "champion", "cohort": "new"}, group(champion=(0.1, 0.2)), new=group())
    assert not passed({"better_than": "champion"}, group(champion=(None, None)))


def test_an_evaluation_that_says_it_has_no_champion_has_none():
    (found,) = verdicts({"better_than": "champion"}, champion={"release": "", "not_measured": "none was promoted"})

    assert found.passed
    assert found.found == "there is no champion yet"


def test_what_an_evaluation_shows_besides_is_judged_by_its_name_alone():
    assert passed({"cohort": "each", "min": 0.7}, new=group(), cold_start=group(0.5), low_confidence=group(0.5))
    assert not passed({"cohort": "cold_start", "min": 0.7}, new=group(), cold_start=group(0.5))
    assert passed({"cohort": "cold_start", "min": 0.4}, new=group(), cold_start=group(0.5))


def test_a_champion_is_beaten_as_any_model():
    assert passed({"better_than": "champion"}, group(champion=(0.001, 0.1)))
    assert not passed({"better_than": "champion"}, group(champion=(-0.001, 0.1)))
    assert passed({"better_than": "champion", "margin": 0.002}, group(champion=(-0.001, 0.1)))


def test_each_cohort_is_refused_only_where_it_is_shown_to_be_beyond_the_limit():
    # standard error 0.05 / 1.96 = 0.0255; 0.7 - 0.63 is 2.74 of them (p 0.003), 0.7 - 0.66 is 1.57 (p 0.058)
    found = verdicts({"cohort": "each", "min": 0.7}, new=group(0.63), old=group(0.66), few=group(0.1, rows=49))

    assert [(verdict.cohort, verdict.passed) for verdict in found] == [("new", False), ("old", True), ("", True)]
    assert found[2].found == "too small to judge (fewer than 50 rows): few"
    assert [verdict.subject for verdict in found] == ["roc_auc of new", "roc_auc of old", "roc_auc of small cohorts"]


def test_what_is_wanted_of_each_says_that_it_is_a_test():
    (one,) = verdicts(
        {"cohort": "each", "min": 0.1, "better_than": "constant", "margin": 0.5}, new=group(constant=(0, 1))
    )
    (other,) = verdicts({"cohort": "each", "max": 0.9, "by": "value"}, new=group())

    assert one.wanted == "not shown to be below 0.1 or worse than constant by more than 0.5"
    assert other.wanted == "<= 0.9 by value"


def test_the_more_cohorts_the_more_it_takes_to_refuse_one():
    # 0.7 - 0.65 is 1.96 standard errors: p 0.025 alone stands, and does not among three (0.05 / 3 = 0.0167)
    assert not passed({"cohort": "each", "min": 0.7}, new=group(0.65))
    assert passed({"cohort": "each", "min": 0.7}, new=group(0.65), old=group(), few=group())
    assert not passed({"cohort": "each", "min": 0.7}, new=group(0.64), old=group(), few=group())


def test_each_can_ask_for_a_maximum_a_value_and_a_rival():
    assert not passed({"cohort": "each", "max": 0.7}, new=group(0.8))
    assert passed({"cohort": "each", "max": 0.79}, new=group(0.8))
    assert not passed({"cohort": "each", "max": 0.79, "by": "value"}, new=group(0.8))
    assert not passed({"cohort": "each", "better_than": "constant"}, new=group(constant=(-0.3, -0.1)))
    assert passed({"cohort": "each", "better_than": "constant"}, new=group(constant=(-0.3, 0.2)))
    assert passed({"cohort": "each", "better_than": "constant", "margin": 0.15}, new=group(constant=(-0.3, -0.1)))


@pytest.mark.parametrize("by", ["interval", "value"])
def test_a_cohort_that_is_large_enough_and_not_measured_never_passes(by):
    rule = {"cohort": "each", "min": 0.1, "by": by}

    assert not passed(rule, new=group(None), old=group())
    assert not passed(rule, new={"rows": 60, "not_measured": "only one outcome"}, old=group())
    assert not passed({**rule, "better_than": "logistic"}, new=group())
    assert not passed({**rule, "better_than": "logistic"}, new=group(logistic=(None, 0.1)))


@pytest.mark.parametrize("worst", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_never_passes_and_hides_no_other(worst):
    for rule in ({"min": -1e9}, {"max": 1e9}, {"min": -1e9, "by": "value"}):
        assert not passed(rule, group(worst))
        found = verdicts({**rule, "cohort": "each"}, new=group(worst), old=group())
        assert [verdict.passed for verdict in found] == [False, True]
    assert not passed({"better_than": "logistic", "margin": 1e9}, group(logistic=(worst, worst)))
    assert not passed({"better_than": "logistic", "margin": 1e9, "cohort": "each"}, new=group(logistic=(worst, 1.0)))
    assert not passed({"measure": "rows", "min": -1e9}, evidence=Evidence({"rows": worst}))
    pairs = Evidence(differences={"r": [PAIR, {**PAIR, "high": worst}]})
    assert not passed({"across": "orders_30d", "max_difference": 1e9}, evidence=pairs)


def test_where_every_cohort_is_too_small_or_there_is_none_nothing_was_measured():
    (small,) = verdicts({"cohort": "each", "min": 0.1, "min_rows": 101}, new=group())
    (none,) = verdicts({"cohort": "each", "min": 0.1})

    assert not small.passed
    assert not none.passed
    assert "new have fewer than 101 rows" in small.found
    assert "there is no cohort" in none.found


def test_found_slices_are_judged_like_cohorts():
    assert not passed({"cohort": "each", "min": 0.7}, new=group(), slices={"plan = 'none'": group(0.5)})


PAIR = {"groups": ["new", "old"], "value": -0.05, "low": -0.08, "high": -0.02}


@pytest.mark.parametrize(
    ("rule", "pairs", "expected"),
    [
        ({"max_difference": 0.08}, [PAIR], True), ({"max_difference": 0.0799}, [PAIR], False),
        ({"max_difference": 0.05, "by": "value"}, [PAIR], True), ({"max_difference": 0.0499, "by": "value"}, [PAIR], False),
        ({"max_difference": 0.08}, [PAIR, {**PAIR, "low": -0.01, "high": 0.0801}], False), ({"max_difference": 1.0}, [], False),
        ({"max_difference": 1.0}, [PAIR, {**PAIR, "low": None}], False), ({"max_difference": 1.0}, [{**PAIR, "value": None}], False),
    ],
)  # fmt: skip
def test_the_worse_end_of_the_largest_difference_must_be_within_the_limit(rule, pairs, expected):
    assert passed({"across": "orders_30d", **rule}, evidence=Evidence(differences={"r": pairs})) is expected


def test_a_group_that_is_too_small_is_told_across_and_refuses_between():
    evidence = Evidence(differences={"r": [PAIR]}, too_small={"r": ["few"]})

    (found,) = verdicts({"across": "orders_30d", "max_difference": 0.5}, evidence=evidence)
    assert found.passed
    assert found.found.endswith("fewer than 50 rows: few")
    assert not passed({"between": ["new", "old"], "max_difference": 0.5}, evidence=evidence)
    assert not passed({"between": ["new", "old"], "max_difference": 0.5})


@pytest.mark.parametrize("measure", ["latency_ms", "seconds", "size_bytes", "parity", "rows"])
def test_a_measure_clears_its_limit_at_the_edge_and_never_passes_unmeasured(measure):
    assert passed({"measure": measure, "max": 5}, evidence=Evidence({measure: 5.0}))
    assert not passed({"measure": measure, "max": 5}, evidence=Evidence({measure: 5.000001}))
    assert passed({"measure": measure, "min": 5}, evidence=Evidence({measure: 5.0}))
    assert not passed({"measure": measure, "min": 5}, evidence=Evidence({measure: 4.999999}))
    assert not passed({"measure": measure, "max": 5}, evidence=Evidence({measure: float("nan")}))
    assert not passed({"measure": measure, "min": 0}, evidence=Evidence())
    assert not passed({"measure": measure, "max": 5})


def test_a_time_is_told_only_as_a_side_of_its_limit():
    (timed,) = verdicts({"measure": "latency_ms", "max": 5}, evidence=Evidence({"latency_ms": 1.2345}))
    (counted,) = verdicts({"measure": "size_bytes", "max": 2_000_000}, evidence=Evidence({"size_bytes": 14_124.0}))

    assert (timed.found, counted.found, counted.wanted) == ("within the limit", "14,124", "<= 2,000,000")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"min": 0.5}, "give either `metric` or `measure`"),
        ({"metric": "roc_auc", "measure": "rows", "min": 1}, "give either `metric` or `measure`"),
        ({"measure": "rows", "min": 1, "cohort": "new"}, "only `min` and `max`"),
        ({"metric": "roc_auc", "margin": 0.1, "min": 0.1}, "`margin` goes with `better_than`"),
        ({"metric": "roc_auc", "between": ["new", "new"]}, "go with `max_difference`"),
        ({"metric": "roc_auc", "min": 0.1, "max_difference": 0.1}, "go with `max_difference`"),
        ({"metric": "roc_auc", "across": "x", "max_difference": 0.1, "min": 0.1}, "write a second rule"),
        ({"metric": "roc_auc", "across": "x", "cohort": "new", "max_difference": 0.1}, "give one of"),
    ],
)
def test_what_does_not_go_together_is_refused(rule, words):
    (message,) = faults(gate={"r": rule}).values()

    assert words in message


def test_names_that_a_rule_gives_must_exist():
    found = faults(
        cohorts={"each": "orders = 0"},
        gate={
            "a": {"metric": "roc_auc", "between": ["each", "olt"], "max_difference": 0.1},
            "b": {"metric": "selection_share", "min": 0.1},
            "c": {"metric": "roc_auc", "better_than": "champoin"},
        },
    )

    assert set(found) == {"gate.a.between", "gate.b.metric", "gate.c.better_than", "cohorts.each"}
    assert "did you mean 'champion'?" in found["gate.c.better_than"]
