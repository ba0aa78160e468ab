"""A plan that was looked at, done exactly as it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlctl import retraining
from mlctl.changes.backfills import Stretch, compute
from mlctl.changes.plans import made_by_retraining, rests_on
from mlctl.errors import ConflictError, IntegrityError, listed
from mlctl.files import canonical_json, read_json, sha256_of, write_json
from mlctl.history.backfill import Advance, Done
from mlctl.retraining import Order, Retrained
from mlctl.rollout import Note
from mlctl.stages import Tell
from mlctl.times import moment
from mlctl.workspace import STATE, Places

Hears = tuple[Tell, Advance]
"""Who hears what happens, and who hears how many partitions are done."""
_BEGUN: Final = STATE / "apply.json"
"""The seal of the plan that is being applied; gone once it is."""


@dataclass(frozen=True)
class Applied:
    """What became of a plan: of the releases, and of each stretch of history that was computed again, by project."""

    retrained: Retrained
    backfilled: Mapping[str, Sequence[Done]]

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        stretches = {name: [one.record() for one in done] for name, done in self.backfilled.items()}
        return {**self.retrained.record(), "backfills": stretches}


def apply(path: Path, project_of: Callable[[str], Places], note: Note, commit: bool, hears: Hears) -> Applied:
    """Does what a plan says: the same data, the same stages, the same acts, the same stretches of history.

    What it has begun is remembered, so that after a kill the same plan goes on, although what it rests on has moved by
    its own first steps.

    Args:
        path: The plan, as `mlctl plan --out` wrote it.
        project_of: The project of a name.
        note: By whose word, when and why.
        commit: Whether what was made is committed.
        hears: Hear what happens.

    Raises:
        IntegrityError: The file is no plan, or was edited.
        ConflictError: Something that the plan rests on has changed since it was made.
        MlctlError: As `retraining.retrain` and `backfill.run`.
    """
    told = _read(path)
    tell, advance = hears
    projects = {project["project"]: project for project in told["projects"]}
    places = {name: project_of(name) for name in projects}

    def prove() -> None:
        _prove(path, told, places)
        write_json(_BEGUN, {"seal": told["seal"]})

    wanted = [places[name] for name, project in projects.items() if _of_releases(project)]
    if wanted:
        as_of = moment(told["as_of"]) if told["as_of"] else None
        done = retraining.retrain(Order(tuple(wanted), as_of, commit, note), tell, prove)
    else:
        prove()
        done = Retrained((), "", "the plan says that nothing is to be made anew")
    backfilled = {}
    for name, project in projects.items():
        stretches = [Stretch.of_record(one) for one in project["partitions"]["stretches"]]
        if stretches:
            tell("backfill", f"{name}: {len(stretches)} stretches of its history")
            backfilled[name] = compute(places[name], stretches, note.at, advance)
    _BEGUN.unlink()
    return Applied(done, backfilled)


def _of_releases(project: Mapping[str, Any]) -> bool:
    """Whether a project's plan asks for more than its history."""
    return bool(project["changes"]) or any(step["name"] != "backfill" for step in project["steps"])


def _prove(path: Path, told: Mapping[str, Any], places: Mapping[str, Places]) -> None:
    """Refuses a plan of which anything has moved that it rests on, but by its own first steps."""
    goes_on = _BEGUN.is_file() and read_json(_BEGUN)["seal"] == told["seal"]
    for project in told["projects"]:
        then, now = project["rests_on"], rests_on(places[project["project"]])
        own = made_by_retraining(places[project["project"]]) if goes_on else ()
        moved = [name for name in {**then, **now} if then.get(name) != now.get(name) and name not in own]
        if moved:
            raise ConflictError.changed_first(f"what {path.name} rests on", listed(moved), "mlctl plan again")


def _read(path: Path) -> dict[str, Any]:
    next_step = f"mlctl plan --out {path}"
    told = read_json(path, next_step)
    if not isinstance(told, dict) or told.get("format_version") != "1.0" or "seal" not in told:
        raise IntegrityError.refused(str(path), "it is no plan that this version reads", next_step)
    found = sha256_of(canonical_json({key: value for key, value in told.items() if key != "seal"}))
    if found != told["seal"]:
        raise IntegrityError.damaged(str(path), told["seal"], found, next_step)
    return told
