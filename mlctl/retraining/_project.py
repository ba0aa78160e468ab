"""One project's way from new data to whom its release answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlctl import config, flow, git, materializing, online, parity, releases, rollout
from mlctl.dvc import StageRun
from mlctl.lineage import facts
from mlctl.lineage.differences import causes, differences
from mlctl.lineage.facts import Facts
from mlctl.retraining import _commit, _memory
from mlctl.retraining._outcomes import REFUSED, Order, Retraining
from mlctl.rollout import Traffic
from mlctl.scoring import publishing
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.workspace import Places


def bring_up_to_date(places: Places, order: Order, tell: Tell) -> Retraining:
    """Goes the whole way; of what nothing is new, the outcome of the last time is told.

    Raises:
        MlctlError: Whatever a step raises.
    """
    last = _memory.last(places, order.as_of)
    if last is not None and not (order.commit and git.changed(_commit.owned(places))):
        return Retraining(places.name, last["outcome"], last["release"], at_rest=True, remarks=tuple(last["remarks"]))
    return _Way(places, order, tell).go()


class _Way:
    """The steps, their seconds, and what is told of them."""

    def __init__(self, places: Places, order: Order, tell: Tell) -> None:
        self._places, self._order, self._tell = places, order, tell
        self._stages: list[StageRun] = []
        self._remarks: list[str] = []

    def go(self) -> Retraining:
        places, note = self._places, self._order.note
        before = _memory.begin(places, rollout.read(places).champion)
        with self._step("ingest", "the newest data" if self._order.as_of else "the data that is pinned"):
            flow.ingest(places, self._order.as_of, note.at, self._tell)
        made = self._make()
        if made.git["dirty"]:
            self._remarks.append("made from changes that no commit holds: nobody can make it again")
        project = config.read_params(places)
        if made.refused:
            return self._told(REFUSED, "", before, facts.of_project(places, project), made.gate)
        if not project.ranks():
            # a recommender has been asked for its golden histories when it was sealed; it has no second way to answer
            with self._step("parity", "each golden row alone answers as in a batch"):
                self._tell("parity", parity.of_golden_rows(places))
        found = facts.of_project(places, project)
        with self._step("register", "what passed the gate is kept"):
            entry = releases.register(places, found, note)
            self._tell("register", f"{entry.name} is release {entry.release}")
        outcome = self._appoint(project, entry, clean=not made.git["dirty"])
        self._act(project)
        if told := releases.tell_mlflow(places):
            self._tell("mlflow", told)
        return self._told(outcome, f"{entry.name} ({entry.release})", before, found, made.gate)

    def _act(self, project: Project) -> None:
        """What puts the answers before their readers; a server that runs takes a new champion by itself."""
        now = self._order.note.at
        publish = publishing.publish
        if project.ranks():
            from mlctl.indexing import lists, making

            publish = lists.publish
            with self._step("index", "servers look up the items of today"):
                making.index(self._places, now, self._tell)
        if project.serving.kind == "batch":
            with self._step("score", "readers see what the champion says"):
                publish(self._places, project, now, self._tell)
        elif online.current(self._places.online) and not project.ranks():
            with self._step("materialize", "servers look up the features of today"):
                materializing.materialize(self._places, None, False, self._tell)

    def _make(self) -> flow.Run:
        made = flow.make(self._places, self._order.note.at, self._tell)
        self._stages += made.stages
        return made

    def _appoint(self, project: Project, entry: releases.Entry, clean: bool) -> str:
        """Makes the release champion or challenger, as the policy says: what it is now."""
        found = rollout.read(self._places)
        if entry.release == found.champion:
            return "champion"
        if not found.champion or (project.refresh.promote == "gate" and clean):
            with self._step("promote", "the first release" if not found.champion else "refresh.promote: gate"):
                rollout.change(self._places, found, Traffic(entry.release), self._order.note)
                self._tell("promote", f"{entry.name} is the champion, after {found.champion or 'none'}")
            # the evaluation names the champion: what is committed must be what the next run would make
            self._make()
            return "champion"
        if project.refresh.promote == "gate":
            self._remarks.append("not promoted: commit the changes that it was made from, and retrain")
        if found.challenger not in ("", entry.release) and found.traffic.mode != "off":
            self._remarks.append(f"{found.challenger} is on trial; mlctl promote {entry.name} when that has ended")
            return "waiting"
        with self._step("challenge", "a person, or the evidence of a ramp, promotes it"):
            rollout.change(self._places, found, Traffic(found.champion, entry.release), self._order.note)
            self._tell("challenge", f"{entry.name} is the challenger of {found.champion}")
        return "challenger"

    @contextmanager
    def _step(self, name: str, why: str) -> Iterator[None]:
        began = time.monotonic()
        self._tell(name, "")
        yield
        self._stages.append(StageRun(name, "ran", why, time.monotonic() - began))

    def _told(
        self, outcome: str, release: str, before: str, now: Facts, gate: Sequence[Mapping[str, Any]]
    ) -> Retraining:
        then = releases.facts_of(self._places, before) if before else Facts()
        return Retraining(
            project=self._places.name,
            outcome=outcome,
            release=release,
            why=tuple(causes(then, now)) if before else ("it is the first release",),
            differences=tuple(differences(then, now)) if before else (),
            stages=tuple(_added_up(self._stages)),
            gate=tuple(gate),
            remarks=tuple(self._remarks),
        )


def _added_up(stages: Sequence[StageRun]) -> list[StageRun]:
    """One line a stage: of one that was looked at twice, the first that did something, and the seconds of both."""
    found: dict[str, StageRun] = {}
    for stage in stages:
        seen = found.get(stage.stage)
        if seen is None:
            found[stage.stage] = stage
        elif stage.outcome != "skipped":
            first = stage if seen.outcome == "skipped" else seen
            found[stage.stage] = StageRun(stage.stage, first.outcome, first.why, seen.seconds + stage.seconds)
    return list(found.values())
