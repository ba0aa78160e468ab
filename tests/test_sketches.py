"""Sketches add up exactly, say what they are asked, and come back from disk as they were."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlctl import sketches
from mlctl.errors import IntegrityError
from mlctl.sketches import Shape, Sketch, shelf
from mlctl.sketches.counting import sketch_of
from mlctl.sketches.norms import Norm, discovered
from mlctl.sketches.shapes import shape_of
from mlctl.sketches.sketch import together
from mlctl.sketches.statistics import Scale, back, distances, statistics
from mlctl.workspace import Places
from tests import drift

HOSTILE = [0.1, -3.5, 1e9, float("nan"), float("inf"), -float("inf"), None, 1e300, -1e300, 2.0**60, 5e-324, 0.0, -0.0]


def test_any_way_of_dividing_hostile_rows_adds_up_to_the_same_sketch() -> None:
    draw = np.random.default_rng(3)
    values = pl.Series([*HOSTILE * 5, *draw.lognormal(0, 3, 300).tolist()])
    shape = shape_of(pl.Series(draw.normal(size=500)), 16, 10)
    whole = sketch_of(values, shape)
    for seed in range(20):
        shuffled = values.gather(np.random.default_rng(seed).permutation(len(values)))
        cut = seed * 7 % len(values)
        assert together(sketch_of(shuffled[:cut], shape), sketch_of(shuffled[cut:], shape)) == whole
    assert (whole.rows, whole.nulls, whole.odd, whole.low, whole.high) == (365, 5, 15, -1e300, 1e300)
    assert sum(whole.bins) == whole.known


def test_mean_and_deviation_are_those_of_the_rows() -> None:
    values = np.random.default_rng(1).normal(1000, 3, 5000)
    shape = shape_of(pl.Series(values), 16, 10)
    sketch = sketch_of(pl.Series(values * 40), shape)

    assert sketch.mean(shape) == pytest.approx(float(values.mean()) * 40, abs=1e-3)
    assert sketch.deviation(shape) == pytest.approx(float(values.std(ddof=1)) * 40, rel=1e-5)


def test_bins_by_hand() -> None:
    shape = Shape(kind="number", edges=(0.0, 1.0, 2.0))
    sketch = sketch_of(pl.Series([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0, None]), shape)

    assert sketch.bins == (1, 2, 1, 2)
    assert sketch.null_share == pytest.approx(1 / 7)


def test_categories_that_training_did_not_hold_are_counted_and_some_are_named() -> None:
    shape = Shape(kind="category", categories=("app", "web"))
    sketch = sketch_of(pl.Series(["web", "fax", "app", None, "fax", "web", "telex"]), shape)

    assert (sketch.bins, sketch.nulls, sketch.new) == ((1, 2, 3), 1, {"fax": 2, "telex": 1})


def test_distances_by_hand() -> None:
    shape = Shape(kind="number", edges=(0.0, 1.0, 2.0))
    ours = Sketch(rows=4, bins=(0, 1, 3, 0), low=0.0, high=2.0, total=6, squares=10)
    theirs = Sketch(rows=4, bins=(0, 3, 1, 0), low=0.0, high=2.0, total=2, squares=10)
    found = distances(ours, theirs, shape)

    # (1/4 - 3/4) ln(1/3) + (3/4 - 1/4) ln 3
    assert found["psi"] == pytest.approx(math.log(3))
    assert found["ks"] == 0.5
    # each bin: (1/2)^2 / (1/2), over its largest value of 4
    assert found["chi_square"] == pytest.approx(math.sqrt(1.0 / 4))
    # the gap grows to 1/2 over the first bin and falls to 0 over the second: 1/4 + 1/4
    assert found["wasserstein"] * theirs.deviation(shape) == pytest.approx(0.5)


def test_a_statistic_comes_back_from_the_even_scale() -> None:
    shape = shape_of(pl.Series([1.0, 2.0, 3.0, 4.0]), 8, 8)
    sketch = sketch_of(pl.Series([2.0, 6.0]), shape)
    scale = Scale(2.5, 1.25)
    for what, (value, even) in statistics(sketch, shape, scale).items():
        # of 2 rows a share of 0 is told as 3/8 of a row
        assert back(what, even, scale) == pytest.approx(value, abs=0.375 / 2.75)


def test_three_sigma_limits_are_wider_the_fewer_days_tell_them() -> None:
    few, many = (Norm("mean", 0.0, 1.0, days, 100, (), True, 0.0) for days in (4, 1000))
    day = date(2026, 1, 1)

    # Student's t of 3 degrees of freedom at 0.00135 is 9.219; times sqrt(1 + 1/4)
    assert few.limits(100, day, 3.0)[1] == pytest.approx(9.2187 * math.sqrt(1.25), abs=1e-3)
    assert many.limits(100, day, 3.0)[1] == pytest.approx(3.0, abs=0.03)
    assert many.surprise(3.0, 100, day) == pytest.approx(0.0027, abs=2e-4)


def test_the_share_of_false_discoveries_is_held_over_many_columns() -> None:
    draw = np.random.default_rng(5)
    found = [discovered({str(n): float(p) for n, p in enumerate(draw.random(500))}, 0.0027) for _ in range(300)]

    assert sum(map(bool, found)) <= 4


def test_weekdays_that_differ_are_held_against_their_own() -> None:
    known = drift.baseline(4, 300)
    norm = known.norms["f00"]["mean"]

    assert norm.weekdays[5] - norm.weekdays[2] == pytest.approx(0.5, abs=0.1)
    assert known.norms["f02"]["mean"].weekdays == ()


def test_the_baseline_is_the_same_bytes_whatever_the_order_of_its_rows_and_comes_back() -> None:
    draw = np.random.default_rng(6)
    table = drift.rows(draw, 900)
    parts = {date(2026, 1, 1) + timedelta(days=n): table[n * 60 : n * 60 + 60] for n in range(15)}
    learnt = sketches.Learnt({"f00": 1.0}, (), {}, {})
    texts = {
        sketches.learn(pl.concat(days.values()), days, learnt).text()
        for days in (parts, {day: part.reverse() for day, part in parts.items()})
    }
    (text,) = texts

    assert sketches.of_record(json.loads(text)).text() == text


def test_what_inputs_foretell_of_a_shift_is_told_apart_from_what_they_do_not() -> None:
    known = drift.baseline(7, 400)
    draw = np.random.default_rng(8)
    same, moved = drift.rows(draw, 2000), drift.rows(draw, 2000, weekend=True)
    broken = same.with_columns(pl.col("score") * 0.5)
    assert known.additive is not None
    split = {
        name: known.additive.split("@score", known.sheet(table), known.whole, known.shapes)
        for name, table in {"moved": moved, "broken": broken}.items()
    }

    assert split["moved"].explained == pytest.approx(split["moved"].shift, abs=0.01)
    assert next(iter(split["moved"].by)) == "f00"
    assert split["broken"].unexplained == pytest.approx(-0.5 * float(same["score"].mean()), abs=0.03)


def test_sheets_of_a_day_add_up_and_the_last_batch_of_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places, known, day = Places("shop"), drift.baseline(9, 100, days=15), date(2026, 3, 1)
    draw = np.random.default_rng(1)
    told = {"day": day, "release": "r1", "scored_at": datetime(2026, 3, 1, tzinfo=UTC)}
    parts = [known.sheet(drift.rows(draw, count)) for count in (40, 50, 60, 70)]
    shelf.keep(places, known, parts[0], told | {"origin": "batch", "name": "a"})
    later = told | {"scored_at": datetime(2026, 3, 2, tzinfo=UTC)}
    shelf.keep(places, known, parts[1], later | {"origin": "batch", "name": "b"})
    for name, sheet in zip(("s1", "s2"), parts[2:], strict=True):
        shelf.keep(places, known, sheet, told | {"origin": "online", "name": name})

    found = shelf.read(places, day, day)

    assert found[day].sheet == sketches.added_up(parts[1:])
    assert shelf.baseline(places, found[day].baseline).text() == known.text()


def test_a_baseline_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places, known = Places("shop"), drift.baseline(9, 100, days=15)
    shelf.keep_baseline(places, known)
    path = places.sketches / "baselines" / f"{known.id}.json"
    path.write_text(path.read_text().replace('"observed":true', '"observed":false'))

    with pytest.raises(IntegrityError) as refused:
        shelf.baseline(places, known.id)

    assert known.id in str(refused.value)
