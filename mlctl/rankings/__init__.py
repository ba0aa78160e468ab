"""A ranking metric is a function from lists of items, and what came then, to one number.

A kind prepares what it needs of the lists once, and then gives its value for any weights of the cases, so that a
thousand resamples cost little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Weighed = Callable[["Array"], float]
"""Weights float (cases,) to the metric's value; NaN where it is not defined."""


@dataclass(frozen=True)
class Lists:
    """What was shown, and what came then.

    Attributes:
        items: int (cases, longest list): positions of items, the best first; -1 where no more existed.
        hits: bool (cases, longest list): whether the user had the item then.
        relevant: int (cases,): how many items the user had then.
        users_of: int (items,): how many users had an item before.
        users: How many users there were.
    """

    items: Array
    hits: Array
    relevant: Array
    users_of: Array
    users: int


class RankingOptions(Record):
    """What every ranking metric says, whatever its kind."""

    kind: str = Field(description="the metric's kind: mlctl explain rankings")
    k: int = Field(default=10, ge=1, le=1000, description="how many items of a list count")


class Ranking(Protocol):
    """The functions of a ranking metric (the module itself satisfies this)."""

    Options: type[RankingOptions]
    EXAMPLE: dict[str, object]
    BETTER: Literal["higher", "lower"]

    def measure(self, options: Any, lists: Lists) -> Weighed:
        """The metric of the lists, for any weights of the cases."""
        ...


def mean_of(values: Array) -> Weighed:
    """The weighted mean of one value a case; NaN cases count nothing.

    >>> import numpy as np
    >>> mean_of(np.array([1.0, 0.0, float("nan")]))(np.array([3.0, 1.0, 5.0]))
    0.75
    """
    import numpy as np

    told = ~np.isnan(values)
    filled = np.where(told, values, 0.0)

    def weighed(weight: Array) -> float:
        total = float((weight * told).sum())
        return float((weight * filled).sum()) / total if total else float("nan")

    return weighed
