"""The loss of a foretold quantile: too low costs `quantile` a unit, too high costs the rest of 1.

Use it where running out is worse than keeping too much. Not for a mean: at 0.5 it is half of `mae`.

Koenker and Bassett, "Regression quantiles", Econometrica 46 (1978).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._numbers import measured

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of pinball loss."""

    kind: Literal["pinball"] = Field(default="pinball", description="pinball")
    quantile: float = Field(default=0.5, gt=0, lt=1, description="the quantile that is foretold, above 0 to below 1")


EXAMPLE: Final[dict[str, object]] = {"kind": "pinball", "quantile": 0.9}
TASKS: Final = frozenset({"regression"})
BETTER: Final[Literal["higher", "lower"]] = "lower"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean loss of a row.

    Returns:
        The label's unit, from 0; NaN without weight or with a value that is not finite.
    """
    import numpy as np

    low, high = options.quantile, options.quantile - 1
    return measured(truth, score, weight, lambda rows: rows.mean(np.maximum(low * rows.error, high * rows.error)))
