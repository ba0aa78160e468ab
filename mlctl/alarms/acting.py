"""What an alarm starts, by the project's `respond.act`: a decision first, which is data, then the act, once.

That an act begins is written down before it does. Whatever happens then, the same open alarm never starts it again: an
act that was killed half-way is told, and is a person's to finish.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from mlctl.alarms import journal
from mlctl.alarms.journal import Alarm
from mlctl.spec import Action, Project
from mlctl.workspace import Places

Verdict = Literal["act", "done", "unfinished", "silenced", "false"]
_COMMANDS: Final[dict[Action, str]] = {
    "retrain": "mlctl retrain projects/{name} --latest",
    "hold": "mlctl ramp projects/{name} --status",
    "rollback": "mlctl rollback {what}{name}",
}
_FIRST: Final[tuple[Action, ...]] = ("rollback", "hold", "retrain")
"""What helps at once goes before what takes minutes."""


@dataclass(frozen=True)
class Decision:
    """What would be done about an alarm, and why; or why not.

    Attributes:
        alarms: The alarms that ask for it.
        action: What is asked for.
        verdict: `act` (it is begun now), `done` (it was), `unfinished` (it was begun and nobody wrote down its end),
            `silenced` (a person knows), `false` (a person said that it is a false alarm).
        why: The rule that asks for it, and what speaks against it.
        command: What a person would type for the same.
    """

    alarms: tuple[str, ...]
    action: Action
    verdict: Verdict
    why: str
    command: str

    def record(self) -> dict[str, Any]:
        """The decision as JSON-ready data."""
        return {**vars(self), "alarms": list(self.alarms)}


def decisions(places: Places, project: Project, now: datetime) -> list[Decision]:
    """What the open alarms ask for, what helps at once first; nothing is begun.

    Only alarms act; what is of severity `warn` is told.
    """
    book = journal.read(places)
    found: list[Decision] = []
    for alarm in book.open():
        if alarm.severity != "alarm":
            continue
        for action, rule in _asked(project, alarm):
            silence = book.silenced(alarm, now)
            found.append(_decided(project, alarm, action, rule, silence is not None))
    chosen = []
    for action in _FIRST:
        of_action = [decision for decision in found if decision.action == action]
        together = [decision for decision in of_action if decision.verdict == "act"]
        chosen += [decision for decision in of_action if decision.verdict != "act"]
        if together:
            # several alarms that ask for the same act now start it once
            whose = tuple(identity for decision in together for identity in decision.alarms)
            chosen.append(replace(together[0], alarms=whose))
    return chosen


def _asked(project: Project, alarm: Alarm) -> Sequence[tuple[Action, str]]:
    asked: dict[Action, str] = {}
    for pattern, action in project.respond.act.items():
        if any(fnmatch.fnmatchcase(name, pattern) for name in (*alarm.monitors, alarm.cause)):
            asked.setdefault(action, f"respond.act.{pattern}")
    return list(asked.items())


def _decided(project: Project, alarm: Alarm, action: Action, rule: str, silenced: bool) -> Decision:
    command = _COMMANDS[action].format(name=project.name, what="scores " if project.serving.kind == "batch" else "")
    because = f"{rule}: {action} on alarm {alarm.id} ({alarm.cause}, since {alarm.day})"
    before = alarm.acted.get(action)
    verdict: Verdict = "act"
    against = ""
    if before == "begun":
        verdict = "unfinished"
        against = "; it was begun and its end was not written down: look, and type it yourself if need be"
    elif before is not None:
        verdict, against = "done", f"; it was begun for this alarm before: {before}"
    elif alarm.verdict == "false":
        verdict, against = "false", "; it was marked as a false alarm"
    elif silenced:
        verdict, against = "silenced", "; it is silenced"
    return Decision((alarm.id,), action, verdict, because + against, command)


def held(places: Places) -> Alarm | None:
    """The open alarm for which a ramp stays where it is; None where it may go on."""
    return next((alarm for alarm in journal.read(places).open() if alarm.acted.get("hold") == "done"), None)


def begun(places: Places, decision: Decision, now: datetime) -> bool:
    """Writes down that an act begins; False when another command has begun it meanwhile.

    Raises:
        ConflictError: Another command holds the journal.
    """
    with journal.writing(places):
        alarms = journal.read(places).alarms
        if any(decision.action in alarms[identity].acted for identity in decision.alarms):
            return False
        journal.add(places, "begun", now, alarms=list(decision.alarms), action=decision.action, why=decision.why)
        return True


def ended(places: Places, decision: Decision, outcome: str, line: str, now: datetime) -> None:
    """Writes down what became of it: `done`, `refused` or `failed`, and a line about it.

    Raises:
        ConflictError: Another command holds the journal.
    """
    with journal.writing(places):
        told = {"alarms": list(decision.alarms), "action": decision.action, "outcome": outcome, "line": line}
        journal.add(places, "ended", now, **told)
