"""Asking a model about changed rows: the answers for a model that is a formula are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mlctl.judging import dependence

ROWS = pl.DataFrame({"age": [10.0, 20.0, 30.0], "plan": ["none", "annual", "none"], "seen": [None, 1.0, 2.0]})


def formula(rows: pl.DataFrame) -> np.ndarray:
    told = pl.col("age") / 100 + pl.when(pl.col("plan") == "annual").then(0.5).otherwise(0.0)
    return rows.select(told.alias("score"))["score"].to_numpy()


def test_the_mean_score_follows_the_formula() -> None:
    age, plan = dependence.dependence(formula, ROWS, ["age", "plan"])

    # one of three is annual: the mean of the rest is 0.5 / 3
    assert age["values"] == [10.0, 20.0, 30.0]
    assert age["outcomes"][0]["mean"] == pytest.approx([0.1 + 0.5 / 3, 0.2 + 0.5 / 3, 0.3 + 0.5 / 3])
    # the commonest text first; ages have the mean 20
    assert plan["values"] == ["none", "annual"]
    assert plan["outcomes"][0]["mean"] == pytest.approx([0.2, 0.7])
    assert plan["outcomes"][0]["low"] == pytest.approx([0.12, 0.62])


def test_several_classes_have_a_line_each() -> None:
    (found,) = dependence.dependence(lambda rows: np.column_stack([formula(rows), 1 - formula(rows)]), ROWS, ["age"])

    assert len(found["outcomes"]) == 2
    both = np.add(found["outcomes"][0]["mean"], found["outcomes"][1]["mean"])
    assert both == pytest.approx([1.0, 1.0, 1.0])


def test_missing_texts_are_tried_too_and_a_column_without_a_value_is_not() -> None:
    rows = pl.DataFrame(
        {"age": [1.0, 2.0], "plan": ["annual", None], "none": pl.Series([None, None], dtype=pl.Float64)}
    )

    plan, none = dependence.dependence(formula, rows, ["plan", "none"])

    assert plan["values"] == ["annual", None]
    assert (none["values"], none["outcomes"]) == ([], [])


def test_the_reasons_are_what_the_score_loses_when_a_feature_is_as_usual() -> None:
    (row,) = dependence.reasons(formula, ROWS[[1]], ROWS.with_columns(age=pl.Series([10.0, 12.0, 14.0])))

    # the usual plan is `none`, the usual age 12; `seen` moves nothing and is not told
    assert [(reason["feature"], reason["value"]) for reason in row] == [("plan", "annual"), ("age", 20.0)]
    assert [reason["moved_by"] for reason in row] == pytest.approx([0.5, 0.08])


def test_a_sample_is_spread_over_the_rows_and_always_the_same() -> None:
    rows = pl.DataFrame({"n": list(range(1001))})

    assert dependence.sampled(rows, 5)["n"].to_list() == [0, 250, 500, 750, 1000]
    assert dependence.sampled(rows[:3], 5).height == 3


def test_what_is_usual_does_not_mind_what_is_no_number() -> None:
    assert dependence.usual(pl.Series([1.0, float("nan"), 3.0, None])) == 2.0
    assert dependence.usual(pl.Series(["b", "a", None])) == "a"
    assert dependence.usual(pl.Series([None, None], dtype=pl.String)) is None
