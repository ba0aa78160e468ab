"""Many comparisons at once, against values worked out by hand or in a second way."""

from __future__ import annotations

import numpy as np
import pytest

from mlctl.judging.comparisons import chance_of_worse, corrected, differences, holm


def test_twenty_groups_at_the_very_limit_are_refused_by_chance_in_one_case_of_twenty():
    generator = np.random.Generator(np.random.PCG64(11))
    corrected = alone = 0
    for _ in range(2000):
        values = generator.normal(0.7, 0.02, size=20)
        chances = [chance_of_worse(value, value - 0.0392, value + 0.0392, 0.7, "higher") for value in values]
        corrected += any(holm(chances))
        alone += min(chances) <= 0.05
    # 1 - 0.95 ** 20 = 0.64 without the correction
    assert corrected / 2000 == pytest.approx(0.05, abs=0.015)
    assert alone / 2000 == pytest.approx(0.64, abs=0.03)


def share(truth, score, weight):
    return float((truth * weight).sum() / weight.sum()) if weight.sum() else float("nan")


@pytest.mark.parametrize(
    ("chances", "stands"),
    [
        ([], []), ([0.05], [True]), ([0.0501], [False]), ([0.025, 0.05], [True, True]), ([0.026, 0.05], [False, False]),
        ([0.04, 0.001, 0.02], [True, True, True]), ([0.06, 0.001, 0.02], [False, True, True]), ([0.0167] * 3, [False] * 3), ([0.0166] * 3, [True] * 3),
    ],
)  # fmt: skip
def test_holm_goes_from_the_smallest_chance_and_stops_at_the_first_that_is_too_large(chances, stands):
    assert holm(chances) == stands


@pytest.mark.parametrize(
    ("value", "limit", "better", "chance"),
    [
        (0.5, 0.5, "higher", 0.5), (0.5, 0.598, "higher", 0.025), (0.5, 0.402, "higher", 0.975),
        (0.5, 0.402, "lower", 0.025), (0.5, 0.598, "lower", 0.975), (0.5, 0.5, "lower", 0.5),
    ],
)  # fmt: skip
def test_the_chance_follows_from_the_intervals_width(value, limit, better, chance):
    # an interval of 0.098 to each side is a standard error of 0.05
    assert chance_of_worse(value, value - 0.098, value + 0.098, limit, better) == pytest.approx(chance, abs=1e-5)


@pytest.mark.parametrize(("value", "chance"), [(0.4, 0.0), (0.5, 1.0), (0.6, 1.0)])
def test_without_spread_the_value_alone_decides(value, chance):
    assert chance_of_worse(value, value, value, 0.5, "higher") == chance


def test_a_difference_and_its_interval_are_those_of_a_slow_second_way():
    generator = np.random.Generator(np.random.PCG64(3))
    truth = (generator.random(400) < 0.4).astype(float)
    rows = {"truth": truth, "score": generator.random(400), "entity": np.arange(400) // 2}
    members = {"a": np.arange(400) < 150, "b": np.arange(400) >= 150}

    (found,) = differences(rows, members, share, resamples=400)

    assert found["groups"] == ["a", "b"]
    assert found["value"] == pytest.approx(truth[:150].mean() - truth[150:].mean())
    slow = []
    for _ in range(2000):
        drawn = np.concatenate([[2 * entity, 2 * entity + 1] for entity in generator.integers(0, 200, 200)])
        slow.append(truth[drawn[drawn < 150]].mean() - truth[drawn[drawn >= 150]].mean())
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)


def test_every_pair_is_compared_the_same_bits_come_again_and_one_group_twice_differs_by_nothing():
    truth = np.array([0.0, 1.0] * 50)
    rows = {"truth": truth, "score": np.linspace(0, 1, 100), "entity": np.arange(100)}
    everyone = np.ones(100, dtype=bool)

    found = differences(rows, {"a": everyone, "b": everyone, "c": np.arange(100) < 50}, share)

    assert [entry["groups"] for entry in found] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert (found[0]["value"], found[0]["low"], found[0]["high"]) == (0.0, 0.0, 0.0)
    assert found == differences(rows, {"a": everyone, "b": everyone, "c": np.arange(100) < 50}, share)


def test_what_is_not_defined_in_a_group_is_none():
    rows = {"truth": np.ones(10), "score": np.zeros(10), "entity": np.arange(10)}

    (found,) = differences(rows, {"a": np.ones(10, dtype=bool), "b": np.zeros(10, dtype=bool)}, share)

    assert (found["value"], found["low"], found["high"]) == (None, None, None)


def test_holm_corrects_by_the_number_of_tests_that_are_left() -> None:
    # sorted 0.01 0.02 0.03 0.04 times 4 3 2 1: 0.04 0.06 0.06 0.04, and never falling: 0.04 0.06 0.06 0.06
    assert corrected([0.04, 0.01, 0.03, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert corrected([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert corrected([]).tolist() == []
