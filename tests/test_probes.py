"""Each planted leak is refused with its evidence; honest tables, however predictive, are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import probes
from mlctl.findings import Finding, of_severity
from mlctl.probes._bins import auc_error, auc_of_bins, binned, r2_of_bins
from tests.tables import IN_TIME, JANUARY, JULY, features_of, parted, people, project


def found(rows: pl.DataFrame, rule: str, **sections: Any) -> list[Finding]:
    """What one probe says of a table that is split by chance."""
    train, test = parted(rows)
    return of_rule(probes.probe(project(**sections), train, test, features_of(rows)), rule)


def of_rule(findings: list[Finding], rule: str) -> list[Finding]:
    return [finding for finding in findings if finding.rule == f"probes.{rule}"]


@pytest.mark.parametrize("auc", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("rows", [150, 600, 3000])
def test_honest_tables_are_not_refused_however_well_they_foretell(auc: float, rows: int) -> None:
    for seed in range(35):
        table = people(rows, seed, auc)
        train, test = parted(table, seed)
        assert probes.probe(project(), train, test, features_of(table)) == [], (auc, rows, seed)


def test_honest_tables_in_time_are_not_refused_although_entities_stand_on_both_sides() -> None:
    for seed in range(20):
        train = people(1500, seed).sort("customer_id")
        later = people(1500, seed + 100).with_columns(customer_id=train["customer_id"], as_of=pl.lit(JULY))
        # a tenth of the people did nothing meanwhile: their rows are the same at both moments
        same = pl.Series(np.arange(1500) % 10 == 0)
        test = pl.concat([train.filter(same).with_columns(as_of=pl.lit(JULY)), later.filter(~same)])
        outcome = probes.run(project(**IN_TIME), train, test.sort("customer_id"), features_of(train))
        assert of_severity(outcome.findings, "fail") == (), seed
        assert set(outcome.not_run) == {"entities"}


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_honest_tables_of_other_tasks_are_not_refused(task: str) -> None:
    for seed in range(40):
        draw = np.random.default_rng([seed, 2])
        table = people(1200, seed)
        # a straight line with an R2 of 0.9, or its thirds
        worth = 3 * table["signal"].to_numpy() + draw.normal(size=1200) * 3 * float(table["signal"].std()) / 3  # type: ignore[arg-type]
        label = worth if task == "regression" else np.digitize(worth, np.quantile(worth, [1 / 3, 2 / 3])).astype(float)
        scene = probes.Scene.of(
            project(), *parted(table.with_columns(label=pl.Series(label)), seed), features_of(table)
        )
        for name, look in probes.PROBES.items():
            assert look(replace(scene, task=task)).findings == [], (name, seed)


def test_classes_that_are_texts_are_looked_at_too() -> None:
    table = people(1500, 19).with_columns(
        label=pl.Series(np.arange(1500) % 3).replace_strict([0, 1, 2], ["a", "b", "c"])
    )
    table = table.with_columns(team=pl.col("label") + "-team")
    scene = replace(probes.Scene.of(project(), *parted(table), features_of(table)), task="multiclass")
    found_by = {name for name, look in probes.PROBES.items() if look(scene).findings}
    assert found_by == {"one_feature"}


def test_an_entity_may_stand_in_several_folds_of_time() -> None:
    table = people(300, 20)
    windows = pl.concat(
        [table.with_columns(as_of=pl.lit(moment), fold=pl.lit(fold)) for fold, moment in enumerate((JANUARY, JULY))]
    )
    outcome = probes.run(project(**IN_TIME), windows, windows, features_of(table))
    assert outcome.findings == ()
    assert {"entities", "period"} <= set(outcome.not_run)


def test_the_label_under_another_name_is_refused_and_the_next_best_feature_is_named() -> None:
    table = people(2000, 1).with_columns(left_at=pl.col("label") * 3 + 1)

    (one,) = found(table, "one_feature")

    assert (one.severity, one.where) == ("fail", "feature left_at")
    assert "ROC AUC 1.0000 by it alone, as if it were the label itself (next best: signal 0.7" in one.value
    assert "(1.0, label 0)" in one.value
    assert "(4.0, label 1)" in one.value


def test_two_leaks_do_not_hide_each_other() -> None:
    noise = np.random.default_rng(4).normal(0, 0.15, 2000)
    table = people(2000, 1).with_columns(
        closed=pl.when(pl.col("label") == 1).then(pl.lit("yes")).otherwise(pl.lit("no")),
        refund=pl.col("label") + pl.Series(noise),
    )

    assert [one.where for one in found(table, "one_feature")] == ["feature closed", "feature refund"]


def test_a_leak_that_is_not_monotone_is_refused() -> None:
    draw = np.random.default_rng(5)
    outside = draw.choice([-1.0, 1.0], 2000) * draw.uniform(1, 2, 2000)
    table = people(2000, 2)
    table = table.with_columns(
        angle=pl.when(pl.col("label") == 1).then(pl.Series(outside)).otherwise(pl.Series(draw.uniform(-0.9, 0.9, 2000)))
    )

    assert [one.where for one in found(table, "one_feature")] == ["feature angle"]


def test_a_leak_of_a_class_and_of_a_value_are_refused_too() -> None:
    draw = np.random.default_rng(6)
    table = people(2000, 3)
    kinds_of = draw.integers(0, 4, 2000).astype(float)
    classes = table.with_columns(label=pl.Series(kinds_of), team=pl.Series([f"team {kind:.0f}" for kind in kinds_of]))
    train, test = parted(classes)
    scene = replace(probes.Scene.of(project(), train, test, features_of(classes)), task="multiclass")
    assert [one.where for one in probes.one_feature(scene).findings] == ["feature team"]

    # the tail is heavy, so that the variance of the values themselves would hide that both are one
    worth = draw.lognormal(3, 2, 2000)
    values = table.with_columns(label=pl.Series(worth), invoiced=pl.Series(np.round(worth * 1.19, 2)))
    train, test = parted(values)
    scene = replace(probes.Scene.of(project(), train, test, features_of(values)), task="regression")
    (one,) = probes.one_feature(scene).findings
    assert one.where == "feature invoiced"
    assert "R2 of ranks 0.99" in one.value


def test_a_reason_that_is_filled_in_after_the_outcome_is_refused_for_being_there() -> None:
    draw = np.random.default_rng(7)
    reasons = pl.Series(draw.choice(["price", "moved", "service"], 2000))
    table = people(2000, 4).with_columns(reason=pl.when(pl.col("label") == 1).then(reasons))

    (one,) = found(table, "missingness")

    assert one.where == "feature reason"
    assert "ROC AUC 1.0000 by whether it is missing" in one.value
    assert "(None, label 0)" in one.value


def test_a_row_number_is_refused_where_the_table_was_sorted_by_the_label_and_told_elsewhere() -> None:
    table = people(2000, 5)
    by_label = (
        table.sort("label", maintain_order=True).with_row_index("number").sample(fraction=1, shuffle=True, seed=1)
    )
    (refused,) = found(by_label, "identifier")
    (told,) = found(table.with_row_index("number"), "identifier")

    assert (refused.severity, told.severity) == ("fail", "warn")
    assert "another whole number in each row, 0 to 1999" in told.value
    assert found(table.with_columns(code=pl.col("customer_id").str.reverse()), "identifier")[0].severity == "warn"


def test_a_value_from_after_the_moment_is_refused_as_time_text_and_days() -> None:
    table = people(400, 6).with_columns(
        seen=pl.lit(JANUARY - timedelta(days=2)),
        day=pl.lit("2025-12-30"),
        days_since_order=pl.lit(3.0),
    )
    assert found(table, "after_as_of") == []

    late = pl.col("customer_id") == table["customer_id"][5]
    table = table.with_columns(
        seen=pl.when(late).then(pl.lit(JANUARY)).otherwise("seen"),
        day=pl.when(late).then(pl.lit("2026-01-02")).otherwise("day"),
        days_since_order=pl.when(late).then(-0.5).otherwise("days_since_order"),
    )
    findings = found(table, "after_as_of")
    assert [one.where for one in findings] == ["feature days_since_order", "feature seen", "feature day"]
    assert all(table["customer_id"][5] in one.value and one.value.startswith("1 of 400 values") for one in findings)


def test_a_test_inside_the_training_period_or_its_horizon_is_refused() -> None:
    def said(days: int) -> list[Finding]:
        train, test = parted(people(400, 7))
        moved = test.with_columns(as_of=pl.lit(JANUARY + timedelta(days=days)))
        return of_rule(probes.probe(project(**IN_TIME), train, moved, features_of(train)), "period")

    assert said(90) == []
    assert "inside the horizon of 2" in said(89)[0].value
    assert "test rows at or before 2026-01-01" in said(0)[0].value
    assert said(-30)[0].limit.startswith("a test from 2026-04-01")


def test_an_entity_on_both_sides_is_refused_also_under_a_key_in_another_case() -> None:
    train, test = parted(people(2000, 8))
    keys = train["customer_id"][:40]
    again = test.with_columns(customer_id=pl.concat([keys, test["customer_id"][40:]]))
    upper = test.with_columns(customer_id=pl.concat([keys.str.to_uppercase(), test["customer_id"][40:]]))

    (same,) = of_rule(probes.probe(project(), train, again, features_of(train)), "entities")
    (alike,) = of_rule(probes.probe(project(), train, upper, features_of(train)), "entities")

    assert "40 entities (80 rows) with the same key on both sides" in same.value
    assert len(same.rows) == len(alike.rows) == 80
    assert "keys differ in case, spaces or zeros only" in alike.value


def test_test_rows_that_also_teach_under_other_keys_are_refused_with_the_pairs() -> None:
    train, test = parted(people(2000, 9))
    copied = test[:60].with_columns(customer_id=pl.lit("x") + pl.col("customer_id"))

    (one,) = of_rule(probes.probe(project(), pl.concat([train, copied]), test, features_of(train)), "copies")

    assert one.severity == "fail"
    assert set(one.rows) >= set(range(train.height + 60, train.height + 120))
    assert f"{test['customer_id'][0]} (as x{test['customer_id'][0]})" in one.value


def test_usual_contents_that_many_honest_rows_share_are_no_copies() -> None:
    draw = np.random.default_rng(10)
    for seed in range(20):
        orders = draw.poisson(0.4, 4000)
        table = people(4000, seed).select(
            "customer_id", "as_of", "plan", pl.Series("orders", orders), pl.Series("spend", orders * 9.99), "label"
        )
        assert found(table, "copies") == found(table, "resampled") == found(table, "interpolated") == []


@pytest.mark.parametrize("keys", ["new", "same"])
def test_oversampling_before_the_split_is_refused(keys: str) -> None:
    table = people(3000, 11, share=0.1)
    rare = table.filter(pl.col("label") == 1)
    drawn = rare.sample(2400, with_replacement=True, seed=1)
    if keys == "new":
        drawn = drawn.with_columns(customer_id=pl.lit("n") + pl.int_range(2400).cast(pl.String))

    findings = found(pl.concat([table, drawn]), "resampled")

    assert findings[0].severity == "fail"
    assert (findings[0].where == "the rows of label 1") == (keys == "new")
    assert ("as exact copies under other keys" in findings[0].value) == (keys == "new")
    assert ("stands twice at one moment" in findings[0].value) == (keys == "same")


def test_a_table_that_was_delivered_twice_under_other_keys_is_refused() -> None:
    table = people(1500, 18)
    twice = pl.concat([table, table.with_columns(customer_id=pl.lit("b") + pl.col("customer_id"))])

    assert [one.where for one in found(twice, "resampled")] == ["the rows of label 0", "the rows of label 1"]
    train, test = parted(twice)
    scene = replace(probes.Scene.of(project(), train, test, features_of(twice)), task="regression")
    assert [one.where for one in probes.resampled(scene).findings] == ["the rows"]


def test_points_made_up_between_rows_of_one_outcome_are_refused() -> None:
    table = people(3000, 12, share=0.1).with_columns(
        days_since_order=pl.col("days_since_order").fill_null(0.0), basket=pl.col("basket").fill_null(0.0)
    )
    rare = table.filter(pl.col("label") == 1)
    names = ["signal", "spend", "basket", "days_since_order"]
    points, draw = rare.select(names).to_numpy(), np.random.default_rng(13)
    # SMOTE by the book: a random row, one of its five nearest neighbours, a random place between
    scaled = points / points.std(axis=0)
    one = draw.integers(0, len(points), 1500)
    near = np.argsort(((scaled[one][:, None, :] - scaled[None]) ** 2).sum(axis=2), axis=1)[:, 1:6]
    other = near[np.arange(1500), draw.integers(0, 5, 1500)]
    made = points[one] + draw.random((1500, 1)) * (points[other] - points[one])
    rows = rare[one.tolist()].with_columns(
        customer_id=pl.lit("s") + pl.int_range(1500).cast(pl.String),
        **{name: pl.Series(made[:, place]) for place, name in enumerate(names)},
    )

    (refused,) = found(pl.concat([table, rows]), "interpolated")

    assert refused.severity == "fail"
    assert "of label 1 exactly between two others, such as s" in refused.value
    assert found(table, "interpolated") == []


def test_a_feature_that_tells_test_from_training_is_told() -> None:
    train, test = parted(people(2000, 14))
    moved = test.with_columns(pl.col("spend") + 500)

    (one,) = of_rule(probes.probe(project(), train, moved, features_of(train)), "drift")

    assert (one.severity, one.where) == ("warn", "feature spend")
    assert "ROC AUC 1.000 of test against training rows" in one.value


def test_a_probe_warns_or_is_skipped_as_the_project_says_and_the_report_tells_what_ran() -> None:
    table = people(1000, 15).with_columns(left_at=pl.col("label"))
    train, test = parted(table)

    outcome = probes.run(project(probes={"one_feature": "warn"}), train, test, features_of(table))
    assert [one.severity for one in outcome.findings] == ["warn"]
    assert outcome.ran["one_feature"] == train.height
    assert outcome.ran["copies"] == 1000
    assert outcome.not_run == {"period": "the split is not in time"}
    assert outcome.record()["findings"][0]["rule"] == "probes.one_feature"

    outcome = probes.run(project(probes={"one_feature": "skip"}), train, test, features_of(table))
    assert outcome.findings == ()
    assert outcome.not_run["one_feature"] == "probes.one_feature is skip"
    assert set(outcome.ran) | set(outcome.not_run) == set(probes.PROBES)


def test_with_folds_the_rows_are_looked_at_once() -> None:
    table = people(600, 16).with_columns(fold=pl.Series(np.arange(600) % 5))
    outcome = probes.run(project(split={"kind": "folds"}), table, table, features_of(table))
    assert outcome.findings == ()
    assert outcome.ran["one_feature"] == 600
    assert set(outcome.not_run) == {"period", "copies", "drift"}

    twice = pl.concat([table, table[:20].with_columns(fold=pl.lit(4, pl.Int64))])
    findings = probes.probe(project(split={"kind": "folds"}), twice, twice, features_of(table))
    assert {one.rule for one in findings} == {"probes.entities", "probes.resampled"}


def test_few_rows_are_told_as_not_looked_at() -> None:
    table = people(40, 17)
    train, test = parted(table)
    assert (
        "training rows of the rarer outcome"
        in probes.run(project(), train, test, features_of(table)).not_run["one_feature"]
    )


@pytest.mark.parametrize("rows", [0, 1, 2, 150])
@pytest.mark.parametrize("split", ["random", "folds", "time"])
def test_odd_tables_are_looked_at_without_a_crash(rows: int, split: str) -> None:
    draw = np.random.default_rng(rows)
    table = people(150, 18)[:rows].with_columns(
        customer_id=pl.int_range(rows),
        empty=pl.lit(None, pl.Float64),
        nothing=pl.lit(None),
        constant=pl.lit(1.0),
        infinite=pl.Series(np.where(draw.random(rows) < 0.5, np.inf, -np.inf)),
        huge=pl.Series(draw.normal(size=rows) * 1e300),
        nan=pl.lit(float("nan")),
        kind=pl.col("plan").cast(pl.Categorical),
        day=pl.lit(JANUARY.date() - timedelta(days=9)),
        words=pl.Series([[]] * rows, dtype=pl.List(pl.String)),
    )
    sections = IN_TIME if split == "time" else {"split": {"kind": split}}
    if split == "folds":
        table = table.with_columns(fold=pl.Series(np.arange(rows) % 5, dtype=pl.Int64))
    later = table.with_columns(as_of=pl.lit(JULY)) if split == "time" else table
    for train, test in ((table, later), (table, later[:0]), (table[:0], later)):
        if split == "folds" and train.height != test.height:
            continue
        outcome = probes.run(project(**sections), train, test, features_of(table))
        assert set(outcome.ran) | set(outcome.not_run) == set(probes.PROBES)
        assert outcome.record()["ran"] == outcome.ran


def test_the_area_by_bins_is_the_share_of_pairs_in_the_right_order() -> None:
    # both halves hold the same rows: bin 0 has 3 zeros and 1 one, bin 1 has 1 zero and 3 ones;
    # of 16 pairs (one, zero) 9 are in order, 1 is not, 6 are ties: (9 + 6/2) / 16 = 0.75
    codes, truth = np.array([0, 0, 0, 0, 1, 1, 1, 1] * 2), np.array([0, 0, 0, 1, 0, 1, 1, 1] * 2) == 1
    assert auc_of_bins(codes, 2, truth, np.arange(16) < 8) == 0.75
    # a perfect order has no error; 0.5 of 10 and 10: sqrt((0.25 + 2 * 9 / 12) / 100)
    assert auc_error(1.0, 10, 10) == 0.0
    assert auc_error(0.5, 10, 10) == pytest.approx(((0.25 + 9 * (1 / 3 - 0.25) + 9 * (1 / 3 - 0.25)) / 100) ** 0.5)
    # two bins that each hold one value explain all of it but for the pull to the mean, (rows + 1) in place of rows
    values = np.array([1.0, 1, 1, 1, 3, 3, 3, 3] * 2)
    assert r2_of_bins(codes, 2, values, np.arange(16) < 8) == pytest.approx(1 - 0.2**2)


def test_an_atom_is_a_bin_of_its_own_and_missing_is_one_too() -> None:
    numbers = pl.Series([0.0, 0.0, 0.0, -0.001, 0.001, None, float("nan")])
    codes, _, missing = binned(numbers)

    assert missing.tolist() == [False] * 5 + [True, True]
    assert len({int(codes[0]), int(codes[3]), int(codes[4]), int(codes[5])}) == 4
    assert codes[0] == codes[1] == codes[2]
    assert codes[5] == codes[6]
    assert binned(pl.Series(["b", None, "a", "b"])).codes.tolist() == [1, 2, 0, 1]
