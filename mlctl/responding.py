"""From what was watched to what is done: people are told, and what the project's `respond.act` asks for is begun.

What is decided and written down is `mlctl/alarms/`; here are the acts, each a function of the module that owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mlctl import alarms, ramp, releases, retraining, rollout
from mlctl.alarms import Alarm, Decision, Delivered, Found
from mlctl.errors import MlctlError
from mlctl.rollout import Note
from mlctl.scoring import publishing
from mlctl.spec import Action, Project
from mlctl.stages import Tell
from mlctl.watching.watch import Report
from mlctl.workspace import Places

Act = Callable[[Places, Project, Note, Tell], tuple[bool, str]]
"""Does it; whether it was done (else refused), and a line about it."""


@dataclass(frozen=True)
class Response:
    """What a watch led to.

    Attributes:
        open: The alarms that are open.
        delivered: What became of each message.
        decisions: What the alarms ask for, and why it is done or not.
        outcomes: By action that was begun, what became of it.
    """

    open: tuple[Alarm, ...]
    delivered: tuple[Delivered, ...]
    decisions: tuple[Decision, ...]
    outcomes: dict[Action, str]

    def record(self) -> dict[str, Any]:
        """The response as JSON-ready data."""
        return {
            "open": [alarm.record() for alarm in self.open],
            "delivered": [outcome.record() for outcome in self.delivered],
            "decisions": [decision.record() for decision in self.decisions],
            "outcomes": dict(self.outcomes),
        }


def respond(places: Places, project: Project, report: Report, now: datetime, tell: Tell) -> Response:
    """Takes in the last day of a report, sends what is to be told, and begins what the policy asks for.

    What no channel takes waits and is sent by the next watch. An act that fails is told and not tried again: the alarm
    is still open, and a person knows.

    Raises:
        ConflictError: Another command works on the alarms of this project.
        ExternalError: The disk.
    """
    last = report.days[-1]
    found = [Found(one.monitor, one.findings, one.runbook) for one in last.observations]
    opened = alarms.hear(places, project, found, last.day, now)
    delivered = alarms.deliver(places, project, now)
    decisions = alarms.decisions(places, project, now)
    outcomes = {
        decision.action: _done(places, project, decision, now, tell)
        for decision in decisions
        if decision.verdict == "act" and alarms.begun(places, decision, now)
    }
    return Response(tuple(opened), tuple(delivered), tuple(decisions), outcomes)


def _done(places: Places, project: Project, decision: Decision, now: datetime, tell: Tell) -> str:
    tell("respond", f"{decision.command}: {decision.why}")
    try:
        done, line = _ACTS[decision.action](places, project, Note("mlctl monitor", now, decision.why), tell)
    except MlctlError as error:
        outcome, line = "failed", " ".join(text for _, text in error.lines())
    else:
        outcome = "done" if done else "refused"
    alarms.ended(places, decision, outcome, line, now)
    tell("respond", f"{decision.action} {outcome}: {line}")
    return outcome


def _hold(places: Places, project: Project, note: Note, tell: Tell) -> tuple[bool, str]:
    found = rollout.read(places)
    if not found.challenger:
        return False, "there is no challenger whose share could grow"
    share = f"the challenger keeps its {found.traffic.percent:g} %"
    return True, f"{share}; mlctl ramp --next waits until the alarm is gone"


def _rollback(places: Places, project: Project, note: Note, tell: Tell) -> tuple[bool, str]:
    found = rollout.read(places)
    if found.challenger:
        ramp.off(places, note)
        return True, f"the challenger {found.challenger[:12]} answers nobody any more"
    if project.serving.kind == "batch":
        back = publishing.back(places, project, None, note.at)
        return not back.already, f"{back.live.view} shows {back.live.rows:,} scores of run {back.live.run_id} again"
    done = releases.back(places, None, note)
    return not done.already, f"{done.name} ({done.release}) answers again, in place of {done.before}"


def _retrain(places: Places, project: Project, note: Note, tell: Tell) -> tuple[bool, str]:
    today = note.at.replace(hour=0, minute=0, second=0, microsecond=0)
    done = retraining.retrain(retraining.Order((places,), today, True, note), tell)
    became = done.projects[0]
    return not done.refused, f"{became.release or 'no release'}: {became.outcome}, {done.kept}"


_ACTS: Final[dict[Action, Act]] = {"hold": _hold, "rollback": _rollback, "retrain": _retrain}
