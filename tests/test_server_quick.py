"""Plain rows are answered as tables are, to the bit, whatever the task, the policy and the values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mlctl.decide import Decider
from mlctl.encoding import encode, learn
from mlctl.judging.policy import Policy
from mlctl.server.quick import Quick
from mlctl.spec import Decide, EncodingPolicy

DRAW = np.random.default_rng(11)
ROWS = 200
FEATURES = pl.DataFrame(
    {
        "spend": [
            None if gone else value
            for gone, value in zip(DRAW.random(ROWS) < 0.2, DRAW.normal(0, 1e3, ROWS), strict=True)
        ],
        "orders": DRAW.integers(0, 9, ROWS),
        "is_new": (DRAW.random(ROWS) < 0.5).tolist(),
        "plan": DRAW.choice(["none", "monthly", "annual", "rare", None], ROWS).tolist(),
        "message": DRAW.choice(["my parcel", "Ä rechnung", "", "🦜", None, "my my my invoice"], ROWS).tolist(),
    },
    schema_overrides={"orders": pl.UInt32},
)
DECIDE = [
    {},
    {"evidence": "orders", "min_evidence": 3},
    {"evidence": "spend", "min_evidence": 0.5, "min_confidence": 0.8, "above": "a", "below": "b"},
]


def same(quick: list[dict], table: pl.DataFrame) -> bool:
    return quick == table.to_dicts() and [row.keys() for row in quick] == [row.keys() for row in table.to_dicts()]


@pytest.mark.parametrize("columns", [["spend"], ["spend", "orders", "is_new"], FEATURES.columns])
def test_the_matrix_is_the_table_s(columns):
    features = FEATURES.select(columns)
    text = {"message": {"min_rows": 1}} if "message" in columns else {}
    learnt = learn(features.head(150), EncodingPolicy.model_validate({"text": text, "rare_share": 0.05}))
    quick = Quick.of(learnt, Decider(Decide(), Policy(0.5, 0.0)))
    assert quick is not None

    for rows in (features, features.head(1), features.tail(7)):
        assert quick.matrix(rows.to_dicts()).tobytes() == encode(learnt, rows).tobytes()


@pytest.mark.parametrize("words", DECIDE)
@pytest.mark.parametrize(
    "policy", [Policy(0.5, 0.0), Policy(0.31, 0.77), Policy(0.5, 0.0, 0.35), Policy(0.5, 0.0, 0.6)]
)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_decisions_are_the_table_s(words, policy, task):
    scores = DRAW.random(ROWS) if task == "binary" else DRAW.dirichlet([1.0, 1.0, 1.0], ROWS)
    scores = scores.astype("float32").astype("float64")
    scores[::17] = np.nan
    classes, prior = (("0", "1"), 0.25) if task == "binary" else (("x", "y", "z"), [0.5, 0.3, 0.2])
    decider = Decider(Decide.model_validate(words), policy, task, classes, prior)
    quick = Quick.of(learn(FEATURES.select("spend")), decider)
    assert quick is not None

    assert same(quick.decide(FEATURES.to_dicts(), scores), decider(FEATURES, scores))


@pytest.mark.parametrize("threshold", [None, 0.4])
def test_numbers_are_the_table_s(threshold):
    words = Decide.model_validate({"evidence": "orders", "min_evidence": 2})
    decider = Decider(words, Policy(threshold, 0.0), "regression", (), 7.5)
    quick = Quick.of(learn(FEATURES.select("spend")), decider)
    assert quick is not None
    scores = DRAW.normal(0, 1, ROWS)
    scores[::17] = np.inf

    assert same(quick.decide(FEATURES.to_dicts(), scores), decider(FEATURES, scores))


def test_there_is_no_quick_way_where_sql_decides():
    by_rule = Decider(Decide.model_validate({"fallback_by": "rule"}), Policy(0.5, 0.0), rule="spend > 1")

    assert Quick.of(learn(FEATURES.select("spend")), by_rule) is None
    refuses = learn(FEATURES.select("spend"), EncodingPolicy.model_validate({"missing": "refuse"}))
    assert Quick.of(refuses, Decider(Decide(), Policy(0.5, 0.0))) is None
