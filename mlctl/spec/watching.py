"""What monitors hold a day against: baseline."""

from __future__ import annotations

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration


class Baseline(Record):
    """What training keeps of its rows, sealed with the release as sketches."""

    days: int = Field(
        default=28,
        ge=0,
        le=400,
        description="days before the snapshot's end whose scores show what usual days are like, where features hang on "
        "time; 0: days are drawn from the training rows",
    )
    every: Duration = Field(default="1d", description="distance between those days")
    bins: int = Field(default=32, ge=4, le=256, description="most bins of a number, of equally many training rows each")
    categories: int = Field(default=100, ge=2, le=1000, description="most values of a category that are told apart")
    sample: int = Field(
        default=20_000,
        ge=100,
        description="most entities of such a day, the same ones on every day; chosen by their key",
    )
