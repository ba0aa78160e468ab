"""When what is done by itself: schedule."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mlctl.cron import CronText, Zone
from mlctl.kinds import Record
from mlctl.times import Duration


class Schedule(Record):
    """When the acts of a project are due; `mlctl export cron` and others write it for a scheduler."""

    time_zone: Zone = Field(default="UTC", description="in which the times are meant, such as Europe/Vienna")
    score: CronText | None = Field(
        default=None, description="newest data, checks, and scores (of a recommender: its index): 0 2 * * *"
    )
    monitor: CronText | None = Field(default=None, description="mlctl monitor: 0 6 * * *")
    retrain: CronText | None = Field(default=None, description="mlctl retrain --latest: 0 3 * * sun")
    catch_up: Literal["once", "skip"] = Field(
        default="once", description="a time that passed while the machine was off: done once afterwards, or left out"
    )
    grace: Duration = Field(default="3h", description="a run that has not ended well so long after its time is missed")

    def acts(self) -> dict[str, str]:
        """What is scheduled, by its name, in the order of a day."""
        named = {"score": self.score, "monitor": self.monitor, "retrain": self.retrain}
        return {act: when for act, when in named.items() if when is not None}
