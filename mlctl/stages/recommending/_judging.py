"""Every metric of every recommender on cases that none of them has seen: values, intervals, paired differences.

All are judged on the same resamples of users, so that the difference of two is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.judging.intervals import around, interval, paired
from mlctl.judging.ladder import Rung
from mlctl.rankings import Lists
from mlctl.recommend.answering import top
from mlctl.recommend.forms import Form
from mlctl.recommenders import Interactions
from mlctl.spec import Project
from mlctl.stages._judging import RESAMPLES, told
from mlctl.stages.recommending._cases import Cases

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_AT_ONCE: Final = 64
"""Cases whose scores are held at the same time: few enough for the processor's cache."""
MIN_USERS: Final = 2


def shown(project: Project, form: Form, cases: Cases) -> Array:
    """int32 (cases, longest list): the items that each case gets, the best first; -1 where no more exist."""
    import numpy as np

    longest = max([options.k for options in project.metrics.values()], default=10)
    hide = project.items is None or project.items.seen == "hide"
    found = np.full((len(cases.histories), longest), -1, np.int32)
    for begin in range(0, len(cases.histories), _AT_ONCE):
        some = cases.histories[begin : begin + _AT_ONCE]
        scores = form.scores(some)
        for row, history in enumerate(some):
            open_ = form.items
            if hide:
                scores[row, history] = -np.inf
                open_ -= len(np.unique(history))
            best = top(scores[row], min(longest, open_))
            found[begin + row, : len(best)] = best
    return found


def lists_of(items: Array, cases: Cases, taught: Interactions) -> Lists:
    """The lists with what came then, and how well known each item was."""
    import numpy as np

    hits = np.zeros(items.shape, bool)
    for row, relevant in enumerate(cases.relevant):
        hits[row] = np.isin(items[row], relevant)
    relevant = np.asarray([len(came) for came in cases.relevant], dtype=np.int64)
    return Lists(items, hits, relevant, taught.users_of_items, taught.active_users)


def some_of(lists: Lists, chosen: Array) -> Lists:
    """The lists of some cases: a mask."""
    return Lists(lists.items[chosen], lists.hits[chosen], lists.relevant[chosen], lists.users_of, lists.users)


def resampled(
    measures: Mapping[str, Callable[[Array], float]], users: Array, resamples: int = RESAMPLES
) -> dict[str, list[float]]:
    """By name, one value a resample of users; the draws hang on the users alone, so that they pair."""
    import numpy as np

    codes = np.unique(users, return_inverse=True)[1]
    units = int(codes.max(initial=-1)) + 1
    generator = np.random.Generator(np.random.PCG64(7))
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(resamples):
        weight = np.bincount(generator.integers(0, max(units, 1), size=units), minlength=units)[codes]
        for name, measure in measures.items():
            found[name].append(measure(weight.astype(np.float64)))
    return found


def judge(project: Project, lists: Mapping[str, Lists], users: Array, own: str) -> dict[str, Any]:
    """Metrics with 95 % intervals, and how `own` compares with each; in the shape of every evaluation.

    Args:
        project: Its metrics.
        lists: By recommender, its lists of the same cases.
        users: int array (cases,).
        own: The recommender that the others are held against.
    """
    import numpy as np

    modules = {name: kinds.load("rankings", options.kind) for name, options in project.metrics.items()}
    measures = {
        (model, name): module.measure(project.metrics[name], shown_lists)
        for model, shown_lists in lists.items()
        for name, module in modules.items()
    }
    drawn = resampled({f"{model}/{name}": measure for (model, name), measure in measures.items()}, users)
    ones, models = np.ones(len(users)), dict[str, Any]()
    for model in lists:
        models[model] = {}
        for name, module in modules.items():
            value, spread = measures[model, name](ones), drawn[f"{model}/{name}"]
            low, high = interval(around(spread, value) if getattr(module, "BENT_BY_DRAWING", False) else spread)
            values = told(value=value, low=low, high=high)
            low, high = paired(drawn[f"{own}/{name}"], drawn[f"{model}/{name}"])
            models[model][name] = {**values, "own_minus_this": told(low=low, high=high)}
    return {
        "rows": len(users),
        "users": len(np.unique(users)),
        "positive_share": None,
        "models": models,
        "better": {name: module.BETTER for name, module in modules.items()},
    }


def judge_some(project: Project, lists: Mapping[str, Lists], users: Array, chosen: Array, own: str) -> dict[str, Any]:
    """As `judge`, of the cases of a mask; where there are too few users, why they were not judged."""
    import numpy as np

    if len(np.unique(users[chosen])) < MIN_USERS:
        why = f"fewer than {MIN_USERS} users"
        return {"rows": int(chosen.sum()), "positive_share": None, "not_measured": why}
    return judge(project, {model: some_of(all_of, chosen) for model, all_of in lists.items()}, users[chosen], own)


def climb(project: Project, lists: Mapping[str, Lists], users: Array) -> list[Rung]:
    """Every rung from simple to complex, and whether it beats the one adopted before by a paired interval."""
    import numpy as np

    options = next(iter(project.metrics.values()))
    module = kinds.load("rankings", options.kind)
    measures = {name: module.measure(options, shown_lists) for name, shown_lists in lists.items()}
    drawn, sign = resampled(measures, users), 1.0 if module.BETTER == "higher" else -1.0
    rungs: list[Rung] = []
    adopted: str | None = None
    for name, measure in measures.items():
        low, high = interval(drawn[name])
        gain = (float("nan"), float("nan"))
        if adopted is not None:
            gain = paired([sign * one for one in drawn[name]], [sign * one for one in drawn[adopted]])
        earned = adopted is None or gain[0] > 0
        values = told(value=measure(np.ones(len(users))), low=low, high=high, gain_low=gain[0], gain_high=gain[1])
        rungs.append(Rung(name=name, against=adopted, earned=earned, **values))
        adopted = name if earned else adopted
    return rungs


def fulfilling(project: Project, cases: pl.DataFrame) -> dict[str, Array]:
    """By cohort, a mask of the cases that fulfil its condition.

    Raises:
        DataError: A condition cannot be computed.
    """
    from mlctl.features import fulfils

    return {name: fulfils(cases, text, f"cohorts.{name}").to_numpy() for name, text in project.cohorts.items()}


def in_words(measured: Mapping[str, Any]) -> str:
    """A value and its interval, for people."""
    if measured["value"] is None:
        return "not defined"
    if measured["low"] is None:
        return f"{measured['value']:.4f} (no interval)"
    return f"{measured['value']:.4f} [{measured['low']:.4f}, {measured['high']:.4f}]"


def names_of(project: Project) -> Sequence[str]:
    """The rungs and the kind itself, from simple to complex; without texts there is no content."""
    names = [*project.model.rungs(), project.model.kind]
    has_text = project.items is not None and bool(project.items.text)
    return [name for name in names if name != "content" or has_text]
