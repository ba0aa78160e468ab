"""The opened release of a recommender: histories to answers, exactly, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mlctl import spec
from mlctl.recommend.blends import Blend, state_of
from mlctl.recommend.encoders import Encoder
from mlctl.recommend.forms import Factors, Form, Popular, Vectors, Weights, recent, unit

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

SHA: Final = "content_sha256"
"""The column of `items` that says what its vector was made from; an item is embedded anew when it changes."""
POPULARITY: Final = "popularity"
CONTENT: Final = "content"
_REASONS: Final = 2
_AT_ONCE: Final = 64
"""Histories whose scores are held at the same time: few enough for the processor's cache."""
_GROUP: Final = 32


@dataclass(frozen=True)
class Answer:
    """What one history gets.

    Attributes:
        items: Item ids, the best first; fewer than asked for only where no more exist.
        scores: Their scores, falling.
        because: For each item, the ids of up to two items of the history that speak for it most; none where nothing of
            the history does.
        state: cold, warming or warm: how much is known about the user.
        variant: The model that answered: the parts that weigh something in this state, such as `ease+content`.
        reason: `model`, or `popularity` where the history says nothing.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    because: tuple[tuple[str, ...], ...]
    state: str
    variant: str
    reason: str


@dataclass(frozen=True)
class Stamp:
    """What made vectors; an index may only hold vectors of one stamp.

    Attributes:
        model: Hash of the tables that vectors are read from.
        preprocessing: Hash of which texts are read, and how.
        dimension: How long a vector is.
        digest: Hash of the three.
    """

    model: str
    preprocessing: str
    dimension: int
    digest: str


@dataclass(frozen=True)
class Recommender:
    """An opened, verified release.

    Attributes:
        id: The release's id.
        manifest: Its manifest.
        project: The sealed project.
        items: The catalogue. Grain: one row an item: `item_key`, the columns that filters may name, `SHA`. Time: none.
        item_key: The column of the ids, text.
        model: What scores.
        encoder: What turns texts into vectors; None where no text is read.
        stamp: What made the vectors.
    """

    id: str
    manifest: Mapping[str, Any]
    project: spec.Project
    items: pl.DataFrame
    item_key: str
    model: Blend
    encoder: Encoder | None
    stamp: Stamp

    @cached_property
    def item_vectors(self) -> Array:
        """float32 (items, dimension), in the order of `items`; a row of zeros where nothing is known of an item."""
        import numpy as np

        found = self.model.item_vectors()
        return np.zeros((self.items.height, 0), np.float32) if found is None else found

    @property
    def vectors_are_exact(self) -> bool:
        """Whether `user_vector` times an item's vector is the score that `recommend` gives."""
        return self.model.has_exact_vectors()

    def state(self, history: Sequence[str]) -> str:
        """How much is known about somebody: the state by the number of different known items in the history."""
        return state_of(self.model.states, len(recent(self._places(history))))

    def user_vector(self, history: Sequence[str]) -> Array:
        """float32 (dimension,), from the history alone: nobody has to be trained.

        Args:
            history: Item ids, oldest first; unknown ones are left out.
        """
        import numpy as np

        found = self.model.user_vectors([self._places(history)])
        return np.zeros(0, np.float32) if found is None else found[0]

    def encode(self, items: pl.DataFrame) -> Array:
        """Vectors of items that are new or changed, as `item_vectors` has them: from their texts alone.

        Args:
            items: Rows with the columns that `project.items.text` names; other columns are not looked at.

        Raises:
            DataError: A column of text is missing.
        """
        import numpy as np

        parts = []
        for name, form in self.model.parts.items():
            theirs = form.item_vectors()
            if theirs is not None:
                of_text = name == CONTENT and self.encoder is not None
                made = self._of_texts(items) if of_text else np.zeros((items.height, theirs.shape[1]), np.float32)
                parts.append(made)
        return np.concatenate(parts, axis=1) if parts else np.zeros((items.height, 0), np.float32)

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        seen: str = "hide",
        allowed: Sequence[str] | None = None,
    ) -> list[Answer]:
        """The best items for each history: exact, always k of them where k exist.

        Args:
            histories: For each user the item ids, oldest first; unknown ones are left out. An empty one is answered by
                popularity.
            k: How many items.
            seen: `hide` leaves out items of the history, `show` does not.
            allowed: Only these items; None: all. Unknown ids are left out.
        """
        import numpy as np

        places = [self._places(history) for history in histories]
        among = None if allowed is None else np.unique(self._places(allowed))
        found: list[Answer] = []
        for begin in range(0, len(places), _AT_ONCE):
            some = places[begin : begin + _AT_ONCE]
            scores = self.model.scores(some)
            found += [self._answer(history, row, k, (seen, among)) for history, row in zip(some, scores, strict=True)]
        return found

    def popular(self, k: int = 10, allowed: Sequence[str] | None = None) -> Answer:
        """The fallback that needs nobody: the most popular items."""
        return self.recommend([()], k, allowed=allowed)[0]

    def similar(self, item: str, k: int = 10, allowed: Sequence[str] | None = None) -> tuple[tuple[str, float], ...]:
        """Neighbours of an item by the cosine of their vectors, the nearest first; none where it has no vector."""
        import numpy as np

        place = self._place_of.get(item)
        if place is None or not self._directions.shape[1]:
            return ()
        cosines = self._directions @ self._directions[place]
        among = np.arange(len(cosines)) if allowed is None else np.unique(self._places(allowed))
        among = among[(among != place) & (cosines[among] > 0)]
        best = among[np.argsort(-cosines[among], kind="stable")][:k]
        return tuple((self._ids[one], float(cosines[one])) for one in best)

    def with_items(self, items: pl.DataFrame) -> Recommender:
        """The same release with items that came later: recommended from their texts, and nobody had them yet.

        Items that are known already get the columns as given, and are found by their text as given.

        Args:
            items: Rows with the columns of `items` (but `SHA`) and those that `project.items.text` names.

        Raises:
            DataError: A column of text is missing.
        """
        import polars as pl

        given = self._hashed(items).unique(self.item_key, keep="first", maintain_order=True)
        known = pl.col(self.item_key).is_in(self._ids)
        new = given.filter(~known)
        parts = {name: _longer(form, self._grown(name, new)) for name, form in self.model.parts.items()}
        told = given.select([pl.col(name).cast(kind) if name in given.columns else pl.lit(None, kind).alias(name)
                             for name, kind in self.items.schema.items()])  # fmt: skip
        kept = self.items.update(told.filter(known), on=self.item_key, include_nulls=True)
        changed = given.filter(known).join(self.items, on=[self.item_key, SHA], how="anti")
        content = parts.get(CONTENT)
        if changed.height and self.encoder is not None and isinstance(content, Vectors):
            vectors = content.vectors.copy()
            vectors[self._places(changed[self.item_key].to_list())] = self._of_texts(changed)
            parts[CONTENT] = replace(content, vectors=vectors)
        return replace(self, items=pl.concat([kept, told.filter(~known)]), model=replace(self.model, parts=parts))

    def _hashed(self, items: pl.DataFrame) -> pl.DataFrame:
        """Items with their ids as text and the hash of what their vectors are made from."""
        import polars as pl

        from mlctl.recommend.catalogue import content_sha256, texts_of

        named = items.with_columns(pl.col(self.item_key).cast(pl.String))
        if self.encoder is None or self.project.items is None:
            return named.with_columns(pl.lit(content_sha256([""])[0]).alias(SHA))
        return named.with_columns(pl.Series(SHA, content_sha256(texts_of(items, self.project.items))))

    def _grown(self, name: str, new: pl.DataFrame) -> Array:
        """The rows that a part gets for new items; an array without columns where it has no vectors."""
        import numpy as np

        if name == CONTENT and self.encoder is not None:
            return self._of_texts(new)
        return np.zeros((new.height, 0), np.float32)

    def _of_texts(self, items: pl.DataFrame) -> Array:
        from mlctl.recommend.catalogue import texts_of

        if self.encoder is None or self.project.items is None:
            raise AttributeError("encoder")
        return self.encoder.encode(texts_of(items, self.project.items))

    def _answer(self, history: Array, scores: Array, k: int, only: tuple[str, Array | None]) -> Answer:
        import numpy as np

        seen, among = only
        open_ = np.ones(len(scores), bool) if among is None else np.zeros(len(scores), bool)
        if among is not None:
            open_[among] = True
        if seen == "hide":
            open_[history] = False
        best = top(np.where(open_, scores, -np.inf), min(k, int(open_.sum())))
        return self._told(history, best, scores[best])

    def told(self, history: Sequence[str], found: Sequence[tuple[str, float]]) -> Answer:
        """The answer that shows items which an index has found and scored, where `vectors_are_exact`.

        Args:
            history: Item ids, oldest first.
            found: Items with their scores, falling; ones that the release does not know are left out.
        """
        import numpy as np

        known = [(item, score) for item, score in found if item in self._place_of]
        scores = np.asarray([score for _, score in known], np.float32)
        return self._told(self._places(history), self._places([item for item, _ in known]), scores)

    def _told(self, history: Array, best: Array, scores: Array) -> Answer:
        import numpy as np

        state = state_of(self.model.states, len(recent(history)))
        added = self.model.because(history, best)
        had = recent(history)
        because = [
            tuple(self._ids[had[one]] for one in np.argsort(-column, kind="stable")[:_REASONS] if column[one] > 0)
            for column in added.T
        ]
        by_model = any(because)
        return Answer(
            items=tuple(self._ids[one] for one in best),
            scores=tuple(float(one) for one in scores),
            because=tuple(because),
            state=state,
            variant=self.model.variant(state),
            reason="model" if by_model else POPULARITY,
        )

    def directions(self, ids: Sequence[str]) -> Array:
        """What `similar` compares: float32 (ids, dimension), of length one; zeros where an item has no vector."""
        found: Array = self._directions[self._places(ids)]
        return found

    def vector(self, item: str) -> Array | None:
        """float32 (dimension,) of one item; None where it is not known."""
        place = self._place_of.get(item)
        if place is None:
            return None
        found: Array = self.item_vectors[place]
        return found

    def knows(self, item: str) -> bool:
        """Whether it is in the catalogue."""
        return item in self._place_of

    def _places(self, ids: Sequence[str]) -> Array:
        import numpy as np

        places = [self._place_of[one] for one in ids if one in self._place_of]
        return np.asarray(places, dtype=np.int64)

    @cached_property
    def _ids(self) -> list[str]:
        ids: list[str] = self.items[self.item_key].to_list()
        return ids

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {one: place for place, one in enumerate(self._ids)}

    @cached_property
    def _directions(self) -> Array:
        """The item vectors at length one, without popularity, which makes nothing similar."""
        import numpy as np

        parts = [
            unit(vectors)
            for name, form in self.model.parts.items()
            if name != POPULARITY and (vectors := form.item_vectors()) is not None
        ]
        return unit(np.concatenate(parts, axis=1)) if parts else np.zeros((self.items.height, 0), np.float32)


def top(scores: Array, k: int) -> Array:
    """Positions of the k largest scores, the largest first; equal ones in their order.

    >>> import numpy as np
    >>> top(np.array([0.5, 2.0, 0.5, 1.0]), 3).tolist()
    [1, 3, 0]
    """
    import numpy as np

    if k <= 0:
        return np.zeros(0, np.int64)
    if k < len(scores):
        # every score that ties with the last one that fits, so that the order among equals is theirs
        among = _not_below(scores, k)
        least = np.partition(scores[among], len(among) - k)[len(among) - k]
        among = among[scores[among] >= least]
    else:
        among = np.arange(len(scores))
    found: Array = among[np.argsort(-scores[among], kind="stable")][:k]
    return found


def _not_below(scores: Array, k: int) -> Array:
    """Positions of at least the k largest scores and of what equals them, few of many: by the maxima of groups.

    Of the largest of each group the k-th is no larger than the k-th of all.
    """
    import numpy as np

    groups = len(scores) // _GROUP
    if groups < 2 * k:
        return np.arange(len(scores))
    largest = scores[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)
    found: Array = np.flatnonzero(scores >= np.partition(largest, groups - k)[groups - k])
    return found


def _longer(form: Form, rows: Array) -> Form:
    """A form with more items, of which only the given vectors are known."""
    import numpy as np

    def grown(table: Array) -> Array:
        new = rows if rows.shape[1] == table.shape[1] else np.zeros((len(rows), table.shape[1]), table.dtype)
        return np.concatenate([table, new])

    if isinstance(form, Popular):
        return replace(form, score=np.concatenate([form.score, np.zeros(len(rows), form.score.dtype)]))
    if isinstance(form, Vectors):
        given = None if form.given is None else grown(form.given)
        return replace(form, vectors=grown(form.vectors), given=given)
    if isinstance(form, Factors):
        return replace(form, factors=grown(form.factors))
    if isinstance(form, Weights):
        matrix = form.matrix.copy()
        matrix.resize((form.items + len(rows), form.items + len(rows)))
        return replace(form, matrix=matrix)
    raise TypeError(type(form).__name__)
