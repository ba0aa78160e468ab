"""The share of positives among the top share of rows by score.

Use it when there is room to act on so many and no more, such as a call list. Not to compare data sets of different base
rates: `lift_at` divides it out.

Rows that tie at the edge of the share count by the part of the tie that fits, so the order of rows has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics._top import TopOptions, top

if TYPE_CHECKING:
    import numpy as np


class Options(TopOptions):
    """Options of precision at a share."""

    kind: Literal["precision_at"] = Field(default="precision_at", description="precision_at")


EXAMPLE: Final[dict[str, object]] = {"kind": "precision_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of positives among the rows that are looked at.

    Returns:
        0 to 1, where the base rate is chance; NaN when the rows hold one class only,
        no weight or a score that is not finite.
    """
    found = top(options, truth, score, weight)
    return float("nan") if found is None else found.positives / found.rows
