"""Every recommender kind, by its EXAMPLE alone: same bits, additive scores, one event is enough, vectors that tell the score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlctl import kinds
from mlctl.errors import DataError
from mlctl.recommend.blends import Blend, alone
from mlctl.recommend.forms import Form, recent
from mlctl.recommend.sealing import described, read_blend, tables
from mlctl.recommenders import Fitted, Interactions, Learning, Rehearsal

KINDS = kinds.names("recommenders")
STATES = (("cold", 0), ("warming", 1), ("warm", 5))
GROUP = 6
ITEMS = 4 * GROUP
NEW = ITEMS
"""The last item: it has a text, and nobody had it."""
WORDS = ("red", "green", "blue", "black")
TEXTS = (*(f"{word} thing number{place}" for word in WORDS for place in range(GROUP)), "green thing")


def crowd(users: int = 120) -> Interactions:
    """Each user has four items of one group, and one that everybody has."""
    generator = np.random.Generator(np.random.PCG64(3))
    pairs = []
    for user in range(users):
        group = user % 4
        had = [*(group * GROUP + generator.permutation(GROUP)[:4]), 0]
        pairs += [(user, item, user * 1000 + place) for place, item in enumerate(dict.fromkeys(had))]
    user, item, time = (np.asarray(column) for column in zip(*pairs, strict=True))
    return Interactions(user.astype(np.int32), item.astype(np.int32), time * 1_000_000, users, ITEMS + 1)


def options(kind: str) -> Any:
    return kinds.options("recommenders", dict(kinds.load("recommenders", kind).EXAMPLE))


def fit(kind: str, events: Interactions | None = None, texts: tuple[str, ...] = TEXTS) -> Fitted:
    events = crowd() if events is None else events
    if kind != "blend":
        return kinds.load("recommenders", kind).fit(options(kind), Learning(events, texts))
    parts = {name: fit(name, events, texts).form for name in KINDS if name != "blend"}
    # each user's first item is the history, the others are what came
    firsts = [np.flatnonzero(events.user == user) for user in range(events.users)]
    histories = tuple(events.item[rows[:1]].astype(np.int64) for rows in firsts)
    relevant = tuple(events.item[rows[1:]].astype(np.int64) for rows in firsts)
    rehearsal = Rehearsal(histories, relevant, parts, STATES, 5, np.arange(events.users))
    return kinds.load("recommenders", kind).fit(options(kind), Learning(events, texts, parts, rehearsal))


@pytest.fixture(scope="module")
def fitted() -> dict[str, Fitted]:
    return {kind: fit(kind) for kind in KINDS}


def as_blend(form: Form, kind: str, popularity: Form) -> Blend:
    return form if isinstance(form, Blend) else alone(kind, form, popularity, STATES)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_events_give_the_same_bits(kind: str, fitted: dict[str, Fitted]) -> None:
    popularity = fitted["popularity"].form
    one = as_blend(fitted[kind].form, kind, popularity)
    other = as_blend(fit(kind).form, kind, popularity)

    assert tables(one.parts, fitted[kind].encoder) == tables(other.parts, fitted[kind].encoder)
    assert described(one) == described(other)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "popularity"])
def test_one_event_is_enough_to_be_shown_the_like(kind: str, fitted: dict[str, Fitted]) -> None:
    popularity = fitted["popularity"].form
    scores = as_blend(fitted[kind].form, kind, popularity).scores([np.array([GROUP + 1])])[0]
    # item 0 is everybody's, and may well stand first
    scores[[0, GROUP + 1]] = -np.inf
    best = int(scores.argmax())

    assert np.isfinite(np.delete(scores, [0, GROUP + 1])).all()
    assert GROUP <= best < 2 * GROUP or best == NEW


@pytest.mark.parametrize("kind", KINDS)
def test_who_had_nothing_gets_no_more_than_popularity(kind: str, fitted: dict[str, Fitted]) -> None:
    popularity = fitted["popularity"].form
    scores = as_blend(fitted[kind].form, kind, popularity).scores([np.zeros(0, np.int64)])

    assert np.array_equal(scores, popularity.scores([np.zeros(0, np.int64)]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("popularity", "blend")])
def test_a_score_is_the_sum_of_what_each_item_of_the_history_adds(kind: str, fitted: dict[str, Fitted]) -> None:
    form, history = fitted[kind].form, np.array([1, 7, 2, 7])
    items = np.arange(ITEMS)
    added = form.because(history, items)

    assert added.shape == (len(recent(history)), ITEMS)
    assert added.sum(axis=0) == pytest.approx(form.scores([history])[0][:ITEMS], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_both_vectors_multiply_to_the_score(kind: str, fitted: dict[str, Fitted]) -> None:
    form, histories = fitted[kind].form, [np.array([1, 7]), np.array([13])]
    if form.item_vectors() is None or (isinstance(form, Blend) and not form.has_exact_vectors()):
        assert kind in ("item_knn", "ease", "blend")
        return

    assert form.user_vectors(histories) @ form.item_vectors().T == pytest.approx(form.scores(histories), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_scores_as_what_was_learnt(kind: str, fitted: dict[str, Fitted], tmp_path: Path) -> None:
    blend = as_blend(fitted[kind].form, kind, fitted["popularity"].form)
    for name, data in tables(blend.parts, fitted[kind].encoder).items():
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    histories = [np.array([1]), np.array([1, 7, 8, 9, 2]), np.zeros(0, np.int64)]

    assert np.array_equal(read_blend(tmp_path, described(blend)).scores(histories), blend.scores(histories))


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_events_give_finite_scores_or_a_clear_error(kind: str) -> None:
    nothing = np.zeros(0, np.int64)
    one = np.zeros(1, np.int64)
    for user, item in ((nothing, nothing), (one, one), (np.zeros(50, np.int64), np.arange(50) % 3)):
        events = Interactions(user.astype(np.int32), item.astype(np.int32), np.arange(len(user)), len(user) or 1, 4)
        try:
            form = fit(kind, events, ("red thing", "red thing", "blue", "")).form
        except DataError:
            assert kind == "blend"
            continue
        assert np.isfinite(form.scores([np.array([0]), nothing])).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("popularity", "content", "blend")])
def test_an_item_that_nobody_had_is_like_nothing(kind: str, fitted: dict[str, Fitted]) -> None:
    assert not fitted[kind].form.scores([np.array([1]), np.array([7])])[:, NEW].any()


def test_an_item_that_nobody_had_is_known_by_its_text(fitted: dict[str, Fitted]) -> None:
    scores = fitted["content"].form.scores([np.array([GROUP + 1])])[0]

    assert NEW in np.argsort(-scores)[:GROUP]


def test_popularity_is_counted_in_users_of_the_window() -> None:
    # item 0: three users long ago; item 1: one user five times today; item 2: two users today
    day = 86_400_000_000
    told = [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        *[(0, 1, 400 * day + n) for n in range(5)],
        (1, 2, 400 * day),
        (2, 2, 400 * day),
    ]
    user, item, time = (np.asarray(column) for column in zip(*sorted(told), strict=True))
    events = Interactions(user, item, time, 3, 4)
    module = kinds.load("recommenders", "popularity")

    lately = module.fit(module.Options(window="30d"), Learning(events, ("",) * 4)).form.score

    assert np.argsort(-lately).tolist() == [2, 1, 0, 3]
    assert lately[3] == 0


def test_ease_is_the_closed_form_of_the_paper() -> None:
    events = crowd(24)
    module = kinds.load("recommenders", "ease")
    form = module.fit(module.Options(l2=3.0, dimension=None, keep=1000), Learning(events, TEXTS)).form
    had = np.zeros((24, ITEMS + 1))
    had[events.user, events.item] = 1
    used = np.flatnonzero(had.sum(axis=0))
    inverse = np.linalg.inv(had[:, used].T @ had[:, used] + 3.0 * np.eye(len(used)))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0)

    assert form.matrix.toarray()[np.ix_(used, used)] == pytest.approx(wanted, abs=1e-6)


def test_item_neighbours_are_cosines_shrunk() -> None:
    # users 0 and 1 had items 0 and 1; user 2 had item 1 alone
    events = Interactions(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1]), np.arange(5), 3, 2)
    module = kinds.load("recommenders", "item_knn")
    matrix = module.fit(module.Options(shrink=1.0), Learning(events, ("", ""))).form.matrix.toarray()

    assert matrix == pytest.approx(np.array([[0, 2 / (6**0.5 + 1)], [2 / (6**0.5 + 1), 0]]))


def test_a_user_is_solved_as_the_factorisation_solves_one() -> None:
    form = fit("als").form
    history = np.array([1, 3])
    y = form.factors.astype(np.float64)
    confidence = np.ones(len(y))
    confidence[history] += form.alpha
    preference = np.isin(np.arange(len(y)), history).astype(float)
    wanted = np.linalg.solve(
        (y.T * confidence) @ y + form.regularization * np.eye(y.shape[1]), (y.T * confidence) @ preference
    )

    assert form.user_vectors([history])[0] == pytest.approx(wanted, abs=1e-5)
