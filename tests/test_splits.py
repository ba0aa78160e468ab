"""Which rows teach and which judge: nothing judges what has seen it, no outcome of the test teaches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl.config import validation
from mlctl.errors import ConfigError, DataError
from mlctl.judging import splits
from mlctl.spec import Project
from tests.test_spec import VALID

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
LOOKUP = {"kind": "lookup", "source": "customers", "column": "left", "is": True}


def project(split: dict[str, Any], **changes: Any) -> Project:
    label = {} if split["kind"] in ("time", "backtest") else {"label": LOOKUP}
    found, faults = validation.read({**VALID, **label, "split": split, **changes})
    assert not faults
    assert found is not None
    return found


def people(count: int, when: datetime = AS_OF) -> pl.DataFrame:
    key = project({"kind": "folds"}).entity.key
    return pl.DataFrame(
        {
            key: [f"c{number:03d}" for number in range(count)],
            "as_of": pl.Series([when] * count, dtype=pl.Datetime("us", "UTC")),
            "house": [f"h{number % 12}" if number % 5 else None for number in range(count)],
            "label": [float(number % 4 == 0) for number in range(count)],
        }
    )


def at(*moments: datetime) -> pl.DataFrame:
    return pl.concat([people(40, when) for when in moments])


def test_over_time_the_horizon_lies_between_what_teaches_and_what_judges():
    train, test = splits.moments(project({"kind": "time", "moments": 2, "every": "30d"}), AS_OF)

    horizon = timedelta(days=90)
    assert test == [AS_OF - horizon]
    assert train == [AS_OF - 2 * horizon - timedelta(days=30), AS_OF - 2 * horizon]


def test_a_test_whose_outcome_is_not_known_yet_is_refused():
    asked = {"kind": "time", "train": ["2026-01-01"], "test": ["2026-09-01"]}
    with pytest.raises(DataError, match="is known 90d later, the snapshot ends at 2026-11-01"):
        splits.moments(project(asked), AS_OF)


def test_each_window_of_a_backtest_is_judged_by_what_was_known_before_it():
    chosen = project({"kind": "backtest", "windows": 2, "moments": 2, "every": "90d"})
    teach, judge = splits.moments(chosen, AS_OF)
    train, test = splits.divide(chosen, at(*teach), at(*judge))

    assert sorted(train["as_of"].unique()) == sorted({*teach, *judge})
    assert sorted(test["as_of"].unique()) == judge
    found = splits.parts(chosen, train)
    assert len(found) == 2
    for (teaches, judges), moment in zip(found, judge, strict=True):
        assert set(train.filter(judges)["as_of"]) == {moment}
        assert train.filter(teaches)["as_of"].max() + timedelta(days=90) <= moment
    # the later window is taught by all that the earlier one was, and by more
    assert found[0][0].sum() < found[1][0].sum()


@pytest.mark.parametrize("kind", ["random", "stratified", "group"])
def test_a_share_judges_and_nobody_is_on_both_sides(kind):
    chosen = project({"kind": kind, "test_share": 0.25, **({"by": "house"} if kind == "group" else {})})
    rows = people(400)
    train, test = splits.divide(chosen, rows, rows)

    key = chosen.entity.key
    assert sorted([*train[key], *test[key]]) == rows[key].to_list()
    assert test.height == pytest.approx(100, abs=35 if kind == "group" else 0)


def test_a_stratified_draw_has_the_same_share_of_each_outcome_on_both_sides():
    rows = people(400)
    train, test = splits.divide(project({"kind": "stratified", "test_share": 0.3}), rows, rows)

    assert (train["label"].sum(), test["label"].sum()) == (70, 30)


def test_the_rows_of_a_group_stay_together():
    chosen = project({"kind": "group", "by": "house"})
    train, test = splits.divide(chosen, people(400), people(400))

    assert not set(train["house"].drop_nulls()) & set(test["house"].drop_nulls())
    assert train["house"].n_unique() > 1
    assert test.height > 0


def test_a_group_that_is_no_feature_is_refused():
    with pytest.raises(ConfigError, match="there is no feature 'street'"):
        splits.divide(project({"kind": "group", "by": "street"}), people(40), people(40))


def test_with_folds_everybody_judges_once():
    chosen = project({"kind": "folds", "folds": 4})
    train, test = splits.divide(chosen, people(100), people(100))
    found = splits.parts(chosen, train)

    assert train.equals(test)
    assert len(found) == 4
    assert np.sum([judges for _, judges in found], axis=0).tolist() == [1] * 100
    assert all((teaches != judges).all() for teaches, judges in found)


def test_inside_the_training_rows_all_moments_of_an_entity_judge_together():
    chosen = project({"kind": "time"})
    rows = at(AS_OF, AS_OF + timedelta(days=30))
    for teaches, judges in splits.parts(chosen, rows):
        key = chosen.entity.key
        assert not set(rows.filter(teaches)[key]) & set(rows.filter(judges)[key])


@pytest.mark.parametrize("kind", ["random", "stratified", "folds"])
def test_the_draw_is_the_same_each_time_and_another_with_another_seed(kind):
    rows = people(200)
    first, again, other = (splits.divide(project({"kind": kind, "seed": seed}), rows, rows)[1] for seed in (1, 1, 2))

    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("kind", ["folds", "stratified"])
def test_numbers_that_are_all_different_are_spread_by_tenths(kind):
    task = {"kind": "lookup", "source": "customers", "column": "left", "task": "regression"}
    metrics = {"rmse": {"kind": "rmse"}}
    gate = {"near": {"metric": "rmse", "max": 9}}
    rows = people(200).with_columns(pl.Series("label", np.random.default_rng(1).normal(size=200)))
    found, faults = validation.read({**VALID, "label": task, "metrics": metrics, "gate": gate, "split": {"kind": kind}})
    assert found is not None, faults
    _, test = splits.divide(found, rows, rows)

    chosen = test if kind == "stratified" else test.filter(pl.col("fold") == 0)
    assert chosen.height == pytest.approx(50 if kind == "stratified" else 40, abs=10)
    assert abs(chosen["label"].mean() - rows["label"].mean()) < 0.15
