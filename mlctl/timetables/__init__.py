"""A timetable is a function from a project's schedule to the files that a scheduler takes.

Every kind states the time zone, lets one run of an act work at a time, and says what becomes of a time that passed
while nobody could run it. A run that is missed all the same is told, from the ledger, by `mlctl freshness` and by the
monitor `missed_runs`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mlctl import kinds
from mlctl.costs import ledger
from mlctl.cron import Cron, parse
from mlctl.spec import Project
from mlctl.spec.scheduling import Schedule
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

USUAL: Final = {"score": "0 2 * * *", "monitor": "0 6 * * *", "retrain": "0 3 * * sun"}
"""Times for a project whose YAML says none."""
KINDS: Final = ("airflow", "cron", "cronjob", "github", "timers")

Files = dict[str, str | bytes]


@dataclass(frozen=True)
class Act:
    """Something that is done by itself.

    Attributes:
        name: score, monitor or retrain.
        when: When it is due.
        commands: What is typed, one after the other while each ends well.
        fine: Exit codes besides 0 that are no failure: an alarm of the monitors is told by the alerts.
    """

    name: str
    when: Cron
    commands: tuple[tuple[str, ...], ...]
    fine: tuple[int, ...] = ()

    def line(self, program: str = "mlctl") -> str:
        """The commands as one line of a shell."""
        typed = " && ".join(shlex.join([program, *words]) for words in self.commands)
        accepted = "".join(f" || [ $? -eq {code} ]" for code in self.fine)
        return f"{typed}{accepted}"


@dataclass(frozen=True)
class Timetable:
    """A project's acts and when they are due.

    Attributes:
        name: The project.
        acts: The acts.
        schedule: Time zone, catch-up and grace.
        root: The workspace's folder on this machine.
        program: The mlctl of this machine.
        image: An image that holds the workspace and mlctl, for schedulers that start containers.
    """

    name: str
    acts: tuple[Act, ...]
    schedule: Schedule
    root: str
    program: str
    image: str

    @property
    def dns_name(self) -> str:
        """The project's name as Kubernetes takes names."""
        return self.name.strip("_").replace("_", "-")


def timetable(project: Project, root: str, program: str, image: str | None) -> Timetable:
    """The timetable of a project; the usual times where its YAML says none."""
    times = project.schedule.acts() or USUAL
    acts = [_act(project, name, when) for name, when in times.items() if name != "score" or _scores(project)]
    return Timetable(project.name, tuple(acts), project.schedule, root, program, image or f"{project.name}:latest")


def files(kind: str, of: Timetable) -> Files:
    """The files of a kind by path.

    Raises:
        ConfigError: There is no such kind.
    """
    made: Files = kinds.load("timetables", kind).files(of)
    return made


def _scores(project: Project) -> bool:
    """Whether there is something to score or to index by night."""
    return project.ranks() or project.serving.kind == "batch"


def _act(project: Project, name: str, when: str) -> Act:
    own = project.name
    newest = (("ingest", own, "--latest"), ("check", own))
    scored = [("score", own)] if project.serving.kind == "batch" else []
    commands: Mapping[str, tuple[tuple[str, ...], ...]] = {
        "score": (*newest, *([("features", own), ("index", own)] if project.ranks() else []), *scored),
        "monitor": (("monitor", own),),
        "retrain": (("retrain", "--latest", own),),
    }
    return Act(name, parse(when), commands[name], (9,) if name == "monitor" else ())


@dataclass(frozen=True)
class Missed:
    """An act that was due and was not done: since when, and when it was last done (empty: never here)."""

    project: str
    act: str
    due: str
    last: str

    def sentence(self) -> str:
        """The finding in one line."""
        return f"{self.act} of {self.project} was due at {self.due} and was last done {self.last or 'never'}"


def missed(places: Places, project: Project, now: datetime) -> list[Missed]:
    """The acts of the schedule that by a moment were not done since they were last due, by this workspace's ledger."""
    schedule, found = project.schedule, []
    done = _last_done(places, now)
    for act, when in schedule.acts().items():
        due = parse(when).due_before(now - duration(schedule.grace), schedule.time_zone)
        last = done.get("index" if act == "score" and project.ranks() else act)
        if due is not None and (last is None or last < due):
            found.append(Missed(places.name, act, moment_text(due), moment_text(last) if last else ""))
    return found


def _last_done(places: Places, until: datetime) -> dict[str, datetime]:
    """When before a moment each act last ended well; a retraining that the gate refused has been done."""
    found: dict[str, datetime] = {}
    for entry in ledger.read(places, until=until):
        if entry.outcome in ("done", "refused"):
            found[entry.act] = max(entry.at, found.get(entry.act, entry.at))
    return found
