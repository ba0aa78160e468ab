"""Several kinds as one, mixed by state: popularity and content for who is new, what others had for who is known.

Use it by default: the weights are learnt on users held out, and a state in which no mixture clearly beats popularity is
answered by popularity. Not where one kind is to be explained alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.errors import DataError
from mlctl.recommend.answering import top
from mlctl.recommend.blends import Blend, state_of
from mlctl.recommend.forms import Factors, Form, Popular, Vectors, Weights, recent
from mlctl.recommenders import Fitted, Learning, RecommenderOptions, Rehearsal

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_POPULARITY: Final = "popularity"
_STEPS: Final = (0.0, 0.03, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)
_ROUNDS: Final = 2
_STARTS: Final = 3
_LEAST_GAIN: Final = 1.002
"""By how much a step must better the gain: less is what chance gives to whoever tries many."""
_CANDIDATES: Final = 100
_HALF_LIFE_EVERY: Final = 2
_RESAMPLES: Final = 500


class Options(RecommenderOptions):
    """Options of the blend."""

    kind: Literal["blend"] = Field(default="blend", description="blend")
    half_lives: tuple[float, ...] = Field(
        default=(3.0, 10.0, 30.0), description="half-lives of histories that are tried for each part, beside none"
    )
    most_cases: int = Field(default=1000, ge=10, description="most cases of a state that the weights are learnt by")
    min_cases: int = Field(
        default=30, ge=2, description="a state with fewer cases gets the weights of the state before it"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "blend", "half_lives": [3.0], "min_cases": 10}


def fit(options: Options, learning: Learning) -> Fitted:
    """Learns for each state what each part weighs.

    Raises:
        DataError: There are no parts, or nobody to learn the weights by.
    """
    rehearsal = learning.rehearsal
    if rehearsal is None or not rehearsal.histories or _POPULARITY not in learning.parts:
        why = "a blend needs popularity, other kinds, and users who were held out of them"
        raise DataError.no_rows("the rehearsal of the blend", why, "look at model.ladder and split:")
    lives = {name: _half_life(options, rehearsal, name) for name in rehearsal.parts}
    told = {name: _with_half_life(form, lives[name]) for name, form in rehearsal.parts.items()}
    weights: dict[str, Mapping[str, float]] = {}
    shares: dict[str, Mapping[str, float]] = {}
    only: Mapping[str, float] = {_POPULARITY: 1.0}
    before = (only, only)
    for state, least in rehearsal.states:
        cases = _cases_of(options, rehearsal, state)
        # nothing is known of somebody without a history
        if least and len(cases) >= options.min_cases:
            before = _mixed(told, rehearsal, cases)
        weights[state], shares[state] = before if least else (only, only)
    parts = {name: _with_half_life(learning.parts[name], lives[name]) for name in sorted(learning.parts)}
    used = {name for mixed in weights.values() for name in mixed} | {_POPULARITY}
    blend = Blend({name: form for name, form in parts.items() if name in used}, weights, rehearsal.states)
    return Fitted(blend, told={"shares": {state: dict(mixed) for state, mixed in shares.items()}, "half_lives": lives})


def _with_half_life(form: Form, half_life: float | None) -> Form:
    if isinstance(form, Vectors | Factors | Weights):
        return replace(form, half_life=half_life)
    return form


def _cases_of(options: Options, rehearsal: Rehearsal, state: str | None) -> list[int]:
    """Cases of a state (None: of whoever has a history), evenly chosen where there are too many."""
    import numpy as np

    had = [len(recent(history)) for history in rehearsal.histories]
    of_state = [
        case
        for case, count in enumerate(had)
        if (count > 0 if state is None else state_of(rehearsal.states, count) == state)
    ]
    if len(of_state) <= options.most_cases:
        return of_state
    return [of_state[place] for place in np.linspace(0, len(of_state) - 1, options.most_cases).astype(int)]


def _half_life(options: Options, rehearsal: Rehearsal, name: str) -> float | None:
    """The half-life by which a part alone foretells best."""
    import numpy as np

    form = rehearsal.parts[name]
    cases = _cases_of(options, rehearsal, None)[::_HALF_LIFE_EVERY]
    if isinstance(form, Popular) or not cases:
        return None
    found = []
    for life in (None, *sorted(options.half_lives, reverse=True)):
        scores = _open(_with_half_life(form, life), rehearsal, cases)
        order = np.stack([top(row, rehearsal.k) for row in scores])
        found.append((_gain(_hits(rehearsal, cases, order), _counts(rehearsal, cases), rehearsal.k).mean(), life))
    best = max(gain for gain, _ in found)
    return next(life for gain, life in found if gain == best)


def _mixed(
    parts: Mapping[str, Form], rehearsal: Rehearsal, cases: Sequence[int]
) -> tuple[dict[str, float], dict[str, float]]:
    """What each part weighs in a state: coordinate ascent from the best part alone, on the NDCG of whole lists.

    Returns:
        The weights, and the shares that they are of parts put on one scale.
    """
    import numpy as np

    scores = {name: _open(form, rehearsal, cases) for name, form in parts.items()}
    pool = [
        np.unique(np.concatenate([top(scores[name][row], _CANDIDATES) for name in parts])) for row in range(len(cases))
    ]
    width = max(len(places) for places in pool)
    padded = np.stack([np.pad(places, (0, width - len(places)), constant_values=-1) for places in pool])
    rows = np.arange(len(cases)).reshape(-1, 1)
    among: dict[str, Array] = {}
    scale: dict[str, float] = {}
    for name in parts:
        taken = np.where(padded >= 0, scores[name][rows, padded], -np.inf)
        largest = np.where(np.isfinite(taken.max(axis=1)), taken.max(axis=1), 0.0)
        scale[name] = 1.0 / max(float(largest.mean()), 1e-9)
        among[name] = np.where(np.isfinite(taken), taken * scale[name], -1e9)
    relevant = np.stack([np.isin(places, rehearsal.relevant[case]) for places, case in zip(padded, cases, strict=True)])
    counts = _counts(rehearsal, cases)

    def gains(weights: Mapping[str, float]) -> Array:
        total: Any = sum(weight * among[name] for name, weight in weights.items())
        order = _best(total, rehearsal.k)
        return _gain(np.take_along_axis(relevant, order, axis=1), counts, rehearsal.k)

    weights = _best_ascent(sorted(parts), gains)
    if not _clearly_better(gains(weights), gains({_POPULARITY: 1.0}), rehearsal.user[list(cases)]):
        return {_POPULARITY: 1.0}, {_POPULARITY: 1.0}
    whole = sum(weights.values())
    shares = {name: round(weight / whole, 4) for name, weight in sorted(weights.items()) if weight}
    # popularity orders what the others know nothing of
    mixed = {_POPULARITY: 1e-6, **{name: weight * scale[name] for name, weight in weights.items() if weight}}
    most = max(mixed.values())
    return {name: float(f"{weight / most:.6g}") for name, weight in sorted(mixed.items())}, shares


def _best(scores: Array, k: int) -> Array:
    """Of each row the positions of the k largest scores, the largest first; equal ones in order, as in every list.

    >>> import numpy as np
    >>> _best(np.array([[0.5, 2.0, 0.5, 1.0], [1.0, 1.0, 1.0, 1.0]]), 3).tolist()
    [[1, 3, 0], [0, 1, 2]]
    """
    import numpy as np

    if k >= scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    near = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(scores, near, axis=1)
    found: Array = np.take_along_axis(near, np.argsort(-values, axis=1, kind="stable"), axis=1)
    # where the last that fits has equals among those that do not fit
    tied = (scores >= values.min(axis=1, keepdims=True)).sum(axis=1) > k
    found[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return found


def _best_ascent(names: Sequence[str], gains: Any) -> dict[str, float]:
    """The best of the ascents that begin with the best parts."""
    alone = {name: float(gains({name: 1.0}).mean()) for name in names}
    firsts = sorted(names, key=lambda name: (-alone[name], name))[:_STARTS]
    found = [_ascent(names, gains, first, alone[first]) for first in firsts]
    best = max(gain for gain, _ in found)
    return next(weights for gain, weights in found if gain == best)


def _ascent(names: Sequence[str], gains: Any, first: str, best: float) -> tuple[float, dict[str, float]]:
    weights = {first: 1.0}
    for _ in range(_ROUNDS):
        before = best
        for name in names:
            if name == first:
                continue
            for step in _STEPS:
                tried = {**weights, name: step}
                gain = float(gains(tried).mean())
                if gain > best * _LEAST_GAIN:
                    weights, best = tried, gain
        if best == before:
            break
    return best, weights


def _clearly_better(own: Array, other: Array, users: Array) -> bool:
    """Whether the mean difference lies above 0 in a 95 % interval over resampled users."""
    import numpy as np

    codes = np.unique(users, return_inverse=True)[1]
    count = np.bincount(codes)
    total = np.bincount(codes, weights=own - other)
    generator = np.random.Generator(np.random.PCG64(7))
    drawn = generator.integers(0, len(count), size=(_RESAMPLES, len(count)))
    differences = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    return bool(np.quantile(differences, 0.025) > 0)


def _open(form: Form, rehearsal: Rehearsal, cases: Sequence[int]) -> Array:
    """Scores of the cases without what they had."""
    import numpy as np

    scores = form.scores([rehearsal.histories[case] for case in cases])
    for row, case in enumerate(cases):
        scores[row, rehearsal.histories[case]] = -np.inf
    return scores


def _hits(rehearsal: Rehearsal, cases: Sequence[int], order: Array) -> Array:
    import numpy as np

    return np.stack([np.isin(row, rehearsal.relevant[case]) for row, case in zip(order, cases, strict=True)])


def _counts(rehearsal: Rehearsal, cases: Sequence[int]) -> Array:
    import numpy as np

    return np.asarray([len(rehearsal.relevant[case]) for case in cases])


def _gain(hits: Array, relevant: Array, k: int) -> Array:
    """NDCG of each list."""
    import numpy as np

    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(relevant, k)]
    found: Array = (hits @ discount[: hits.shape[1]]) / np.maximum(ideal, 1e-12)
    return found
