"""What a unit of work costs, what may be spent, and what acting is worth: cost."""

from __future__ import annotations

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration


class Cost(Record):
    """Prices, what may be spent, and what acting is worth. The defaults are round figures; conf/cost/ is yours."""

    currency: str = Field(default="EUR", min_length=1, max_length=8, description="of every price and sum")
    cpu_hour: float = Field(default=0.04, ge=0, description="price of one processor for one hour")
    gib_month: float = Field(default=0.02, ge=0, description="price of a GiB that is kept for a month")
    gib_written: float = Field(default=0.0, ge=0, description="price of a GiB written to disk")
    prediction: float = Field(default=0.0, ge=0, description="price of one prediction, such as of a service behind it")
    holdout_share: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="share of entities of a batch that are never acted upon, always the same ones: what acting brings "
        "is measured against them (mlctl roi)",
    )
    avoided: float = Field(default=0.0, ge=0, description="what it is worth when acting avoids one label 1")
    action: float = Field(default=0.0, ge=0, description="what one action costs")
    budget_month: float | None = Field(
        default=None, gt=0, description="most that a month may cost; more is a finding of mlctl monitor"
    )
    every: Duration = Field(default="1d", description="how often the project is brought up to date")
