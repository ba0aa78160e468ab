"""A challenger that goes wrong is noticed within some rows; one that does not is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from mlctl.rollout.detector import Detector
from mlctl.spec import Guards


def rows_until_tripped(act: Callable[[Detector, int], None], most: int) -> int | None:
    """How many rows it takes; None: it does not trip within `most`."""
    detector = Detector(Guards())
    for row in range(most):
        act(detector, row)
        if detector.tripped:
            return row + 1
    return None


@pytest.mark.parametrize(
    ("name", "act", "most"),
    [
        ("it fails always", lambda one, row: one.answered(True), 3),
        ("it fails on every fifth row", lambda one, row: one.answered(row % 5 == 0), 50),
        ("it fails after a good day", lambda one, row: one.answered(row >= 100_000), 100_003),
        ("it is always far", lambda one, row: one.compared(True), 12),
        ("two of three rows are far", lambda one, row: one.compared(row % 3 != 0), 60),
        ("it is ten times as slow", lambda one, row: one.timed(0.01, 0.001), 14),
        ("it is slow after a good day", lambda one, row: one.timed(0.01 if row >= 100_000 else 0.001, 0.001), 100_014),
        ("it hangs for a second", lambda one, row: one.timed(1.0, 0.001), 3),
    ],
)
def test_a_bad_challenger_is_noticed_within_fifty_bad_rows(name: str, act: Callable, most: int) -> None:
    found = rows_until_tripped(act, 200_000)
    assert found is not None
    assert found <= most, name


def test_it_says_why_and_what_it_rests_on() -> None:
    detector = Detector(Guards())
    for _ in range(3):
        detector.answered(True)

    assert detector.tripped == "it failed on 3 of 3 rows that the champion answered"
    assert detector.evidence()["failed"] == {"bad": 3, "seen": 3}


def false_alarms(ramps: int, rows: int, seed: int) -> int:
    """Ramps of a challenger as good as the champion that are ended: it is retrained, and now and then far or slow."""
    chance = random.Random(seed)
    ended = 0
    for _ in range(ramps):
        detector = Detector(Guards())
        for far, slow in drawn(chance, rows):
            detector.answered(False)
            detector.compared(far)
            detector.timed(0.004 if slow else 0.001, 0.001)
        ended += bool(detector.tripped)
    return ended


def drawn(chance: random.Random, rows: int) -> Iterable[tuple[bool, bool]]:
    """One row in twelve lies far, one batch in twenty is slow for a reason that is not the challenger's."""
    for _ in range(rows):
        yield chance.random() < 1 / 12, chance.random() < 1 / 20


def test_a_challenger_as_good_as_the_champion_stays() -> None:
    assert false_alarms(ramps=20, rows=2_000, seed=7) == 0
