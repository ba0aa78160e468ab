"""The release that was live before, where `decide.fallback_by: previous` asks for it: which one, and what it is worth.

It is the champion; or, when the champion holds this very model, the one that the champion falls back to. So promoting a
release and making it again gives the same release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl.decide import PREVIOUS, Decider
from mlctl.encoding import Encoding
from mlctl.errors import ConfigError, DataError, Fault, first_line, listed
from mlctl.files import canonical_json, read_json, write_bytes
from mlctl.history import fingerprints
from mlctl.plan import compile_plan
from mlctl.release.beside import PREVIOUS_FILES, Previous, describe, open_previous, policy_of
from mlctl.releases import open_champion
from mlctl.spec import Project
from mlctl.stages._judging import judge_some
from mlctl.stages._rows import classes
from mlctl.stages.features import checked_tables
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FALLBACK: Final = "fallback"
UNSURE: Final = "unsure"
"""The model itself on the rows that it leaves to the release before it."""


def settle(places: Places, project: Project, adopted: str) -> tuple[Previous | None, str]:
    """Writes `PREVIOUS_FILES` beside the evaluation, for `package` to seal.

    Returns:
        The release that was live before, None where none is asked for or there is none; and a line for people.

    Raises:
        ConfigError: It foretells something else, or reads features that this project has no more.
        IntegrityError: The champion is missing or damaged.
    """
    for stale in (*places.evaluation.glob("previous.*"), *places.evaluation.glob("encoder-*")):
        stale.unlink()
    if project.decide.fallback_by != "previous":
        return None, ""
    contents = _contents(places, adopted)
    if not contents:
        return None, f"fallback: no other release was live before; '{project.decide.fallback}' is decided in its place"
    for name, data in contents.items():
        write_bytes(places.evaluation / name, data)
    previous = open_previous(places.evaluation, project.decide, f"mlctl evaluate projects/{places.name}")
    _must_fit(places, project, previous)
    return previous, f"fallback: where the model is not sure, release {previous.release} decides, which was live before"


def judged(
    places: Places,
    project: Project,
    previous: Previous | None,
    asked: tuple[pl.DataFrame, np.ndarray[Any, Any]],
    trained: Mapping[str, Any],
) -> dict[str, Any]:
    """The cohort `fallback`: test rows that the release before decides, by its scores and beside them the model's own.

    Args:
        places: The project's paths.
        project: The project.
        previous: The release before.
        asked: The test rows, and the model's scores of them.
        trained: The report of the training.
    """
    if previous is None:
        return {}
    rows, scores = asked
    condition = f"the model is not sure: decided by release {previous.release}"
    if (why := unfair(project)) is not None:
        return {FALLBACK: {"condition": condition, "rows": 0, "positive_share": None, "not_measured": why}}
    policy = policy_of(read_json(places.model / "policy.json"))
    known = classes(places)
    decided = Decider(project.decide, policy, project.label.task, known, trained["prior"], previous=previous)
    member = decided(rows, scores)["reason"] == PREVIOUS
    both = {trained["adopted"]: previous.graph.score(rows), UNSURE: scores}
    return {FALLBACK: {"condition": condition, **judge_some(project, rows, both, member, trained["adopted"])}}


def of_cold(
    places: Places, project: Project, previous: Previous, rows: pl.DataFrame, scores: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Scores of cold rows, with those of the release before where it decides."""
    second = previous(rows)
    taken = second.sure
    if project.decide.cold is not None:
        policy = policy_of(read_json(places.model / "policy.json"))
        own = Decider(project.decide, policy, project.label.task, classes(places))
        taken = taken & own.unsure(scores)
    scores = scores.copy()
    scores[taken] = second.scores[taken]
    return scores


def unfair(project: Project) -> str | None:
    """Why earlier releases cannot be judged on the test rows; None where they can."""
    if project.split.kind == "time":
        return None
    return f"split.kind {project.split.kind} may hold rows that taught it"


def _contents(places: Places, adopted: str) -> dict[str, bytes]:
    """The files of the release before; none where there is none."""
    champion = open_champion(places)
    if champion is None:
        return {}
    folder = places.releases / champion.id
    onnx, learnt = ((folder / name).read_bytes() for name in ("model.onnx", "encoding.json"))
    ours = [(places.model / f"{adopted}.{end}").read_bytes() for end in ("onnx", "encoding.json")]
    if [onnx, learnt] == ours:
        found = champion.previous
        names = () if found is None else (*PREVIOUS_FILES, *found.graph.encoding.files())
        return {name: (folder / name).read_bytes() for name in names}
    told = describe(champion.manifest, read_json(folder / "project.json"))
    read = {name: path.read_bytes() for name, path in champion.encoding.files().items()}
    return read | dict(zip(PREVIOUS_FILES, (onnx, learnt, canonical_json(told).encode()), strict=True))


def _must_fit(places: Places, project: Project, previous: Previous) -> None:
    """It must be able to decide about the rows of this project.

    Raises:
        ConfigError: It foretells something else, or reads other features.
    """
    theirs = previous.project
    hint = "set decide.fallback_by: word (or rule) for this release"
    known = classes(places)
    if (theirs.label, theirs.entity, previous.decider.classes) != (project.label, project.entity, known):
        why = f"release {previous.release}, which was live before, foretells another label"
        raise ConfigError.of_project(places.name, [Fault("decide.fallback_by", why, hint=hint)])
    if (theirs.features, theirs.sources) == (project.features, project.sources):
        return
    try:
        _, tables = checked_tables(places, project)
        columns = {name: table.columns for name, table in tables.items()}
        prints, ours = (fingerprints(compile_plan(one, columns)) for one in (theirs, project))
        read = _reads(theirs, previous.graph.encoding, prints)
        lost = sorted(name for name in read if prints[name] != ours.get(name))
        why = f"it reads {listed(lost)}, which this project computes otherwise, or not at all"
    except DataError as error:
        lost, why = ["?"], f"its features cannot be computed any more: {first_line(error)}"
    if lost:
        why = f"release {previous.release} was live before, and {why}"
        raise ConfigError.of_project(places.name, [Fault("decide.fallback_by", why, hint=hint)])


def _reads(theirs: Project, learnt: Encoding, prints: Mapping[str, str]) -> set[str]:
    """The features that it needs; all of them where a rule decides."""
    if any(encoded.form == "expression" for encoded in learnt.features):
        return set(prints)
    evidence = {theirs.decide.evidence} if theirs.decide.evidence is not None else set()
    return {encoded.feature for encoded in learnt.features} | evidence
