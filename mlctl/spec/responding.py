"""What is done about an alarm beside telling people: respond."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration

Action = Literal["retrain", "hold", "rollback"]
"""What an alarm may start: training on the latest data, a ramp that stays where it is, what was live before."""


class Respond(Record):
    """What is done about an alarm."""

    act: dict[str, Action] = Field(
        default_factory=dict,
        description="by monitor, or a pattern such as drift_*: retrain (mlctl retrain --latest), hold (the ramp stays "
        "where it is), rollback (what was live before); once for each alarm",
    )
    repeat: Duration | None = Field(
        default=None, description="an alarm that is still open is told again after so long; default: it is not"
    )
    recover_after: int = Field(
        default=1, ge=1, le=100, description="days without a finding until an alarm counts as recovered"
    )
    most_pages: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="most new alarms that one watch tells by themselves; the rest come together",
    )
    most_false: int = Field(
        default=2, ge=0, description="false alarms that a month may have: mlctl alerts budget counts those marked"
    )
