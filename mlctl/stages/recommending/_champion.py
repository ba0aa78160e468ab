"""The champion of a recommender on the cases that judge: its recipe, learnt anew from the events that teach.

The champion's own tables have learnt from everything, also from the users who judge now, so they cannot be held against
a model that has not. Its recipe can: the same kinds with its options, half-lives and weights by state, learnt from the
same events as the model beside it. That is what a release is, too: the judged recipe, carried out once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlctl.recommend.answering import Recommender
from mlctl.recommend.blends import Blend
from mlctl.recommend.forms import Factors, Form, Popular, Vectors, Weights
from mlctl.recommend.sealing import open_recommender
from mlctl.releases import champion_id
from mlctl.stages.recommending._cases import JUDGES
from mlctl.stages.recommending._ground import Ground, forms_of
from mlctl.workspace import Places


@dataclass(frozen=True)
class Champion:
    """The champion's recipe, learnt from what teaches, or why there is none.

    Attributes:
        release: Its id; empty when nothing was promoted.
        rung: What scores; None where it was not learnt.
        why: Why not; empty where it was.
        itself: Whether the judged model is of the very recipe.
    """

    release: str
    rung: Blend | None = None
    why: str = ""
    itself: bool = False


def champion(places: Places, own: Ground, rungs: Mapping[str, Blend], adopted: str) -> Champion:
    """The champion beside the rungs; parts with the same options are theirs, others are learnt here.

    Args:
        places: The project's paths.
        own: What is learnt from.
        rungs: Every rung, learnt from the events before those that judge.
        adopted: The rung that is held against it.

    Raises:
        IntegrityError: The rollout cannot be read, or the champion is missing or damaged.
    """
    identity = champion_id(places)
    if not identity:
        return Champion("", why="no release was promoted yet")
    folder = places.releases / identity
    found = open_recommender(folder, f"dvc checkout {folder.as_posix()}.dvc (or dvc pull)")
    if not _recommends_the_same(found, own):
        return Champion(identity, why="the champion recommends something else, or to somebody else")
    theirs = replace(own, project=own.project.model_copy(update={"model": found.project.model}))
    model, known = found.model, {name: form for rung in rungs.values() for name, form in rung.parts.items()}
    # a part that weighs nothing was sealed for its vectors alone
    names = [name for name in model.parts if any(mixed.get(name) for mixed in model.weights.values())]
    same = [name for name in names if name in known and theirs.options(name) == own.options(name)]
    if len(same) == len(names) and _recipe(model, names) == _recipe(rungs[adopted], list(rungs[adopted].parts)):
        return Champion(identity, why="it is the champion itself", itself=True)
    others = [name for name in names if name not in same]
    learnt: Mapping[str, Form] = forms_of(theirs.fits(own.before(JUDGES), others)) if others else {}
    parts = {name: like(model.parts[name], learnt.get(name) or known[name]) for name in names}
    return Champion(identity, Blend(parts, model.weights, model.states))


def _recommends_the_same(found: Recommender, own: Ground) -> bool:
    one, other = found.project, own.project
    keys = [section.key if section else None for section in (one.items, other.items)]
    return (one.label, one.entity, keys[0]) == (other.label, other.entity, keys[1])


def _recipe(model: Blend, names: list[str]) -> tuple[object, ...]:
    """What two models must have in common to be the same one, learnt from the same events by the same options."""
    lives = {name: getattr(model.parts[name], "half_life", None) for name in names}
    weights = {
        state: {name: weight for name, weight in mixed.items() if weight} for state, mixed in model.weights.items()
    }
    return lives, weights, model.states


def like(before: Form | None, fitted: Form) -> Form:
    """A newly fitted form with the half-life of the one before."""
    if isinstance(before, Popular | None) or not isinstance(fitted, Vectors | Factors | Weights):
        return fitted
    return replace(fitted, half_life=getattr(before, "half_life", None))
