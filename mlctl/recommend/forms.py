"""What a fitted recommender is: a few tables, and how they score every item for any history.

Every form gives additive scores: what an item of the history adds to the score of another one can be said, so each
answer has its reason. A form whose score is an inner product has vectors, which an index can search.

A history is an int array of item positions, oldest first. Of it counts each item once, by its latest place, and no more
than the latest `LONGEST`. Scores are float32 (cases, items): higher is better, 0 where nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_array

    Array = np.ndarray[Any, Any]

LONGEST: Final = 200
"""Items of a history that are read: a bot's thousand items cost no more than these."""


class Form(Protocol):
    """A fitted recommender."""

    @property
    def items(self) -> int:
        """How many items there are."""
        ...

    def scores(self, histories: Sequence[Array]) -> Array:
        """Scores of every item for each history."""
        ...

    def because(self, history: Array, items: Array) -> Array:
        """What each item of a history adds to the scores of some items.

        Returns:
            float32 (items that count of the history, in the order of `recent`; items).
        """
        ...

    def item_vectors(self) -> Array | None:
        """float32 (items, dimension); None where the score is no inner product."""
        ...

    def user_vectors(self, histories: Sequence[Array]) -> Array | None:
        """float32 (cases, dimension), to be multiplied with `item_vectors`."""
        ...


def recent(history: Array) -> Array:
    """The items that count of a history, the newest first.

    >>> import numpy as np
    >>> recent(np.array([2, 0, 2, 5])).tolist()
    [5, 2, 0]
    """
    import numpy as np

    newest = np.asarray(history, dtype=np.int64)[::-1].tolist()
    return np.asarray(list(dict.fromkeys(newest))[:LONGEST], dtype=np.int64)


def weighted(history: Array, half_life: float | None) -> tuple[Array, Array]:
    """The items that count of a history in the order of `recent`, and what each weighs: int64 and float32 (items,).

    Args:
        history: As everywhere here.
        half_life: After how many later items one counts half; None: all count alike.

    >>> import numpy as np
    >>> [found.tolist() for found in weighted(np.array([2, 0, 2]), 1.0)]
    [[2, 0], [1.0, 0.5]]
    """
    import numpy as np

    places = recent(history)
    if half_life is None:
        return places, np.ones(len(places), np.float32)
    return places, (0.5 ** (np.arange(len(places)) / half_life)).astype(np.float32)


def shares_of(history: Array, half_life: float | None) -> tuple[Array, Array]:
    """As `weighted`, with weights that add up to one."""
    places, weight = weighted(history, half_life)
    return places, weight / weight.sum() if len(weight) else weight


def unit(vectors: Array) -> Array:
    """Rows of length one; a row of zeros stays one.

    >>> import numpy as np
    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).round(1).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    import numpy as np

    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Array = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return found


@dataclass(frozen=True)
class Popular:
    """The same scores for everybody.

    Attributes:
        score: float32 (items,), 0..1.
    """

    score: Array

    @property
    def items(self) -> int:
        """As `Form.items`."""
        return len(self.score)

    def scores(self, histories: Sequence[Array]) -> Array:
        """As `Form.scores`."""
        import numpy as np

        return np.tile(self.score, (len(histories), 1))

    def because(self, history: Array, items: Array) -> Array:
        """As `Form.because`: the history adds nothing."""
        import numpy as np

        return np.zeros((len(recent(history)), len(items)), np.float32)

    def item_vectors(self) -> Array:
        """As `Form.item_vectors`: one dimension."""
        return self.score.reshape(-1, 1)

    def user_vectors(self, histories: Sequence[Array]) -> Array:
        """As `Form.user_vectors`: 1 for everybody."""
        import numpy as np

        return np.ones((len(histories), 1), np.float32)


@dataclass(frozen=True)
class Vectors:
    """The weighted mean of what the items of the history give, multiplied with each item's vector.

    Attributes:
        vectors: float32 (items, dimension); zero where an item has none.
        half_life: As in `weighted`.
        given: float32 (items, dimension), what an item of a history gives; None: its vector.
    """

    vectors: Array
    half_life: float | None = None
    given: Array | None = None

    @property
    def items(self) -> int:
        """As `Form.items`."""
        return len(self.vectors)

    def scores(self, histories: Sequence[Array]) -> Array:
        """As `Form.scores`."""
        scores: Array = self.user_vectors(histories) @ self.vectors.T
        return scores

    def because(self, history: Array, items: Array) -> Array:
        """As `Form.because`."""
        places, shares = shares_of(history, self.half_life)
        added: Array = (self._given[places] * shares.reshape(-1, 1)) @ self.vectors[items].T
        return added

    def item_vectors(self) -> Array:
        """As `Form.item_vectors`."""
        return self.vectors

    def user_vectors(self, histories: Sequence[Array]) -> Array:
        """As `Form.user_vectors`."""
        import numpy as np

        found = np.zeros((len(histories), self.vectors.shape[1]), np.float32)
        for case, history in enumerate(histories):
            places, shares = shares_of(history, self.half_life)
            found[case] = shares @ self._given[places]
        return found

    @property
    def _given(self) -> Array:
        return self.vectors if self.given is None else self.given


@dataclass(frozen=True)
class Factors:
    """Matrix factorisation of implicit feedback: a user's vector is solved from the history when it is asked for.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), equation 4.

    Attributes:
        factors: float32 (items, dimension).
        alpha: How much more an item of the history weighs than one that was never had.
        regularization: Added to the diagonal.
        half_life: As in `weighted`.
    """

    factors: Array
    alpha: float
    regularization: float
    half_life: float | None = None

    @property
    def items(self) -> int:
        """As `Form.items`."""
        return len(self.factors)

    def scores(self, histories: Sequence[Array]) -> Array:
        """As `Form.scores`."""
        scores: Array = self.user_vectors(histories) @ self.factors.T
        return scores

    def because(self, history: Array, items: Array) -> Array:
        """As `Form.because`: given the solved matrix, a score is a sum over the history (section 5 of the paper)."""
        import numpy as np

        places, weight = weighted(history, self.half_life)
        rows = self.factors[places].astype(np.float64)
        solved = np.linalg.solve(self._system(rows, weight), self.factors[items].T.astype(np.float64))
        added: Array = (rows * (1.0 + self.alpha * weight).reshape(-1, 1)) @ solved
        return added.astype(np.float32)

    def item_vectors(self) -> Array:
        """As `Form.item_vectors`."""
        return self.factors

    def user_vectors(self, histories: Sequence[Array]) -> Array:
        """As `Form.user_vectors`."""
        import numpy as np

        found = np.zeros((len(histories), self.factors.shape[1]), np.float32)
        for case, history in enumerate(histories):
            places, weight = weighted(history, self.half_life)
            if len(places):
                rows = self.factors[places].astype(np.float64)
                found[case] = np.linalg.solve(self._system(rows, weight), rows.T @ (1.0 + self.alpha * weight))
        return found

    def _system(self, rows: Array, weight: Array) -> Array:
        import numpy as np

        matrix: Array = self._gram + (rows * (self.alpha * weight).reshape(-1, 1)).T @ rows
        return matrix + self.regularization * np.eye(rows.shape[1])

    @cached_property
    def _gram(self) -> Array:
        wide = self.factors.astype("float64")
        gram: Array = wide.T @ wide
        return gram


@dataclass(frozen=True)
class Weights:
    """Weights from item to item: a score is the weighted mean of what the items of the history give.

    Attributes:
        matrix: sparse float32 (items that were had, items).
        half_life: As in `weighted`.
    """

    matrix: csr_array
    half_life: float | None = None

    @property
    def items(self) -> int:
        """As `Form.items`."""
        return int(self.matrix.shape[0])

    def scores(self, histories: Sequence[Array]) -> Array:
        """As `Form.scores`."""
        import numpy as np

        found = np.zeros((len(histories), self.items), np.float32)
        for case, history in enumerate(histories):
            columns, values, (_, share) = self._rows(history)
            if len(columns):
                found[case] = np.bincount(columns, values * share, minlength=self.items)
        return found

    def because(self, history: Array, items: Array) -> Array:
        """As `Form.because`."""
        import numpy as np

        columns, values, (row, share) = self._rows(history)
        # where an item stands among those that are asked for, or behind them
        order = np.argsort(items, kind="stable")
        found = np.searchsorted(items[order], columns)
        asked = found < len(items)
        asked[asked] = items[order][found[asked]] == columns[asked]
        added = np.zeros((len(recent(history)), len(items)), np.float32)
        added[row[asked], order[found[asked]]] = values[asked] * share[asked]
        return added

    def _rows(self, history: Array) -> tuple[Array, Array, tuple[Array, Array]]:
        """What the items of a history give: columns, values, and of each its item's place in `recent` and its share."""
        import numpy as np

        places, shares = shares_of(history, self.half_life)
        begins, ends = self.matrix.indptr[places], self.matrix.indptr[places + 1]
        where = [np.arange(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        cells = np.concatenate([np.zeros(0, np.int64), *where])
        row = np.repeat(np.arange(len(places)), ends - begins)
        return self.matrix.indices[cells], self.matrix.data[cells], (row, shares[row])

    def item_vectors(self) -> None:
        """As `Form.item_vectors`: it has none."""

    def user_vectors(self, histories: Sequence[Array]) -> None:
        """As `Form.user_vectors`: it has none."""
