"""The share of rows on the right side of the threshold.

Use it when both mistakes cost the same and both classes are common. Not when positives are rare: never saying yes
already scores one minus the base rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of accuracy."""

    kind: Literal["accuracy"] = Field(default="accuracy", description="accuracy")
    threshold: float = Field(default=0.5, ge=0, le=1, description="the least score that counts as a yes, 0 to 1")


EXAMPLE: Final[dict[str, object]] = {"kind": "accuracy", "threshold": 0.5}
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The share of rows that are right.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    right = (rows.score >= options.threshold) == (rows.truth > 0.5)
    return float(rows.weight @ right) / float(rows.weight.sum())
