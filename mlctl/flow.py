"""The order of things: one stage, a run, a sweep. Nothing else is decided here."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mlctl import cached, config, dvc, git, lineage, snapshot
from mlctl.costs import ledger
from mlctl.errors import EXIT_REFUSED, ConfigError, MlctlError, Relayed
from mlctl.files import lock, read_json, without_secrets
from mlctl.gates import waivers
from mlctl.scoring.publishing import Published, publish
from mlctl.spec import Project
from mlctl.stages import ORDER, Report, Tell, recommending
from mlctl.times import moment_text
from mlctl.workspace import Places

STAGE_GRACE_S: Final = 15.0
_OF_DATA: Final = ("sources", "refresh", "name")
_OF_ACT: Final = "database"


@dataclass(frozen=True)
class Run:
    """What `mlctl run` did.

    Attributes:
        project: The project's name.
        overrides: The command line's part; with it the run was an experiment, and nothing was published.
        dataset: `as_of`, `version` and `rows` of the snapshot.
        git: `sha` and `dirty` of the project's inputs.
        stages: What each stage did, and why.
        gate: The gate's verdicts; empty when no gate was reached.
        metrics: The metrics of the model.
        committed: The same metrics in the last commit, for comparison; empty when there are none.
        refused: True when the gate refused.
        published: Where the scores are; None when nothing was published.
        release: The release's id, if one was sealed.
        seconds: Wall time.
    """

    project: str
    overrides: tuple[str, ...]
    dataset: Mapping[str, Any]
    git: Mapping[str, Any]
    stages: tuple[dvc.StageRun, ...]
    gate: tuple[Mapping[str, Any], ...]
    metrics: Mapping[str, Any]
    committed: Mapping[str, Any]
    refused: bool
    published: Published | None
    release: str
    seconds: float

    def record(self) -> dict[str, Any]:
        """The run as JSON-ready data."""
        told = {
            name: getattr(self, name)
            for name in ("project", "dataset", "git", "metrics", "committed", "refused", "release")
        }
        return {
            "format_version": "1.0",
            **told,
            "overrides": list(self.overrides),
            "stages": [stage.record() for stage in self.stages],
            "gate": list(self.gate),
            "published": None if self.published is None else {**vars(self.published)},
            "seconds": round(self.seconds, 2),
        }


def run(places: Places, overrides: Sequence[str], now: datetime, tell: Tell) -> Run:
    """Brings a project up to date and publishes its scores; with overrides, tries a variant and publishes nothing.

    Raises:
        MlctlError: Whatever a stage raises, with the stage's exit code. A refused gate is no error: `Run.refused`.
    """
    started = time.monotonic()
    with lock(places.lock, f"projects/{places.name}"), ledger.of_run(places, now):
        changes = [override for override in overrides if _section(override) != _OF_ACT]
        composed = config.compose(places, overrides)
        _refuse_data_overrides(changes)
        if not changes and composed.project.serving.kind == "batch":
            _reach_database(composed.project)
        # where to publish is no part of what is made: such overrides are not written down
        written = config.compose(places) if overrides and not changes else composed
        done, refused = _made(places, written, "check" if changes else None, now, tell)
        # a project that answers over HTTP has nothing to publish: its release is what is served
        ready = not refused and not changes and composed.project.serving.kind == "batch"
        published = publish(places, composed.project, now, tell) if ready else None
        return _told(places, tuple(changes), done, published, started)


def make(places: Places, now: datetime, tell: Tell) -> Run:
    """Brings a project's release up to date and leaves to others whom it answers: nothing is published.

    Raises:
        MlctlError: As `run`.
    """
    started = time.monotonic()
    with lock(places.lock, f"projects/{places.name}"), ledger.of_run(places, now):
        done, _ = _made(places, config.compose(places), None, now, tell)
        return _told(places, (), done, None, started)


def _made(
    places: Places, composed: config.Composed, downstream_of: str | None, now: datetime, tell: Tell
) -> tuple[dvc.Reproduction, bool]:
    """What was done to bring the stages up to date, and whether the gate refused."""
    write_params(places, composed, now)
    if dvc.enlist(places.name):
        tell("compose", f"added {places.name} to the projects in dvc.yaml")
    _ingest(places, composed.project, None, now, tell)
    done = _reproduce(places, downstream_of, tell)
    refused = done.exit_code == EXIT_REFUSED and done.failed == "gate"
    if done.exit_code and not refused:
        raise _failure(places, done)
    return done, refused


def sweep(places: Places, overrides: Sequence[str], now: datetime, tell: Tell) -> list[Run]:
    """Tries every combination of a multirun, then brings the committed configuration back.

    Raises:
        MlctlError: As `run`.
    """
    combinations = config.sweep(overrides)
    for combination in combinations:
        # a bad one is told before the first is tried
        _refuse_data_overrides(combination)
        config.compose(places, combination)
    runs = []
    try:
        for index, combination in enumerate(combinations, 1):
            tell("sweep", f"{index} of {len(combinations)}: {without_secrets(combination)}")
            runs.append(run(places, combination, now, tell))
    except MlctlError:
        _back(places, now, tell)
        raise
    _back(places, now, tell)
    return runs


def _back(places: Places, now: datetime, tell: Tell) -> None:
    """Ends a sweep: what lies in the workspace is of the committed configuration again."""
    tell("sweep", "back to the committed configuration")
    with lock(places.lock, f"projects/{places.name}"):
        write_params(places, config.compose(places), now)
        done = _reproduce(places, None, lambda *_: None)
        if done.exit_code not in (0, EXIT_REFUSED):
            raise _failure(places, done)


def write_params(places: Places, composed: config.Composed, now: datetime) -> bool:
    """Writes params.yaml with the waivers of the gate that count at this moment; True when it changed.

    Raises:
        ConfigError: waivers.yaml has faults.
        ExternalError: The file cannot be written.
    """
    entries = waivers.judged(places, composed.project, now.date())
    return config.write_params(places, composed, waivers.params(entries))


def stage(name: str, places: Places, now: datetime) -> Report:
    """Runs one stage on what the stages before it left, by the composed params.yaml.

    A waiver of the gate must count at `now`; no other stage knows the time.

    Raises:
        MlctlError: Whatever the stage raises.
        ConflictError: Another process writes artefacts of this project.
    """
    # a stage whose run was killed ends within seconds
    with (
        lock(places.stage_lock, f"the artefacts of projects/{places.name}", wait_s=STAGE_GRACE_S),
        ledger.entered(places, name, now) as line,
    ):
        if name == "compose":
            composed = config.compose(places)
            changed = write_params(places, composed, now)
            return Report("compose", f"{places.params} {'written' if changed else 'unchanged'}", composed.mapping)
        project = config.read_params(places)
        if os.environ.get("DVC_STAGE", "").partition("@")[0] == name:
            cached.prove_inputs(places, name)
        # what recommends has some stages of its own, and shares the others
        own = "recommending." if project.ranks() and name in recommending.STAGES else ""
        function = getattr(importlib.import_module(f"mlctl.stages.{own}{name}"), name)
        report: Report = function(places, project, now.date()) if name == "gate" else function(places, project)
        line.outcome = "refused" if report.refused else "done"
        return report


def ingest(places: Places, as_of: datetime | None, now: datetime, tell: Tell) -> Report:
    """Takes the project's snapshot for a moment (None: the one that is pinned).

    Raises:
        MlctlError: As the ingest stage.
    """
    with lock(places.lock, f"projects/{places.name}"), ledger.entered(places, "ingest", now) as line:
        report = _ingest(places, config.compose(places).project, as_of, now, tell)
        line.rows = sum(report.data["rows"].values())
        return report


def _ingest(places: Places, project: Project, as_of: datetime | None, now: datetime, tell: Tell) -> Report:
    from mlctl.stages.ingest import ingest as take

    report = take(places, project, as_of, now, lambda line: tell("ingest", line))
    tell("ingest", report.line)
    return report


def _reach_database(project: Project) -> None:
    """Finds out before the work begins that a database of somebody else's does not answer."""
    from mlctl import database

    where = config.with_secrets(project.database)
    if where.kind == "postgres":
        with database.open_database(where, Path.cwd()):
            pass


def _section(override: str) -> str:
    """The section that an override changes, such as `database` for `++database.keep=3`."""
    return override.lstrip("+~").partition("=")[0].split(".")[0]


def _refuse_data_overrides(overrides: Sequence[str]) -> None:
    for override in overrides:
        if _section(override) in _OF_DATA:
            why = "an experiment is run on the snapshot that everybody has; edit project.yaml to change what is read"
            raise ConfigError.bad_override(override, why)


def _reproduce(places: Places, downstream_of: str | None, tell: Tell) -> dvc.Reproduction:
    def hear(event: str, text: str) -> None:
        if event == "start":
            tell(text, "")
        elif text.partition(" ")[0] in ORDER:
            name, _, line = text.partition(" ")
            tell(name, line.strip())

    with snapshot.pointer_kept():
        done = dvc.reproduce(places.name, downstream_of, places.state / "run.log", hear)
    cached.prove_outputs(places, [stage.stage for stage in done.stages if stage.outcome == "restored"])
    return done


def _failure(places: Places, done: dvc.Reproduction) -> Relayed:
    """The failed stage's own words."""
    silent = (
        ("error", f"stage {done.failed} ended with exit code {done.exit_code}"),
        ("where", str(places.state / "run.log")),
    )
    return Relayed(done.exit_code, done.said or silent)


def _told(
    places: Places, overrides: tuple[str, ...], done: dvc.Reproduction, published: Published | None, started: float
) -> Run:
    taken = snapshot.read(places)
    dataset = {} if taken is None else {"as_of": moment_text(taken.as_of), "version": taken.version, "rows": taken.rows}
    gate = read_json(places.metrics / "gate.json")
    release = "" if not gate["passed"] else read_json(places.release / "manifest.json")["id"]
    metrics = places.metrics / "evaluation.json"
    return Run(
        project=places.name,
        overrides=overrides,
        dataset=dataset,
        git=lineage.git_state(places.name),
        stages=done.stages,
        gate=tuple(gate["rules"]),
        metrics=read_json(metrics),
        committed=git.json_at("HEAD", metrics) if overrides else {},
        refused=not gate["passed"],
        published=published,
        release=release,
        seconds=time.monotonic() - started,
    )
