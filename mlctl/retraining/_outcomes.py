"""What is asked of a retraining, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mlctl.dvc import StageRun
from mlctl.lineage.differences import Difference
from mlctl.rollout import Note
from mlctl.workspace import Places

BUDGET_S: Final = 20 * 60.0
"""What is promised for one project."""
REFUSED: Final = "refused"


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        projects: Whose releases are to be brought up to date.
        as_of: The moment of the data; None: the one that data.dvc pins.
        commit: Whether what was made is committed; else it is left staged.
        note: By whose word, when and why; the history of the rollout keeps it.
    """

    projects: tuple[Places, ...]
    as_of: datetime | None
    commit: bool
    note: Note


@dataclass(frozen=True)
class Retraining:
    """What became of one project.

    Attributes:
        project: Its name.
        outcome: `champion`, `challenger`, `waiting` (another one is on trial) or `refused`.
        release: The release's number and id, such as `churn/7 (1f2e...)`; empty where the gate refused.
        at_rest: Whether nothing that it rests on was new, so that nothing was done.
        why: Which inputs are not as they were.
        differences: Against the champion of the beginning.
        stages: What each step did, why, and its seconds.
        gate: The gate's verdicts.
        remarks: What a person should know, such as why it was not promoted.
    """

    project: str
    outcome: str
    release: str = ""
    at_rest: bool = False
    why: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    stages: tuple[StageRun, ...] = ()
    gate: tuple[Mapping[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(stage.seconds for stage in self.stages)

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {
            **{name: getattr(self, name) for name in ("project", "outcome", "release", "at_rest")},
            "why": list(self.why),
            "differences": [difference.record() for difference in self.differences],
            "stages": [stage.record() for stage in self.stages],
            "gate": list(self.gate),
            "remarks": list(self.remarks),
            "seconds": round(self.seconds, 2),
            "budget_s": BUDGET_S,
        }


@dataclass(frozen=True)
class Retrained:
    """What became of all of them: the projects, the commit (empty: none was made), and what is told of it."""

    projects: tuple[Retraining, ...]
    commit: str
    kept: str

    @property
    def refused(self) -> bool:
        """Whether a gate refused."""
        return any(project.outcome == REFUSED for project in self.projects)

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        projects = [project.record() for project in self.projects]
        return {"format_version": "1.0", "projects": projects, "commit": self.commit, "kept": self.kept}
