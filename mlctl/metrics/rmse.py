"""The root of the mean squared error: in the label's unit, large errors count most.

Use it first for a number. Not where a few huge labels would decide alone: `mae`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._numbers import measured

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the root mean squared error: none of its own."""

    kind: Literal["rmse"] = Field(default="rmse", description="rmse")


EXAMPLE: Final[dict[str, object]] = {"kind": "rmse"}
TASKS: Final = frozenset({"regression"})
BETTER: Final[Literal["higher", "lower"]] = "lower"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The root of the mean squared error.

    Returns:
        The label's unit, from 0; NaN without weight or with a value that is not finite.
    """
    import numpy as np

    return measured(truth, score, weight, lambda rows: float(np.sqrt(rows.mean(rows.error**2))))
