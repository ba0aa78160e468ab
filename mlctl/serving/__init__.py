"""A serving mode is a function from a release and requests to decisions."""

from __future__ import annotations

from pydantic import Field

from mlctl.kinds import Record


class ServingOptions(Record):
    """What every serving mode says, whatever its kind."""

    kind: str = Field(description="the serving mode: mlctl explain serving")
