"""A plan that was looked at, done exactly as it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlctl import retraining
from mlctl.changes.plans import rests_on
from mlctl.errors import ConflictError, IntegrityError, listed
from mlctl.files import canonical_json, read_json, sha256_of
from mlctl.retraining import Order, Retrained
from mlctl.rollout import Note
from mlctl.stages import Tell
from mlctl.times import moment
from mlctl.workspace import Places


def apply(path: Path, project_of: Callable[[str], Places], note: Note, commit: bool, tell: Tell) -> Retrained:
    """Does what a plan says: the same data, the same stages, the same acts.

    Args:
        path: The plan, as `mlctl plan --out` wrote it.
        project_of: The project of a name.
        note: By whose word, when and why.
        commit: Whether what was made is committed.
        tell: Hears what happens.

    Raises:
        IntegrityError: The file is no plan, or was edited.
        ConflictError: Something that the plan rests on has changed since it was made.
        MlctlError: As `retraining.retrain`.
    """
    told = _read(path)
    places = {project["project"]: project_of(project["project"]) for project in told["projects"]}

    def prove() -> None:
        for project in told["projects"]:
            now = rests_on(places[project["project"]])
            moved = [name for name in {**project["rests_on"], **now} if project["rests_on"].get(name) != now.get(name)]
            if moved:
                raise ConflictError.changed_first(f"what {path.name} rests on", listed(moved), "mlctl plan again")

    wanted = [places[project["project"]] for project in told["projects"] if project["steps"] or project["changes"]]
    if not wanted:
        prove()
        return Retrained((), "", "the plan says that nothing is to be done")
    as_of = moment(told["as_of"]) if told["as_of"] else None
    return retraining.retrain(Order(tuple(wanted), as_of, commit, note), tell, prove)


def _read(path: Path) -> dict[str, Any]:
    next_step = f"mlctl plan --out {path}"
    told = read_json(path, next_step)
    if not isinstance(told, dict) or told.get("format_version") != "1.0" or "seal" not in told:
        raise IntegrityError.refused(str(path), "it is no plan that this version reads", next_step)
    found = sha256_of(canonical_json({key: value for key, value in told.items() if key != "seal"}))
    if found != told["seal"]:
        raise IntegrityError.damaged(str(path), told["seal"], found, next_step)
    return told
