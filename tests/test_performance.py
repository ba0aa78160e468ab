"""Labels that come late: how they mature is learnt, early ones are weighted, a decay is told and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from mlctl import kinds, sketches
from mlctl.monitors import Measured
from mlctl.outcomes import maturity
from mlctl.sketches import Baseline
from mlctl.watching.replay import replayed
from tests import drift, late_labels

OPTIONS = kinds.options("monitors", {"kind": "performance"})
KIND = kinds.load("monitors", "performance")
LATE = late_labels.FIRST + timedelta(days=100)


@pytest.fixture(scope="module")
def known() -> Baseline:
    return late_labels.baseline()


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return late_labels.past(2, positives_early=True)


def test_how_labels_mature_is_learnt_by_class(rows: pl.DataFrame) -> None:
    found = maturity.learn(rows, LATE)
    assert found is not None

    # waiting times of 4 and 8 days on average: 1 - exp(-5 / 4) and 1 - exp(-5 / 8)
    assert found.shares["1.0"][5] == pytest.approx(0.713, abs=0.03)
    assert found.shares["0.0"][5] == pytest.approx(0.465, abs=0.03)
    # half of the slower class: 8 ln 2 = 5.5 days
    assert found.age_of(0.5) == 6
    assert found.never == 0.0


def test_early_labels_count_for_those_of_their_class_that_are_to_come(rows: pl.DataFrame) -> None:
    found = maturity.learn(rows, LATE)
    assert found is not None
    young = rows.filter((pl.col("as_of") > LATE - timedelta(days=6)) & (pl.col("known_at") <= LATE))
    ages = ((LATE - young["as_of"]) / timedelta(days=1)).to_numpy()
    label = young["label"].to_numpy()

    assert label.mean() > 0.58
    assert np.average(label, weights=found.weight(young["label"], ages)) == pytest.approx(0.5, abs=0.05)


def test_a_model_that_holds_its_promise_is_quiet_and_realised_and_estimated_agree(
    rows: pl.DataFrame, known: Baseline
) -> None:
    window = late_labels.window(rows, LATE)
    found = {one.what: one for one in KIND.measure(OPTIONS, window, known)}
    realised, estimated = found["realised roc_auc"], found["estimated roc_auc"]

    assert drift.alarms(KIND.observe(OPTIONS, window, known)) == []
    assert realised.value == pytest.approx(realised.expected, abs=0.02)
    assert estimated.value == pytest.approx(realised.value, abs=0.02)
    assert found["days until labels count"] == Measured("days until labels count", "everybody", 6.0)


def test_before_any_label_is_known_it_says_so_and_judges_nothing(rows: pl.DataFrame, known: Baseline) -> None:
    first = late_labels.window(rows, late_labels.FIRST + timedelta(hours=1))
    (found,) = KIND.observe(OPTIONS, first, known)

    assert (found.severity, found.limit) == ("note", "at least 200 labels")


def test_a_planted_decay_is_caught_long_before_all_labels_are_in(known: Baseline) -> None:
    found = replayed(late_labels.past(3, 90, 100), known, OPTIONS, repeats=1)

    assert found.proved
    assert found.caught[0] is not None
    assert found.caught[0] <= 20
    assert found.waited[0] is None or found.waited[0] - found.caught[0] >= 15


def test_a_world_that_changed_is_told_apart_from_inputs_that_moved(known: Baseline, rows: pl.DataFrame) -> None:
    draw = np.random.default_rng(1)
    since = (pl.col("as_of") >= LATE - timedelta(days=40)).alias("since")
    coin = pl.Series(draw.integers(0, 2, rows.height).astype(float))
    changed = rows.with_columns(pl.when(since).then(coin).otherwise("label").alias("label"))
    (found, *_) = KIND.observe(OPTIONS, late_labels.window(changed, LATE), known)

    assert (found.severity, found.rule) == ("alarm", "roc_auc")
    assert "the scores did not foretell it" in found.cause


def test_of_several_classes_accuracy_is_realised_and_estimated_and_a_shift_to_the_unsure_is_foretold(
    rows: pl.DataFrame,
) -> None:
    named = rows.with_columns(
        pl.when(pl.col("label") == 1).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("label"),
        pl.max_horizontal("score", 1 - pl.col("score")).alias("score"),
    )
    value = float((named["label"] == named["decision"]).mean())
    promised = {"value": value, "low": value - 0.01, "high": value + 0.01, "options": {"kind": "accuracy"}, "place": 0}
    learnt = sketches.Learnt({}, (), {}, {"accuracy": promised})
    known = sketches.learn(named.select("score", "decision", "reason"), {}, learnt)
    window = late_labels.window(named, LATE)
    found = {one.what: one.value for one in KIND.measure(OPTIONS, window, known)}
    # of the last five days no label counts yet
    unsure = named.filter((pl.col("score") < 0.65) | (pl.col("as_of") < LATE - timedelta(days=5)))
    short = kinds.options("monitors", {"kind": "performance", "rows": 600})
    told = KIND.observe(short, late_labels.window(unsure, LATE), known)

    assert drift.alarms(KIND.observe(OPTIONS, window, known)) == []
    assert found["realised accuracy"] == pytest.approx(value, abs=0.03)
    assert found["estimated accuracy"] == pytest.approx(value, abs=0.02)
    assert ("warn", "accuracy.estimated") in [(one.severity, one.rule) for one in told]
