"""`mlctl retrain`: from the newest data to a challenger or champion that answers, for one project or all.

Ingest, the stages of `dvc.yaml`, parity, registration, promotion where the policy says so, and then what puts the
scores before their readers. Each step finds out by itself that it was done already, so the same command after a kill
goes on
and ends in the same state: only who was champion at the beginning has to be remembered (`_memory.py`). What was made is
committed in one commit; a refusal is committed too, and leaves the champion where it was.
"""

from __future__ import annotations

from collections.abc import Callable

from mlctl import dvc, git
from mlctl.files import lock
from mlctl.retraining import _commit, _memory, _reports
from mlctl.retraining._outcomes import BUDGET_S, Order, Retrained, Retraining
from mlctl.retraining._project import bring_up_to_date
from mlctl.stages import Tell
from mlctl.workspace import STATE

__all__ = ["BUDGET_S", "Order", "Retrained", "Retraining", "retrain"]


def retrain(order: Order, tell: Tell, prove: Callable[[], None] = lambda: None) -> Retrained:
    """Brings releases up to date, compares them with what answered before, and commits what it made.

    Args:
        order: What is asked for.
        tell: Hears what happens.
        prove: Called once nobody else can retrain, before anything is done; raises where it must not be done.

    Raises:
        MlctlError: Whatever a step raises; what was done until then stays, and the same command goes on.
        ConflictError: Another retraining is under way in this workspace; the message names it.
    """
    with lock(STATE / "locks" / "retrain.lock", "the releases of this workspace"):
        prove()
        pipeline_is_ours = not git.changed([str(dvc.PIPELINE)])
        done = []
        for places in order.projects:
            if len(order.projects) > 1:
                tell("retrain", f"{places.name}: {places.folder}")
            done.append(bring_up_to_date(places, order, tell))
        for places, became in zip(order.projects, done, strict=True):
            _reports.write(places, became, order.note.at)
        patterns = [pattern for places in order.projects for pattern in _commit.owned(places)]
        commit, kept = _commit.keep([*patterns, *([str(dvc.PIPELINE)] if pipeline_is_ours else [])], done, order)
        for places, became in zip(order.projects, done, strict=True):
            _memory.finish(places, became)
    return Retrained(tuple(done), commit, kept)
