"""The share of the labels' variance that is explained (the coefficient of determination).

Use it to compare labels of different units. Not on few rows: one far label moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._numbers import numbers

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the coefficient of determination: none of its own."""

    kind: Literal["r2"] = Field(default="r2", description="r2")


EXAMPLE: Final[dict[str, object]] = {"kind": "r2"}
TASKS: Final = frozenset({"regression"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of the variance that is explained.

    Returns:
        Up to 1, 0 for always saying the mean; NaN where labels do not vary, without weight, or with
        a value that is not finite.
    """
    rows = numbers(truth, score, weight)
    if rows is None:
        return float("nan")
    variance = rows.mean((rows.truth - rows.mean(rows.truth)) ** 2)
    if not variance > 0:
        return float("nan")
    return 1.0 - rows.mean(rows.error**2) / variance
