"""The share of all positives that stands in the top share of rows by score.

Use it when a missed positive is what costs, and so many can be looked at. Not without a look at `precision_at`: a share
of 1 finds everybody.

Rows that tie at the edge of the share count by the part of the tie that fits, so the order of rows has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics._top import TopOptions, top

if TYPE_CHECKING:
    import numpy as np


class Options(TopOptions):
    """Options of recall at a share."""

    kind: Literal["recall_at"] = Field(default="recall_at", description="recall_at")


EXAMPLE: Final[dict[str, object]] = {"kind": "recall_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of the positives that is found.

    Returns:
        0 to 1, where `share` is chance; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    found = top(options, truth, score, weight)
    return float("nan") if found is None else found.positives / found.all_positives
