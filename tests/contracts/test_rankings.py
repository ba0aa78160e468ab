"""Every ranking metric: worked out by hand, perfect, worst, and blind to the order of the cases."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from mlctl import kinds
from mlctl.rankings import Lists

KINDS = kinds.names("rankings")
# three cases, lists of four of six items; item 5 was never had by anybody before, item 0 by all eight users
USERS_OF = np.array([8, 4, 4, 2, 1, 0])
LISTS = Lists(
    items=np.array([[0, 1, 2, 3], [0, 1, 2, 4], [3, 4, 5, -1]]),
    hits=np.array([[False, True, False, True], [False, False, False, False], [True, False, False, False]]),
    relevant=np.array([3, 1, 1]),
    users_of=USERS_OF,
    users=8,
)
BEST = {3: 1 + 1 / log2(3) + 1 / log2(4)}
WANTED = {
    "ndcg": ((1 / log2(3) + 1 / log2(5)) / BEST[3] + 0 + 1) / 3,
    "recall": (2 / 3 + 0 + 1) / 3,
    "hit_rate": 2 / 3,
    "mrr": (1 / 2 + 0 + 1) / 3,
    "map": ((1 / 2 + 2 / 4) / 3 + 0 + 1) / 3,
    "coverage": 1.0,
    # bits: 0, 1, 1, 2, 3, 3 (an item that nobody had counts as one user's)
    "novelty": ((0 + 1 + 1 + 2) / 4 + (0 + 1 + 1 + 3) / 4 + (2 + 3 + 3) / 3) / 3,
    # middle ranks of 0 1 2 4 4 8 among six: item 0 11/12, items 1 and 2 8/12, item 3 5/12, item 4 3/12, item 5 1/12
    "popularity_bias": ((11 + 8 + 8 + 5) / 48 + (11 + 8 + 8 + 3) / 48 + (5 + 3 + 1) / 36) / 3,
}


def value(kind: str, lists: Lists, weight: np.ndarray | None = None, k: int = 4) -> float:
    module = kinds.load("rankings", kind)
    return module.measure(module.Options(k=k), lists)(np.ones(len(lists.items)) if weight is None else weight)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_is_worked_out_by_hand(kind: str) -> None:
    assert value(kind, LISTS) == pytest.approx(WANTED[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_that_is_drawn_twice_counts_twice_and_the_order_nothing(kind: str) -> None:
    twice = np.array([0, 0, 1, 2])
    doubled = Lists(LISTS.items[twice], LISTS.hits[twice], LISTS.relevant[twice], USERS_OF, 8)
    turned = Lists(LISTS.items[::-1], LISTS.hits[::-1], LISTS.relevant[::-1], USERS_OF, 8)

    assert value(kind, LISTS, np.array([2.0, 1.0, 1.0])) == pytest.approx(value(kind, doubled))
    assert value(kind, turned) == pytest.approx(value(kind, LISTS))


@pytest.mark.parametrize("kind", ["ndcg", "recall", "hit_rate", "mrr", "map"])
def test_perfect_lists_are_1_and_lists_without_a_hit_0(kind: str) -> None:
    items = np.array([[0, 1, 2], [3, 4, 5]])
    perfect = Lists(items, np.array([[True, True, False], [True, False, False]]), np.array([2, 1]), USERS_OF, 8)
    missed = Lists(items, np.zeros((2, 3), bool), np.array([2, 1]), USERS_OF, 8)

    assert value(kind, perfect) == pytest.approx(1)
    assert value(kind, missed) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_case_is_not_defined_and_never_a_number(kind: str) -> None:
    assert np.isnan(value(kind, LISTS, np.zeros(3)))


@pytest.mark.parametrize("kind", ["hit_rate", "mrr"])
def test_only_the_first_k_count(kind: str) -> None:
    assert value(kind, LISTS, k=1) == pytest.approx(1 / 3)
