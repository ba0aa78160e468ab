"""Requests for items to answers: by the index, by the release alone, or by popularity; counted and written down."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.errors import did_you_mean
from mlctl.index import filters, retrieval
from mlctl.index.filters import Filter
from mlctl.index.retrieval import Query
from mlctl.index.vectors import sql_type
from mlctl.online import Store
from mlctl.recommend.answering import SHA, Answer, Recommender
from mlctl.recommend.sealing import open_recommender
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.server.answering import Logs
from mlctl.server.inputs import Inputs, Refused
from mlctl.server.measures import Measures
from mlctl.server.recommend_trials import ListTrials, Shown, Tried, unlike
from mlctl.server.searching import Away, Searcher
from mlctl.serving.http import Options
from mlctl.spec import Index

if TYPE_CHECKING:
    from mlctl.index.search import Asked

By = Literal["index", "release", "popularity"]

_MOST: Final = 1000
_FILTERS: Final = 256
"""Filters whose items are kept in mind."""
HISTORY: Final = "history"
_OPTIONS: Final = (HISTORY, "k", "filter", "seen", "diversity", "unknown_items")


@dataclass(frozen=True)
class Asks:
    """A request that was read: of whom, and what for."""

    user: str | None
    known: bool
    query: Query


class Recommending:
    """What recommends now; another release, index or store may take its place between two requests.

    Attributes:
        name: The project.
        options: The limits.
        measures: What is counted.
        draining: Whether the server is about to end.
        room: How many requests may still come: nothing waits in a queue here.
        searcher: The index.
        settings: How it is searched, as the project says now; None: as it said when it was sealed.
        trials: What happens around a challenger.
        opens: Opens a release with the items that came since.
    """

    def __init__(
        self, name: str, options: Options, logs: Logs, measures: Measures, tell: Callable[[str], None]
    ) -> None:
        self.name, self.options, self.measures, self._log = name, options, measures, logs.answers
        self.trials = self.variants = ListTrials(lambda: self.user_key, logs.pairs, measures, tell)
        self.opens: Callable[[Path], Recommender] = lambda folder: open_recommender(folder, "")
        self.draining = False
        self.room = sys.maxsize
        self.searcher: Searcher | None = None
        self.settings: Index | None = None
        self._recommender: Recommender | None = None
        self._store: Store | None = None
        self._passing: dict[Any, list[str]] = {}
        self._gone: frozenset[str] = frozenset()
        about = "Recommendations by the user's state and who gave them."
        self._recommended = measures.counter("mlctl_recommendations_total", about, ["state", "by"])

    @property
    def release(self) -> str:
        """The id of the release that answers; empty before there is one."""
        return "" if self._recommender is None else self._recommender.id

    @property
    def recommender(self) -> Recommender:
        """The release that answers.

        Raises:
            Refused: 503: there is none yet.
        """
        if self._recommender is None:
            raise Refused(503, "no release is ready yet", retry_after_s=1)
        return self._recommender

    @property
    def store(self) -> Store | None:
        """The histories of users; None: only requests that bring one are answered by it."""
        return self._store

    @property
    def user_key(self) -> str:
        """The field of a request that names a user."""
        return self.recommender.project.entity.key

    @property
    def index(self) -> Index:
        """How the index is searched: as the project says now, or said when it was sealed."""
        return self.settings or self.recommender.project.index or Index()

    @property
    def columns(self) -> dict[str, str]:
        """By column that filters may name, its type in SQL."""
        known = self.recommender.items.schema.items()
        return {name: sql_type(kind) for name, kind in known if name not in (self.recommender.item_key, SHA)}

    def take(self, recommender: Recommender, gone: frozenset[str] = frozenset()) -> None:
        """Lets a verified release answer from the next request on.

        Args:
            recommender: The release.
            gone: Items that it knows and that are no longer to be shown.
        """
        self._recommender = recommender
        self.trials.take(recommender.id)
        self._passing, self._gone = {}, gone
        self.measures.release(recommender.id)

    def look_up(self, store: Store | None) -> None:
        """Lets other histories be read from the next request on."""
        self._store = store

    def close(self) -> None:
        """Ends the logs, and what goes on in the background."""
        self.trials.close()
        if self._log is not None:
            self._log.close()

    def open_challenger(self, folder: Path) -> tuple[Tried, str]:
        """A challenger, and why it cannot be tried; empty when it can.

        Raises:
            IntegrityError: It is missing, damaged, another project's, or does not answer as sealed.
        """
        found = self.opens(folder)
        return Tried(found), unlike(found, self.recommender)

    async def recommend(self, said: Any, identity: str, where: str = "") -> dict[str, Any]:
        """The answer to one request.

        Raises:
            Refused: 422: a field is wrong, or names an item that nobody knows.
        """
        asks, trial, champion = self._read(said, where), self.trials.trial, self.recommender
        by_challenger = None if trial is None else self.trials.by_challenger(trial, asks.query, asks.user or identity)
        if trial is not None and by_challenger is not None:
            answer, by, whose = by_challenger, "release", _whose(trial.challenger.release.id, CHALLENGER)
        else:
            (answer, by), whose = await self._answered(asks.query), _whose(champion.id, CHAMPION)
        if trial is not None:
            self.trials.beside(trial, champion, Shown(identity, asks.user, asks.query, whose["variant"], answer))
        told: dict[str, Any] = {"id": identity}
        if asks.user is not None:
            told |= {self.user_key: asks.user, "known": asks.known}
        told["items"] = [
            {"item": item, "score": score, "because": list(why)}
            for item, score, why in zip(answer.items, answer.scores, answer.because, strict=True)
        ]
        if len(answer.items) < asks.query.k:
            told["short"] = self._short(asks.query, len(answer.items))
        told |= {"state": answer.state, "model": answer.variant, "reason": answer.reason, "by": by, **whose}
        self.measures.answers([told])
        self._recommended.labels(answer.state, by).inc()
        self._write([told])
        return told

    async def similar(self, said: Any, identity: str, where: str = "") -> dict[str, Any]:
        """The neighbours of one item.

        Raises:
            Refused: 422: a field is wrong, or nobody knows the item.
        """
        fields = _object(said, ("item", "k", "filter"), where)
        item = self._item(fields.get("item"), f"{where}item")
        k = self._k(fields.get("k"), f"{where}k")
        wanted = self._filter(fields.get("filter"), f"{where}filter")
        passing = self._passes(wanted)
        recommender, by = self.recommender, "release"
        among: Sequence[str] | None = passing
        if candidates := self._candidates(retrieval.SIMILAR):
            count = None if passing is None else len(passing)
            asked = retrieval.asked_similar(recommender, item, k, candidates, (wanted, count))
            rows = await self._searched(asked)
            if rows is not None:
                among, by = [found for found, _ in rows], "index"
        found = recommender.similar(item, k, among)
        if by == "index" and len(found) < k:
            found, by = recommender.similar(item, k, passing), "release"
        shown = [{"item": one, "score": score} for one, score in found]
        return {"id": identity, "item": item, "items": shown, "by": by, **_whose(recommender.id, CHAMPION)}

    async def _answered(self, query: Query) -> tuple[Answer, By]:
        recommender = self.recommender
        if candidates := self._candidates(retrieval.RECOMMEND):
            rows = await self._searched(retrieval.asked(recommender, query, candidates))
            if rows is not None:
                found = retrieval.through_index(recommender, query, rows)
                # items without a vector are in the release alone
                if len(found.items) == query.k:
                    return found, "index"
                return retrieval.by_release(recommender, query), "release"
        if self.searcher is not None and self.searcher.away and self.index.fallback == "popularity":
            return retrieval.by_popularity(recommender, query), "popularity"
        return retrieval.by_release(recommender, query), "release"

    def _candidates(self, name: str) -> int:
        """How many items the index is asked for; 0: it kept too little of the exact answers when it was made."""
        found = None if self.searcher is None else self.searcher.generation
        way: Mapping[str, Any] = {} if found is None else found.about.get("ways", {}).get(name, {})
        return int(way["candidates"]) if way.get("taken") else 0

    async def _searched(self, asked: Asked | None) -> list[tuple[str, float]] | None:
        if asked is None or self.searcher is None:
            return None
        try:
            return await self.searcher.nearest(asked, str(retrieval.stamp_of(self.recommender)))
        except Away:
            return None

    def _read(self, said: Any, where: str) -> Asks:
        fields = _object(said, (self.user_key, *_OPTIONS), where)
        user = None
        if fields.get(self.user_key) is not None:
            user = Inputs({}, self.user_key, self.options.max_rows).key_text(
                fields[self.user_key], f"{where}{self.user_key}"
            )
        if user is None and HISTORY not in fields:
            raise Refused(422, f"say {self.user_key}, or the items of a history", f"{where}{HISTORY}")
        row = None if user is None or self._store is None else self._store.row(user)
        history = [] if row is None else list(row[HISTORY])
        history += self._history(fields.get(HISTORY), fields.get("unknown_items"), where)
        wanted = self._filter(fields.get("filter"), f"{where}filter")
        query = Query(
            history,
            self._k(fields.get("k"), f"{where}k"),
            _one_of(fields.get("seen"), ("hide", "show"), self._seen(), f"{where}seen"),
            wanted,
            self._passes(wanted),
            _share(fields.get("diversity"), f"{where}diversity"),
        )
        return Asks(user, row is not None, query)

    def _history(self, said: Any, unknown: Any, where: str) -> list[str]:
        ignores = _one_of(unknown, ("refuse", "ignore"), "refuse", f"{where}unknown_items") == "ignore"
        if said is None:
            return []
        if not isinstance(said, list) or len(said) > self.options.max_rows:
            raise Refused(422, f"wanted an array of at most {self.options.max_rows:,} items", f"{where}{HISTORY}")
        return [
            self._item(one, f"{where}{HISTORY}[{place}]")
            for place, one in enumerate(said)
            if not ignores or (isinstance(one, str | int) and self.recommender.knows(str(one)))
        ]

    def _item(self, said: Any, where: str) -> str:
        if isinstance(said, bool) or not isinstance(said, str | int):
            raise Refused(422, "wanted an item's id", where)
        if not self.recommender.knows(str(said)):
            raise Refused(422, f"there is no item {said!r}; leave it out, or say unknown_items: ignore", where)
        return str(said)

    def _filter(self, said: Any, where: str) -> Filter:
        try:
            return Filter() if said is None else filters.read(said, self.columns)
        except ValueError as error:
            column, _, why = str(error).partition(": ")
            raise Refused(422, why, where if column == "filter" else f"{where}.{column}") from None

    def _passes(self, wanted: Filter) -> list[str] | None:
        """The items that hold a filter and are not gone; None where all may be shown."""
        if not wanted and not self._gone:
            return None
        known = (wanted.shape, repr(wanted.values))
        found = self._passing.get(known)
        if found is None:
            items = self.recommender.items
            passing = items.filter(wanted.mask(items))[self.recommender.item_key].to_list()
            found = [item for item in passing if item not in self._gone]
            if len(self._passing) >= _FILTERS:
                self._passing.clear()
            self._passing[known] = found
        return found

    def _k(self, said: Any, where: str) -> int:
        if said is None:
            section = self.recommender.project.items
            return section.k if section else 10
        if isinstance(said, bool) or not isinstance(said, int) or not 1 <= said <= _MOST:
            raise Refused(422, f"wanted a whole number from 1 to {_MOST:,}", where)
        return said

    def _seen(self) -> str:
        section = self.recommender.project.items
        return section.seen if section else "hide"

    def _short(self, query: Query, found: int) -> str:
        hidden = " that were not seen" if query.seen == "hide" and query.history else ""
        which = "hold the filter" if query.wanted else "exist"
        return f"{query.k} were asked for; {found} items{hidden} {which}"

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        if self._log is not None:
            self._log.write(lines)


def _whose(release: str, variant: str) -> dict[str, str]:
    return {"release": release, "variant": variant}


def _object(said: Any, known: Sequence[str], where: str) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise Refused(422 if where else 400, "wanted an object", where.rstrip("."))
    for name in said:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"known: {', '.join(known)}"
            raise Refused(422, f"no such field; {hint}", f"{where}{name}")
    return said


def _one_of(said: Any, known: tuple[str, str], otherwise: str, where: str) -> str:
    if said is None:
        return otherwise
    if said not in known:
        raise Refused(422, f"wanted {known[0]} or {known[1]}", where)
    return str(said)


def _share(said: Any, where: str) -> float:
    if said is None:
        return 0.0
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said <= 1:
        raise Refused(422, "wanted a number from 0 to 1", where)
    return float(said)
