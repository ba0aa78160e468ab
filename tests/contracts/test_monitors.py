"""Every monitor, whatever its kind: valid by its example, quiet on days like training's, never at a loss for words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlctl import kinds, sketches
from mlctl.monitors import Window
from mlctl.sketches import Baseline
from tests import drift

KINDS = kinds.names("monitors")
OF_INPUTS = ["three_sigma", "psi", "ks", "jensen_shannon", "wasserstein", "chi_square"]
NEXT_DAY = drift.FIRST + timedelta(days=28)


@pytest.fixture(scope="module")
def known() -> Baseline:
    return drift.baseline(1, 300)


@pytest.fixture(scope="module")
def drawn() -> Baseline:
    return drift.baseline(1, 300, observed=False)


def a_day(seed: int, count: int = 300) -> pl.DataFrame:
    return drift.rows(np.random.default_rng([seed, 2]), count)


def usual(baseline: Baseline, seed: int) -> Window:
    """A day like those of training, counted once for all kinds."""
    key = (baseline.id, seed)
    if key not in _WINDOWS:
        _WINDOWS[key] = drift.window(baseline, NEXT_DAY, a_day(seed))
    return _WINDOWS[key]


_WINDOWS: dict[tuple[str, int], Window] = {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid_and_names_its_kind(kind: str) -> None:
    options = kinds.options("monitors", kinds.load("monitors", kind).EXAMPLE)

    assert options.kind == kind
    assert options.severity in ("alarm", "warn")


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_like_those_of_training_raises_no_alarm(kind: str, known: Baseline, drawn: Baseline) -> None:
    module = kinds.load("monitors", kind)
    for baseline in (known, drawn):
        for seed in range(3):
            found = module.observe(kinds.options("monitors", {"kind": kind}), usual(baseline, seed), baseline)
            assert drift.alarms(found) == []


@pytest.mark.parametrize("kind", KINDS)
def test_without_baseline_or_rows_nothing_is_judged_and_nothing_breaks(kind: str, known: Baseline) -> None:
    module = kinds.load("monitors", kind)
    options = kinds.options("monitors", module.EXAMPLE)
    nothing = Window(NEXT_DAY, datetime(2026, 3, 1, tzinfo=UTC))
    for window in (nothing, replace(nothing, sheet=known.sheet(a_day(1).clear()))):
        for baseline in (None, known):
            assert drift.alarms(module.observe(options, window, baseline)) == []
            assert isinstance(module.measure(options, window, baseline), list)


@pytest.mark.parametrize("kind", OF_INPUTS)
@pytest.mark.parametrize("count", [0, 1, 5, 29])
def test_few_rows_are_a_note_and_no_verdict(kind: str, count: int, known: Baseline) -> None:
    (found,) = drift.observed(kind, known, NEXT_DAY, drift.scaled(a_day(1, count), np.random.default_rng(1)))

    assert (found.severity, found.value) == ("note", f"{count} rows")


@pytest.mark.parametrize("kind", [kind for kind in OF_INPUTS if kind != "chi_square"])
def test_a_shifted_number_is_found_first_and_said_in_words(kind: str, known: Baseline) -> None:
    found = drift.alarms(drift.observed(kind, known, NEXT_DAY, drift.scaled(a_day(1), np.random.default_rng(1))))

    assert found[0].where == "f00"
    assert "allowed is" in found[0].sentence()


@pytest.mark.parametrize("kind", ["three_sigma", "psi", "jensen_shannon", "chi_square"])
def test_a_category_that_vanished_is_found(kind: str, known: Baseline) -> None:
    options = {} if kind == "three_sigma" else {"limit": 0.05}
    table = drift.vanished(a_day(1, 1000), np.random.default_rng(1))

    assert [found.where for found in drift.alarms(drift.observed(kind, known, NEXT_DAY, table, **options))] == ["f07"]


@pytest.mark.parametrize("kind", OF_INPUTS)
@pytest.mark.parametrize("column", ["f00", "f06"])
def test_a_column_that_is_empty_or_gone_breaks_nothing_and_hides_no_other(
    kind: str, column: str, known: Baseline
) -> None:
    empty = pl.lit(None, dtype=pl.Float64 if column == "f00" else pl.String).alias(column)
    table = drift.cents(a_day(1, 1000), np.random.default_rng(1))
    for damaged in (table.with_columns(empty), table.drop(column)):
        found = drift.alarms(
            drift.observed(kind, known, NEXT_DAY, damaged, **({"limit": 0.05} if kind != "three_sigma" else {}))
        )

        assert "f01" in [one.where for one in found]
        assert kind != "three_sigma" or drift.alarms(found, column)[0].cause == "the column came empty"


@pytest.mark.parametrize("kind", OF_INPUTS)
def test_the_order_of_rows_and_the_number_of_pieces_change_nothing(kind: str, known: Baseline) -> None:
    table = drift.cents(a_day(2), np.random.default_rng(1))

    assert drift.observed(kind, known, NEXT_DAY, table) == drift.observed(kind, known, NEXT_DAY, table.reverse())


@pytest.mark.parametrize("count", [56, 300])
def test_a_part_of_entities_who_are_the_same_every_day_is_no_drift(count: int) -> None:
    """As a challenger's share: days of all entities hardly differ, and say nothing of how a part scatters."""
    draw = np.random.default_rng([count, 9])
    everybody = drift.rows(draw, 600)
    days = {drift.FIRST + timedelta(days=number): everybody for number in range(28)}
    same = sketches.learn(pl.concat(days.values()), days, sketches.Learnt({}, (), {}, {}))
    for _ in range(10):
        window = drift.window(same, NEXT_DAY, everybody[draw.permutation(600)[:count]])
        for kind in [*OF_INPUTS, "prediction", "fallback"]:
            module = kinds.load("monitors", kind)
            assert drift.alarms(module.observe(module.Options(), window, same)) == [], kind
