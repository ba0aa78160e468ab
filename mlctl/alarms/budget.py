"""How many alarms a month had, how many of them people marked as false, and how many they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlctl.alarms import journal
from mlctl.spec import Project
from mlctl.workspace import Places


@dataclass(frozen=True)
class Budget:
    """The false alarms of one month.

    Attributes:
        month: Such as `2026-11`.
        alarms: Alarms that people were told of and that began in it.
        false: Those of them that were marked as false.
        true: Those that were marked as right.
        most: False ones that the project allows itself.
        by_monitor: Alarms and false ones by monitor.
    """

    month: str
    alarms: int
    false: int
    true: int
    most: int
    by_monitor: dict[str, tuple[int, int]]

    @property
    def spent(self) -> bool:
        """Whether there were more false ones than the budget has."""
        return self.false > self.most

    def record(self) -> dict[str, Any]:
        """The budget as JSON-ready data."""
        monitors = {name: {"alarms": count[0], "false": count[1]} for name, count in self.by_monitor.items()}
        unmarked = self.alarms - self.false - self.true
        return {**vars(self), "by_monitor": monitors, "unmarked": unmarked, "spent": self.spent}


def budget(places: Places, project: Project, month: str | None = None) -> list[Budget]:
    """One budget a month in which people were told of an alarm, or the one that is asked for.

    Args:
        places: The project's paths.
        project: The project.
        month: Such as `2026-11`; None: every month.
    """
    told = [alarm for alarm in journal.read(places).alarms.values() if alarm.told]
    months = [month] if month else sorted({f"{alarm.opened_at:%Y-%m}" for alarm in told})
    made = []
    for name in months:
        of_month = [alarm for alarm in told if f"{alarm.opened_at:%Y-%m}" == name]
        by_monitor: dict[str, tuple[int, int]] = {}
        for alarm in of_month:
            for monitor in alarm.monitors:
                count, false = by_monitor.get(monitor, (0, 0))
                by_monitor[monitor] = (count + 1, false + (alarm.verdict == "false"))
        verdicts = [alarm.verdict for alarm in of_month]
        most = project.respond.most_false
        made.append(Budget(name, len(of_month), verdicts.count("false"), verdicts.count("true"), most, by_monitor))
    return made
