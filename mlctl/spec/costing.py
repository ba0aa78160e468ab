"""What work may cost and what a unit of it costs: cost."""

from __future__ import annotations

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration


class Cost(Record):
    """Prices, and what may be spent. The defaults are round figures; write your own into conf/cost/."""

    currency: str = Field(default="EUR", min_length=1, max_length=8, description="of every price and sum")
    cpu_hour: float = Field(default=0.04, ge=0, description="price of one processor for one hour")
    gib_month: float = Field(default=0.02, ge=0, description="price of a GiB that is kept for a month")
    gib_written: float = Field(default=0.0, ge=0, description="price of a GiB written to disk")
    prediction: float = Field(default=0.0, ge=0, description="price of one prediction, such as of a service behind it")
    budget_month: float | None = Field(
        default=None, gt=0, description="most that a month may cost; more is a finding of mlctl monitor"
    )
    every: Duration = Field(default="1d", description="how often the project is brought up to date")
