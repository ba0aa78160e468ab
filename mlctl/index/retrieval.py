"""From what an index finds to what is shown: the release puts candidates into order, says why, and spreads them out.

Where the inner product is the release's whole score, what the index finds is the answer. Where parts of the model have
no vectors, the index finds more than are wanted, and the release orders them. How much of the exact answer that keeps
is measured when the index is made (`ways`); a way that keeps too little is not taken, and the release answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mlctl.index.diversity import diverse
from mlctl.index.filters import Filter
from mlctl.index.search import Asked
from mlctl.index.vectors import Stamp
from mlctl.recommend.answering import Answer, Recommender

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Rows = list[tuple[str, float]]
Search = Callable[[Asked], Rows]
Best = tuple[int, Sequence[str] | None]
"""How many items, and among which; None for all."""

_MORE_TO_CHOOSE_FROM: Final = 5
"""So many times as many items are looked at when they are to be unlike each other."""
RECOMMEND: Final = "recommend"
SIMILAR: Final = "similar"


@dataclass(frozen=True)
class Query:
    """What somebody asks for.

    Attributes:
        history: Item ids, oldest first.
        k: How many items.
        seen: `hide` or `show` items of the history.
        wanted: What items must hold.
        passing: Items that hold it; None without a filter.
        diversity: 0..1.
    """

    history: Sequence[str]
    k: int
    seen: str
    wanted: Filter
    passing: Sequence[str] | None
    diversity: float = 0.0

    @property
    def looked_at(self) -> int:
        """How many of the best are looked at."""
        return self.k * _MORE_TO_CHOOSE_FROM if self.diversity else self.k


def stamp_of(recommender: Recommender) -> Stamp:
    """Who made the release's vectors."""
    stamp = recommender.stamp
    return Stamp(stamp.model, stamp.preprocessing, stamp.dimension)


def asked(recommender: Recommender, query: Query, candidates: int) -> Asked | None:
    """What the index is asked for; None where nothing is known that has a direction.

    Args:
        recommender: The release.
        query: What somebody asks for.
        candidates: How many items the release puts into order where the inner product is not its whole score.
    """
    vector = recommender.user_vector(query.history)
    if not vector.any():
        return None
    k = query.looked_at if recommender.vectors_are_exact else max(candidates, query.looked_at)
    seen = list(dict.fromkeys(query.history)) if query.seen == "hide" else []
    passing = None if query.passing is None else len(query.passing)
    return Asked(vector, k, query.wanted, seen, passing)


def through_index(recommender: Recommender, query: Query, rows: Rows) -> Answer:
    """The answer that is made of what the index found."""
    if recommender.vectors_are_exact:
        found = recommender.told(query.history, rows)
    else:
        items = [item for item, _ in rows]
        found = recommender.recommend([query.history], query.looked_at, query.seen, items)[0]
    return spread(recommender, query, found)


def by_release(recommender: Recommender, query: Query) -> Answer:
    """The answer of the release alone, exactly."""
    found = recommender.recommend([query.history], query.looked_at, query.seen, query.passing)[0]
    return spread(recommender, query, found)


def by_popularity(recommender: Recommender, query: Query) -> Answer:
    """The most popular items, for everybody."""
    seen = set(query.history) if query.seen == "hide" else set()
    among = recommender.items[recommender.item_key].to_list() if query.passing is None else query.passing
    return recommender.popular(query.k, [item for item in among if item not in seen])


def spread(recommender: Recommender, query: Query, answer: Answer) -> Answer:
    """The first `k` of an answer, or `k` that are unlike each other."""
    import numpy as np

    chosen: Sequence[int] = range(min(query.k, len(answer.items)))
    if query.diversity:
        directions = recommender.directions(answer.items)
        chosen = diverse(np.asarray(answer.scores), directions, query.k, query.diversity)
    return replace(
        answer,
        items=tuple(answer.items[at] for at in chosen),
        scores=tuple(answer.scores[at] for at in chosen),
        because=tuple(answer.because[at] for at in chosen),
    )


def asked_similar(
    recommender: Recommender, item: str, k: int, candidates: int, only: tuple[Filter, int | None] = (Filter(), None)
) -> Asked | None:
    """What the index is asked for to find neighbours of an item; None where it has no vector.

    Args:
        recommender: The release.
        item: The item.
        k: How many neighbours.
        candidates: How many items are looked at, at least.
        only: What the neighbours must hold, and how many items do.
    """
    wanted, passing = only
    vector = recommender.vector(item)
    if vector is None or not vector.any():
        return None
    return Asked(vector, max(candidates, k + 1), wanted, [item], passing)


def similar_through_index(recommender: Recommender, item: str, k: int, rows: Rows) -> tuple[tuple[str, float], ...]:
    """Neighbours by cosine among what the index found."""
    return recommender.similar(item, k, [found for found, _ in rows])


def kept_of_recommendations(
    recommender: Recommender,
    histories: Sequence[Sequence[str]],
    best: Best,
    search: Search,
    candidates: int,
) -> list[float]:
    """Of each history, the share of the exact answer that comes through the index; equal scores are equally good."""
    shares = []
    for history in histories:
        query = Query(history, best[0], "hide", Filter(), best[1])
        wanted = asked(recommender, query, candidates)
        exact = by_release(recommender, query)
        if wanted is None or not exact.items:
            continue
        found = through_index(recommender, query, search(wanted))
        shares.append(_share(exact.scores, found.scores))
    return shares


def kept_of_neighbours(
    recommender: Recommender, items: Sequence[str], best: Best, search: Search, candidates: int
) -> list[float]:
    """Of each item, the share of its exact neighbours that come through the index."""
    shares = []
    for item in items:
        k, allowed = best
        wanted = asked_similar(recommender, item, k, candidates)
        exact = recommender.similar(item, k, allowed)
        if wanted is None or not exact:
            continue
        found = similar_through_index(recommender, item, k, search(wanted))
        shares.append(_share([score for _, score in exact], [score for _, score in found]))
    return shares


def _share(exact: Sequence[float], found: Sequence[float]) -> float:
    slack = 1e-5 * max(1.0, abs(exact[0]))
    return min(sum(score >= exact[-1] - slack for score in found), len(exact)) / len(exact)
