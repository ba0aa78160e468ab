"""Two sets of facts, and what differs between them: worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from mlctl.lineage.differences import Difference, causes, differences, largest_shift, markdown
from mlctl.lineage.facts import Facts, leaves, told

BEFORE = Facts(
    release="aaaa",
    model="logistic",
    metric="roc_auc",
    data={
        "as_of": "2026-11-01",
        "version": "1" * 64,
        "sources": {"orders": {"rows": 900, "columns": {"eur": "Float64"}}},
    },
    features=("orders_30d", "age"),
    params={"model.c": 1.0, "gate.ranks.min": 0.7},
    metrics={"everybody": {"roc_auc": {"value": 0.80, "low": 0.78, "high": 0.82, "better": "higher"}}},
    scores={"mean": 0.5, "quantiles": [index / 20 for index in range(21)]},
    gate={"passed": True, "refused": []},
    made_from={"mlctl": {"code": "c1"}, "git": {"sha": "f" * 40}, "python": "3.12", "libraries": {"polars": "2.1"}},
)


def test_nothing_differs_between_facts_and_what_was_read_of_them_again() -> None:
    again = told({**BEFORE.record(), "of a newer version": 1})

    assert again == BEFORE
    assert differences(BEFORE, again) == []
    assert causes(BEFORE, again) == []
    assert "Nothing is different." in markdown("a -> b", [], [])


def test_each_part_tells_what_differs_and_what_that_means() -> None:
    measured = {"value": 0.85, "low": 0.83, "high": 0.87, "better": "higher"}
    now = replace(
        BEFORE,
        data={
            "as_of": "2026-12-01",
            "version": "2" * 64,
            "sources": {"orders": {"rows": 1000, "columns": {"eur": "Int64", "coupon": "String"}}},
        },
        features=("orders_30d", "coupon"),
        params={"model.c": 2.0, "gate.ranks.min": 0.7},
        metrics={"everybody": {"roc_auc": measured, "brier": {**measured, "better": "lower"}}},
        gate={"passed": False, "refused": ["ranks"]},
        made_from={**BEFORE.made_from, "mlctl": {"code": "c2"}, "libraries": {"polars": "2.2"}},
    )

    assert differences(BEFORE, now) == [
        Difference("data", "as of", "2026-11-01", "2026-12-01"),
        Difference("data", "orders", "900 rows", "1,000 rows", "+100 rows"),
        Difference("schema", "orders.eur", "Float64", "Int64"),
        Difference("schema", "orders.coupon", "", "String", "new"),
        Difference("features", "coupon", "", "coupon", "new"),
        Difference("features", "age", "age", "", "gone"),
        Difference("parameters", "model.c", "1.0", "2.0"),
        Difference("metrics", "roc_auc of everybody", "0.8000 [0.7800, 0.8200]", "0.8500 [0.8300, 0.8700]", "better"),
        Difference("metrics", "brier of everybody", "", "0.8500 [0.8300, 0.8700]"),
        Difference("gate", "verdict", "passed", "refused by ranks"),
    ]
    assert causes(BEFORE, now) == [
        "data: 111111111111 as of 2026-11-01 -> 222222222222 as of 2026-12-01",
        "parameters: model.c",
        "code: c1 (commit ffffffffffff) -> c2 (commit ffffffffffff)",
        "libraries: polars 2.1 -> 2.2",
    ]


def test_intervals_that_overlap_are_told_and_the_shift_of_scores_is_kolmogorovs_distance() -> None:
    near = {"everybody": {"roc_auc": {"value": 0.79, "low": 0.77, "high": 0.81, "better": "higher"}}}
    moved = {"mean": 0.75, "quantiles": [0.5 + index / 40 for index in range(21)]}

    found = differences(BEFORE, replace(BEFORE, metrics=near, scores=moved))

    assert [difference.remark for difference in found] == [
        "worse, within the intervals",
        "",
        "50.0% of the rows moved past a score",
    ]
    assert largest_shift([0.0, 0.0, 1.0], [0.0, 1.0, 1.0]) == 0.5


def test_the_leaves_of_a_configuration_are_dotted_keys_and_lists_stay_whole() -> None:
    assert leaves({"a": {"b": [1, 2], "c": {}}}) == [("a.b", [1, 2]), ("a.c", {})]
