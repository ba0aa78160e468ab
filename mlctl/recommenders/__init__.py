"""A recommender is a function from interactions and items to tables that score every item for any history.

A kind learns; what it learnt is a form (`mlctl/recommend/forms.py`), which needs nothing of the library that made it.
A user is a history and no row of a table, so that somebody with one event is answered without training again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pydantic import Field

from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from scipy.sparse import csr_array

    from mlctl.recommend.blends import States
    from mlctl.recommend.encoders import Encoder
    from mlctl.recommend.forms import Form

    Array = np.ndarray[Any, Any]

LADDER: Final = ("popularity", "content", "item_knn", "ease", "als", "blend")
"""From simple to complex: a rung must earn its place over the ones below it."""


@dataclass(frozen=True)
class Interactions:
    """Who had what, and when: one entry an event, sorted by user, time and item.

    Attributes:
        user: int32 (events,), 0..users - 1.
        item: int32 (events,), 0..items - 1.
        time: int64 (events,), microseconds since 1970.
        users: How many users there are.
        items: How many items there are.
    """

    user: Array
    item: Array
    time: Array
    users: int
    items: int

    def matrix(self) -> csr_array:
        """Which user had which item: sparse float32 (users, items) of ones."""
        import numpy as np
        from scipy.sparse import csr_array

        had = csr_array((np.ones(len(self.user), np.float32), (self.user, self.item)), shape=(self.users, self.items))
        had.sum_duplicates()
        had.data[:] = 1.0
        return had

    @cached_property
    def users_of_items(self) -> Array:
        """int64 (items,): how many different users had each item."""
        import numpy as np

        pairs = np.sort(self.user.astype(np.int64) * max(1, self.items) + self.item)
        first = np.ones(len(pairs), bool)
        first[1:] = pairs[1:] != pairs[:-1]
        return np.bincount(pairs[first] % max(1, self.items), minlength=self.items)

    @cached_property
    def active_users(self) -> int:
        """How many users had anything."""
        import numpy as np

        return int((np.bincount(self.user, minlength=self.users) > 0).sum())

    def only(self, chosen: Array) -> Interactions:
        """The same users and items with some of the events: a mask or positions."""
        return Interactions(self.user[chosen], self.item[chosen], self.time[chosen], self.users, self.items)


@dataclass(frozen=True)
class Rehearsal:
    """Users that a kind may learn by how to mix others: what they had, and what came then.

    Attributes:
        histories: int arrays of item positions, oldest first.
        relevant: int arrays: the items that came then.
        parts: The simpler kinds, fitted on what came before.
        states: The states of users.
        k: How many items are shown.
        user: int array (cases,): cases of one user have one number.
    """

    histories: tuple[Array, ...]
    relevant: tuple[Array, ...]
    parts: Mapping[str, Form]
    states: States
    k: int
    user: Array


@dataclass(frozen=True)
class Learning:
    """What a kind learns from.

    Attributes:
        events: Who had what.
        texts: For each item, what it says; empty texts where no table of items is read.
        parts: The simpler kinds, fitted on the same events, for a kind that mixes them.
        rehearsal: For such a kind, what the weights are learnt by.
        together: How many users had both of two items (`Engine.together`), where an engine counted it; None: count it.
        known: Bool (items,), the items whose texts may teach; None: all. A text that came with a later item says what
            was not yet written when the events ended.
    """

    events: Interactions
    texts: tuple[str, ...]
    parts: Mapping[str, Form] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None
    together: pl.DataFrame | None = None
    known: Array | None = None

    @property
    def teaching_texts(self) -> tuple[str, ...]:
        """The texts that may teach."""
        if self.known is None:
            return self.texts
        return tuple(text for text, known in zip(self.texts, self.known, strict=True) if known)


@dataclass(frozen=True)
class Fitted:
    """A fitted recommender.

    Attributes:
        form: What scores.
        encoder: What turns an item's text into its row of the form; None where the form is not made of texts.
        told: What was found out in the fit, JSON-ready.
    """

    form: Form
    encoder: Encoder | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


class RecommenderOptions(Record):
    """What every recommender says, whatever its kind."""

    kind: str = Field(description="the recommender's kind: mlctl explain recommenders")
    seed: int = Field(default=7, ge=0, description="seed of everything random in the fit")
    ladder: tuple[str, ...] | None = Field(
        default=None, description="simpler kinds trained beside it; default: those below it"
    )
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of the simpler kinds, by kind, such as {ease: {l2: 300}}"
    )
    adopt: Literal["earned", "always"] = Field(
        default="earned",
        description="earned: the simplest rung that none above clearly beats is released; always: this kind is",
    )

    def rungs(self, task: str = "ranking") -> tuple[str, ...]:
        """The simpler kinds to train beside this one, from simple to complex; popularity is always among them."""
        wanted = self.ladder
        if wanted is None:
            wanted = LADDER[: LADDER.index(self.kind)] if self.kind in LADDER else LADDER[:-1]
        return tuple(kind for kind in dict.fromkeys(("popularity", *wanted)) if kind != self.kind)


class Recommending(Protocol):
    """The functions of a recommender kind (the module itself satisfies this)."""

    Options: type[RecommenderOptions]
    EXAMPLE: dict[str, object]

    def fit(self, options: Any, learning: Learning) -> Fitted:
        """Learns the scores. The same events, options and seed give the same tables, whatever the thread count.

        Raises:
            DataError: There is nothing to learn from.
        """
        ...
