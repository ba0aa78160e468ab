"""The mean squared distance between score and truth: calibration and sharpness in one bounded number.

Use it like `log_loss` where a single mistaken certainty must not dominate. Not to compare data sets of different base
rates: always saying the base rate already scores rate * (1 - rate).

Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950), in the form for
two outcomes, 0 to 1; of several classes in its first form, the sum over the classes, 0 to 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._classes import by_class
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the Brier score: none of its own."""

    kind: Literal["brier"] = Field(default="brier", description="brier")


EXAMPLE: Final[dict[str, object]] = {"kind": "brier"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "lower"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean squared distance of a row.

    Returns:
        0 to 1 (several classes: to 2); NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    if score.ndim > 1:
        return by_class(truth, score, weight, lambda true, squares: 1.0 - 2.0 * true + squares)
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    distance = rows.score - rows.truth
    return float(rows.weight @ (distance * distance)) / float(rows.weight.sum())
