"""What speaks against publishing scores, rule by rule; and the scores table itself, row by row."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mlctl import kinds
from mlctl.config import validation
from mlctl.encoding import encode, learn
from mlctl.errors import DataError
from mlctl.models import TrainingTable
from mlctl.release import Release
from mlctl.scoring.streaming import Stream
from mlctl.serving import batch
from mlctl.serving.batch import Options, audit, score_everybody
from tests.test_spec import VALID

T = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
UTC_TIME = pl.Datetime("us", "UTC")


def table(scores: list[float | None], cold: int = 0) -> pl.DataFrame:
    reasons = ["model"] * (len(scores) - cold) + ["cold_start"] * cold
    return pl.DataFrame({"score": scores, "reason": reasons}, schema={"score": pl.Float64, "reason": pl.String})


def rules(scores: pl.DataFrame, mean: float = 0.5, live: int | None = None, **limits: Any) -> list[str]:
    options = Options.model_validate({"audit": limits})
    findings = audit(options, scores, {"mean_score": mean}, live)
    assert all(finding.severity == "fail" for finding in findings)
    assert all(finding.sentence().startswith("scores.") for finding in findings)
    return [finding.rule.removeprefix("scores.") for finding in findings]


def test_scores_as_expected_are_published():
    assert rules(table([0.2, 0.5, 0.8]), live=3) == []


def test_fewer_rows_than_the_least_are_held_back():
    assert rules(table([0.4, 0.6]), min_rows=2) == []
    assert rules(table([0.4, 0.6]), min_rows=3) == ["rows"]
    assert rules(table([])) == ["rows"]


@pytest.mark.parametrize(("live", "held_back"), [(None, False), (0, False), (2, False), (3, False), (4, True)])
def test_many_fewer_rows_than_the_live_ones_are_held_back(live, held_back):
    # two rows are 0.67 of three and 0.5 of four; allowed is 0.6 and more
    assert rules(table([0.4, 0.6]), live=live, min_share_of_last=0.6) == (["rows_of_last"] if held_back else [])


@pytest.mark.parametrize(("failed", "held_back"), [(0, False), (1, False), (2, True), (100, True)])
def test_of_a_hundred_rows_the_model_may_have_failed_at_one(failed, held_back):
    reasons = ["error_previous"] * failed + ["model"] * (100 - failed)
    scores = table([0.2 + 0.006 * row for row in range(100)]).with_columns(pl.Series("reason", reasons))

    assert rules(scores) == (["failed"] if held_back else [])
    assert rules(scores, max_failed_share=1.0) == []


@pytest.mark.parametrize("bad", [None, float("nan"), -0.0001, 1.0001, float("inf"), float("-inf")])
def test_a_score_that_is_no_probability_is_held_back_and_nothing_else_is_said(bad):
    assert rules(table([0.4, 0.6, bad])) == ["range"]
    assert rules(table([0.4, 0.6, bad], cold=1)) == ["range"]


def test_both_ends_of_the_range_are_probabilities():
    assert rules(table([0.0, 1.0])) == []


@pytest.mark.parametrize(
    ("mean", "held_back"), [(0.5, False), (0.75, False), (0.25, False), (0.76, True), (0.24, True)]
)
def test_a_mean_far_from_the_evaluations_is_held_back(mean, held_back):
    assert rules(table([0.25, 0.75]), mean=mean, max_mean_shift=0.25) == (["mean"] if held_back else [])


def test_one_score_for_nearly_everybody_is_held_back():
    assert rules(table([0.5] * 9 + [0.4]), max_one_score_share=0.9) == []
    assert rules(table([0.5] * 10 + [0.4]), max_one_score_share=0.9) == ["one_score"]
    assert rules(table([0.5, 0.5]), max_one_score_share=1.0) == []


def test_one_score_that_is_rounded_differently_from_row_to_row_is_held_back():
    wobbling = [0.92 + 1e-7 * n for n in range(100)]
    assert rules(table(wobbling), mean=0.92) == ["one_score"]
    assert rules(table([0.92 + 1e-3 * n for n in range(80)]), mean=0.95) == []
    # near 0 and near 1 a small step is a large one in the odds
    assert rules(table([1e-4 * (1 + n / 10) for n in range(100)]), mean=0.0) == []


def test_who_the_model_was_not_asked_about_says_nothing_of_the_model():
    assert rules(table([0.4, 0.6] + [0.9] * 50, cold=50)) == []
    assert rules(table([0.9] * 5, cold=5)) == []


def test_every_rule_that_is_broken_is_told():
    assert rules(table([0.9, 0.9]), mean=0.1, live=100, min_rows=3) == ["rows", "rows_of_last", "mean", "one_score"]


# ---- the scores table


def world() -> dict[str, pl.DataFrame]:
    """Twenty customers: number n ordered n times before T; the last signs up at T itself, so nobody knows them yet."""
    customers = pl.DataFrame(
        {
            "customer_id": [f"c{n:02d}" for n in reversed(range(20))],
            "changed_at": [T if n == 19 else T - timedelta(days=100) for n in reversed(range(20))],
        },
        schema_overrides={"changed_at": UTC_TIME},
    )
    orders = [(f"c{n:02d}", T - timedelta(days=1 + turn)) for n in range(20) for turn in range(n)]
    return {
        "customers": customers,
        "orders": pl.DataFrame(orders, schema={"customer_id": pl.String, "ordered_at": UTC_TIME}, orient="row"),
    }


def opened(**sections: Any) -> Release:
    project, faults = validation.read(
        {
            **VALID, "checks": {}, "cohorts": {},
            "sources": {"customers": {"kind": "csv", "path": "c", "time": "changed_at"}, "orders": {"kind": "csv", "path": "o", "time": "ordered_at"}},
            "features": {"orders": {"kind": "count", "source": "orders"}},
            "model": {"kind": "logistic"}, "decide": {"threshold": 0.5, "above": "stay", "below": "go", "evidence": "orders", "fallback": "greet"},
            **sections,
        }
    )  # fmt: skip
    assert project is not None, faults
    features = pl.DataFrame({"orders": [float(n) for n in range(19)]})
    encoding = learn(features)
    labels = (features["orders"] >= 10).cast(pl.Float32).to_numpy()
    fitted = kinds.load("models", "logistic").fit(
        project.model, TrainingTable(encode(encoding, features), labels, ("orders",))
    )
    return Release(
        "0123456789abcdef",
        {
            "prior": 0.25,
            "model": "constant",
            "classes": ["0", "1"],
            "decide": {"threshold": 0.5, "min_confidence": 0.0, "set_level": None},
        },
        project,
        encoding,
        fitted.onnx,
    )


def test_everybody_who_was_known_before_as_of_has_one_row_with_all_that_the_contract_says():
    scores = score_everybody(opened(), world(), T, NOW)

    assert scores.columns == [
        "customer_id",
        "score",
        "decision",
        "reason",
        "confidence",
        "release",
        "variant",
        "as_of",
        "scored_at",
    ]
    assert scores["customer_id"].to_list() == [f"c{n:02d}" for n in range(19)]
    assert scores.row(0) == ("c00", 0.25, "greet", "cold_start", 0.75, "0123456789abcdef", "champion", T, NOW)
    assert scores["decision"].to_list() == ["greet"] + ["go"] * 9 + ["stay"] * 9
    assert scores["score"][1:].is_sorted()
    assert scores["reason"][1:].unique().to_list() == ["model"]
    assert scores.filter(pl.col("confidence") != pl.max_horizontal("score", 1 - pl.col("score"))).height == 0


def test_scores_made_piece_by_piece_are_those_of_everybody_at_once(monkeypatch):
    release = opened(serving={"kind": "batch", "reasons": 1})
    whole = score_everybody(release, world(), T, NOW)
    monkeypatch.setattr(batch, "BATCH_ROWS", 5)
    stream = Stream(release, batch.features_of_everybody(release, world(), T), (T, NOW))

    coming = stream.coming(lambda piece: piece.with_columns(decision=pl.lit("held")), lambda: None)
    assert coming.makers[1]()["decision"].to_list() == ["held"] * 5
    scored = stream.scored()

    assert len(coming.makers) == 4
    assert scored.scores.select(whole.columns).equals(whole, null_equal=True)
    assert scored.features["customer_id"].equals(whole["customer_id"])
    told = dict(coming.constants)
    assert told == {"release": release.id, "variant": "champion", "as_of": T, "scored_at": NOW}


def test_the_order_of_the_source_rows_changes_nothing():
    tables = world()

    shuffled = {name: rows.sample(fraction=1.0, shuffle=True, seed=3) for name, rows in tables.items()}

    assert score_everybody(opened(), shuffled, T, NOW).equals(score_everybody(opened(), tables, T, NOW))


def test_nobody_to_score_is_told():
    with pytest.raises(DataError, match="no rows in the population"):
        score_everybody(opened(), world(), T - timedelta(days=100), NOW)


def test_a_table_without_the_column_that_a_feature_reads_is_told():
    tables = world()

    with pytest.raises(DataError, match="no column 'customer_id'"):
        score_everybody(opened(), {**tables, "orders": tables["orders"].drop("customer_id")}, T, NOW)


def test_the_features_that_moved_a_score_are_told_where_the_release_says_so():
    plain = score_everybody(opened(), world(), T, NOW)

    scores = score_everybody(opened(serving={"kind": "batch", "reasons": 2}), world(), T, NOW)

    assert scores.drop("contributions").equals(plain)
    told = scores["contributions"].to_list()
    assert told[0] is None  # too new to be scored: no feature moved the prior
    adds = [json.loads(text)[0]["adds"] for text in told[1:] if text != "[]"]
    assert adds == sorted(adds)
    assert adds[0] < 0 < adds[-1]
