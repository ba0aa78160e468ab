"""What is recommended, and whose evidence counts as how much: items."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mlctl.kinds import Record


class States(Record):
    """How much is known about a user: from how many items in the history each state begins; below is `cold`."""

    warming: int = Field(default=1, ge=1, description="from so many items on a user is warming")
    warm: int = Field(default=5, ge=2, description="from so many items on a user is warm")

    @model_validator(mode="after")
    def _rising(self) -> States:
        if self.warm <= self.warming:
            raise ValueError("`warm` begins above `warming`")
        return self

    def begins(self) -> tuple[tuple[str, int], ...]:
        """Each state and the number of items from which it begins.

        >>> States().begins()
        (('cold', 0), ('warming', 1), ('warm', 5))
        """
        return (("cold", 0), ("warming", self.warming), ("warm", self.warm))

    def conditions(self) -> dict[str, str]:
        """Each state as a condition over `had`, the number of items in a history.

        >>> States().conditions()["warming"]
        'had >= 1 and had < 5'
        """
        return {
            "cold": f"had < {self.warming}",
            "warming": f"had >= {self.warming} and had < {self.warm}",
            "warm": f"had >= {self.warm}",
        }


class Items(Record):
    """What is recommended."""

    key: str = Field(description="column that identifies an item in every source")
    source: str | None = Field(
        default=None, description="table that lists the items; default: those that somebody had, without texts"
    )
    text: tuple[str, ...] = Field(default=(), description="columns of the source that say what an item is")
    columns: tuple[str, ...] = Field(default=(), description="columns of the source that a request may filter by")
    k: int = Field(default=10, ge=1, le=1000, description="how many items are shown")
    seen: Literal["hide", "show"] = Field(
        default="hide", description="whether items that a user had already are shown again"
    )
    judged_users: int = Field(
        default=4000, ge=10, le=1_000_000, description="most users who judge; of more some are drawn by split.seed"
    )
    states: States = Field(default_factory=States, description="who is cold, warming and warm")
