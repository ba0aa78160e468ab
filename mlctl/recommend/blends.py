"""Several forms as one: a weighted sum whose weights hang on how much is known about somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.recommend.forms import Form, recent

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

States = tuple[tuple[str, int], ...]
"""Names of states and the number of items in a history from which each begins, rising from 0."""


def state_of(states: States, evidence: int) -> str:
    """The state of somebody with so many items in the history.

    >>> state_of((("cold", 0), ("warming", 1), ("warm", 5)), 4)
    'warming'
    """
    return [name for name, least in states if evidence >= least][-1]


_AMONG_EQUALS: Final = 1e-6
"""What popularity weighs beside a kind that stands alone: it orders what the kind knows nothing of."""


@dataclass(frozen=True)
class Blend:
    """A form of forms.

    Attributes:
        parts: By kind, its form.
        weights: By state, the weight of each part; a part that is not named weighs nothing.
        states: The states.
    """

    parts: Mapping[str, Form]
    weights: Mapping[str, Mapping[str, float]]
    states: States

    @property
    def items(self) -> int:
        """As `Form.items`."""
        return next(iter(self.parts.values())).items

    def scores(self, histories: Sequence[Array]) -> Array:
        """As `Form.scores`."""
        import numpy as np

        total = np.zeros((len(histories), self.items), np.float32)
        states = self._states_of(histories)
        for name, form in self.parts.items():
            weight = self._weights_of(name, states)
            # a part that nobody here asks for costs nothing
            asked = np.flatnonzero(weight).tolist()
            if len(asked) == len(histories):
                # the same without copies of what is wide
                scores = form.scores(histories)
                scores *= weight.reshape(-1, 1)
                total += scores
            elif asked:
                total[asked] += weight[asked].reshape(-1, 1) * form.scores([histories[case] for case in asked])
        return total

    def because(self, history: Array, items: Array) -> Array:
        """As `Form.because`."""
        import numpy as np

        total = np.zeros((len(recent(history)), len(items)), np.float32)
        for name, form in self.parts.items():
            weight = self._weights_of(name, self._states_of([history]))[0]
            if weight:
                total += weight * form.because(history, items)
        return total

    def item_vectors(self) -> Array | None:
        """As `Form.item_vectors`: those of the parts that have some, side by side."""
        import numpy as np

        found = [vectors for form in self.parts.values() if (vectors := form.item_vectors()) is not None]
        return np.concatenate(found, axis=1) if found else None

    def user_vectors(self, histories: Sequence[Array]) -> Array | None:
        """As `Form.user_vectors`: the weights stand on this side, so that items have one vector for all states."""
        import numpy as np

        found = []
        states = self._states_of(histories)
        for name, form in self.parts.items():
            theirs = form.item_vectors()
            if theirs is None:
                continue
            weight = self._weights_of(name, states)
            made = np.zeros((len(histories), theirs.shape[1]), np.float32)
            asked = np.flatnonzero(weight).tolist()
            if asked:
                vectors = form.user_vectors([histories[case] for case in asked])
                made[asked] = weight[asked].reshape(-1, 1) * vectors
            found.append(made)
        return np.concatenate(found, axis=1) if found else None

    def has_exact_vectors(self) -> bool:
        """Whether the inner product of both vectors is the score: no part without vectors weighs anything."""
        return all(
            form.item_vectors() is not None or not any(mixed.get(name) for mixed in self.weights.values())
            for name, form in self.parts.items()
        )

    def variant(self, state: str) -> str:
        """The parts that answer in a state, the heaviest first."""
        mixed = sorted(self.weights[state].items(), key=lambda part: (-part[1], part[0]))
        return "+".join(name for name, weight in mixed if weight > _AMONG_EQUALS)

    def _states_of(self, histories: Sequence[Array]) -> list[str]:
        return [state_of(self.states, len(recent(history))) for history in histories]

    def _weights_of(self, name: str, states: Sequence[str]) -> Array:
        """float32 (cases,): what a part weighs in each of the states."""
        import numpy as np

        return np.asarray([self.weights[state].get(name, 0.0) for state in states], np.float32)


def alone(kind: str, form: Form, popularity: Form, states: States) -> Blend:
    """One kind as a blend: who is cold gets popularity, and popularity orders what the kind knows nothing of.

    Args:
        kind: The kind's name.
        form: Its form.
        popularity: The form of popularity.
        states: The states.
    """
    if kind == "popularity":
        return Blend({kind: form}, {name: {kind: 1.0} for name, _ in states}, states)
    known = {kind: 1.0, "popularity": _AMONG_EQUALS}
    weights = {name: known if least else {"popularity": 1.0} for name, least in states}
    return Blend({"popularity": popularity, kind: form}, weights, states)
