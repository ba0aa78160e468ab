"""Planted weak slices are found, honest tables give none, and every condition means the rows that it says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mlctl import slices
from mlctl.features import fulfils
from mlctl.slices._conditions import as_sql, choices_of, parts_at, tables_of
from tests.tables import features_of, people

PLANTED = [
    "plan = 'annual'",
    "orders >= 5",
    "days_since_order IS NULL",
    "city = 'O''Hare'",
    "NOT member AND plan = 'monthly'",
    "orders < 2 AND plan = 'annual'",
]


def table_and_loss(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    draw = np.random.default_rng([seed, 9])
    city = pl.Series(draw.choice(["O'Hare", "Oslo", "Ulm", "日本"], rows, p=[0.1, 0.3, 0.3, 0.3]))
    return people(rows, seed).with_columns(city=city), draw.exponential(1, rows)


@pytest.mark.parametrize("condition", PLANTED)
def test_a_planted_weak_slice_is_found_in_twenty_of_twenty_tables(condition: str) -> None:
    for seed in range(20):
        table, loss = table_and_loss(4000, seed)
        weak = fulfils(table, condition, "planted").to_numpy()
        loss[weak] += 1.0
        found = slices.find(table, features_of(table), loss)
        assert found, (condition, seed)
        hit = fulfils(table, found[0].condition, "found").to_numpy()
        # the cuts are quantiles, so a planted number may lie between two of them
        assert (hit & weak).sum() / (hit | weak).sum() > 0.6, (condition, seed, found)
        assert found[0].p_value < slices.LEVEL


def test_two_weak_slices_are_both_found_and_nothing_inside_them() -> None:
    for seed in range(20):
        table, loss = table_and_loss(4000, seed)
        loss[(table["plan"] == "annual").to_numpy()] += 1.0
        loss[(table["city"] == "O'Hare").to_numpy()] += 1.0
        found = slices.find(table, features_of(table), loss)
        assert {one.condition for one in found} == {"plan = 'annual'", "city = 'O''Hare'"}, seed


def drawn(kind: str, rows: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng([seed, 8])
    if kind == "log loss":
        score = draw.beta(2, 5, rows)
        return -np.log(np.where(draw.random(rows) < score, score, 1 - score))
    if kind == "squared error":
        return draw.standard_t(5, rows) ** 2
    return (draw.random(rows) < {"few errors": 0.01, "errors": 0.2, "mostly errors": 0.97}[kind]).astype(float)


@pytest.mark.parametrize("kind", ["log loss", "squared error", "few errors", "errors", "mostly errors"])
def test_at_most_five_of_a_hundred_tables_without_a_weak_slice_give_one(kind: str) -> None:
    false = 0
    for seed in range(100):
        rows = (500, 2000)[seed % 2]
        table = people(rows, seed)
        false += bool(slices.find(table, features_of(table), drawn(kind, rows, seed)))

    assert false <= 5


def test_what_is_told_of_a_slice_is_what_its_condition_selects() -> None:
    table, loss = table_and_loss(3000, 1)
    loss[(table["plan"] == "annual").to_numpy()] += 1.0

    (one,) = slices.find(table, features_of(table), loss)

    inside = fulfils(table, one.condition, "found").to_numpy()
    assert one.rows == inside.sum()
    assert one.loss == pytest.approx(loss[inside].mean())
    assert one.rest == pytest.approx(loss[~inside].mean())
    # the effect by its definition; the variances of both sides are one, near that of all rows
    spread = np.sqrt((loss[inside].var(ddof=1) + loss[~inside].var(ddof=1)) / 2)
    assert one.effect == pytest.approx((one.loss - one.rest) / spread, rel=0.06)


def test_every_condition_selects_the_rows_that_were_counted_for_it() -> None:
    draw = np.random.default_rng(2)
    rows = 900
    holes = draw.random(rows) < 0.2
    table = pl.DataFrame(
        {
            "whole": draw.poisson(3, rows),
            "small": pl.Series(draw.normal(size=rows).round(1), dtype=pl.Float32),
            "with_null": pl.Series(
                [None if hole else value for hole, value in zip(holes, draw.normal(size=rows), strict=True)]
            ),
            "with_nan": np.where(holes, np.nan, draw.lognormal(20, 3, rows)),
            "tiny": -draw.lognormal(-30, 3, rows),
            "left": draw.choice(["it's", 'a "b"', "", "NULL"], rows),
            "many": draw.choice([f"v{value}" for value in range(16)], rows),
            "order": pl.Series(
                [None if hole else bool(value) for hole, value in zip(holes, draw.random(rows) < 0.4, strict=True)]
            ),
            "empty": pl.Series([None] * rows, dtype=pl.Float64),
        }
    )
    loss = draw.exponential(1, rows)
    features = [one for name in table.columns if (one := choices_of(table[name], name, 20)) is not None]
    assert len(features) == len(table.columns) - 1
    counted = 0
    for table_of, sums in tables_of(features, (None, loss, loss**2)):
        for place, (held, total) in enumerate(sums[:2].T):
            parts = parts_at(table_of, place)
            rows_of = fulfils(table, as_sql(parts), "counted").to_numpy()
            assert (rows_of.sum(), loss[rows_of].sum()) == pytest.approx((held, total)), parts
            counted += 1
    assert counted > 1000


def test_sizes_and_bad_losses_are_kept() -> None:
    table, loss = table_and_loss(2000, 3)
    weak = (table["plan"] == "annual").to_numpy()
    loss[weak] += 2.0
    size = int(weak.sum())

    assert slices.find(table, ["plan"], loss, min_rows=size)[0].rows == size
    assert slices.find(table, ["plan"], loss, min_rows=size + 1) == []
    assert slices.find(table, ["plan"], np.ones(2000)) == []
    assert slices.find(table[:0], ["plan"], loss[:0]) == []
    loss[np.flatnonzero(weak)[0]] = np.nan
    assert slices.find(table, ["plan"], loss)[0].rows == size - 1
    assert len(slices.find(table, features_of(table), loss, most=0)) == 0


def test_the_same_table_gives_the_same_slices() -> None:
    table, loss = table_and_loss(2000, 4)
    loss[(table["orders"] >= 4).to_numpy()] += 1.0
    first = slices.find(table, features_of(table), loss)
    order = np.random.default_rng(5).permutation(2000)

    assert first == slices.find(table, features_of(table), loss)
    mixed = slices.find(table[order.tolist()], features_of(table), loss[order])
    assert [(one.condition, one.rows) for one in mixed] == [(one.condition, one.rows) for one in first]


def test_rows_whose_outcome_is_open_to_everybody_are_no_surprise_but_wrong_scores_are() -> None:
    table, draw = people(6000, 7), np.random.default_rng([7, 8])
    chance = np.where((table["plan"] == "annual").to_numpy(), 0.5, 0.05)
    truth = (draw.random(6000) < chance).astype(float)
    loss = -np.log(np.where(truth == 1, chance, 1 - chance))

    assert slices.find(table, features_of(table), loss)[0].condition == "plan = 'annual'"
    assert slices.find(table, features_of(table), slices.surprise(truth, chance)) == []
    everybody = np.full(6000, chance.mean())
    assert slices.find(table, features_of(table), slices.surprise(truth, everybody))[0].condition == "plan = 'annual'"


def test_a_surprise_is_the_log_loss_less_its_expectation() -> None:
    # three classes, 0.5 0.25 0.25, and the second was true: ln 4 - (0.5 ln 2 + 0.5 ln 4)
    three = slices.surprise(np.array([1.0]), np.array([[0.5, 0.25, 0.25]]))
    assert three.tolist() == pytest.approx([np.log(4) - (0.5 * np.log(2) + 0.5 * np.log(4))])
    assert slices.surprise(np.array([1.0, 0.0]), np.array([0.0, 0.0])).tolist() == pytest.approx(
        [16.118, 0.0], abs=1e-3
    )
