"""The mean size of the error, in the label's unit: what one is off on average.

Use it where an error twice as large is twice as bad. Not where large errors must not happen: `rmse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._numbers import measured

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the mean absolute error: none of its own."""

    kind: Literal["mae"] = Field(default="mae", description="mae")


EXAMPLE: Final[dict[str, object]] = {"kind": "mae"}
TASKS: Final = frozenset({"regression"})
BETTER: Final[Literal["higher", "lower"]] = "lower"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean size of the error.

    Returns:
        The label's unit, from 0; NaN without weight or with a value that is not finite.
    """
    import numpy as np

    return measured(truth, score, weight, lambda rows: rows.mean(np.abs(rows.error)))
