"""The steps of a ramp: where a rollout stands in `rollout.steps`, and what is next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mlctl.rollout.record import Rollout
from mlctl.spec import RolloutPolicy
from mlctl.times import duration, moment_text


@dataclass(frozen=True)
class Next:
    """The next step.

    Attributes:
        percent: The share that it sets; None: there is no further one.
        due: Whether it may be taken now.
        why: What it waits for; empty when it is due.
    """

    percent: float | None
    due: bool
    why: str = ""


def next_step(policy: RolloutPolicy, now: Rollout, at: datetime) -> Next:
    """The step after the share that the challenger has, and whether its pauses are over.

    Args:
        policy: The project's `rollout:`.
        now: The rollout as it is.
        at: The present.
    """
    wait, person = timedelta(), False
    for step in policy.steps:
        if step.pause is not None:
            person |= step.pause.duration is None
            wait += duration(step.pause.duration) if step.pause.duration else timedelta()
        elif (step.set_weight or 0) <= now.traffic.percent:
            wait, person = timedelta(), False
        else:
            until = (now.note.at if now.note else at) + wait
            if person:
                return Next(step.set_weight, False, "the steps pause until a person says: mlctl ramp PROJECT PERCENT")
            due = at >= until
            return Next(step.set_weight, due, "" if due else f"the steps pause until {moment_text(until)}")
    return Next(None, False, "there is no further step; mlctl promote makes it the champion")
