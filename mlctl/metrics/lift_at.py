"""How many times more positives the top share of rows by score holds than a random pick of as many.

Use it to say in one plain number what a ranked list is worth. Not to compare data sets of very different base rates: it
cannot exceed one over the base rate.

Rows that tie at the edge of the share count by the part of the tie that fits, so the order of rows has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics._top import TopOptions, top

if TYPE_CHECKING:
    import numpy as np


class Options(TopOptions):
    """Options of lift at a share."""

    kind: Literal["lift_at"] = Field(default="lift_at", description="lift_at")


EXAMPLE: Final[dict[str, object]] = {"kind": "lift_at", "share": 0.1}
TASKS: Final = frozenset({"binary"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The precision at the share, over the base rate.

    Returns:
        0 to 1 / share, where 1 is chance; NaN when the rows hold one class only,
        no weight or a score that is not finite.
    """
    found = top(options, truth, score, weight)
    return float("nan") if found is None else found.positives / found.rows / (found.all_positives / found.all_rows)
