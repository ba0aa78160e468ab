"""The share of rows that are foretold right: the likeliest class, or yes from a threshold on.

Use it where every mistake costs the same and no class is rare. Not where one is: always saying the other is right
nearly always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._classes import likeliest

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of accuracy."""

    kind: Literal["accuracy"] = Field(default="accuracy", description="accuracy")
    threshold: float = Field(default=0.5, ge=0, le=1, description="of yes or no: scores from here on say yes, 0 to 1")


EXAMPLE: Final[dict[str, object]] = {"kind": "accuracy"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of rows that are foretold right.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    found = likeliest(truth, score, weight, options.threshold)
    if found is None:
        return float("nan")
    right, heavy = found
    return float(heavy @ right) / float(heavy.sum())
