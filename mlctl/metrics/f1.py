"""The harmonic mean of precision and recall at the threshold.

Use it when a decision is made at a fixed threshold and positives are rare. Not before the threshold is chosen:
`average_precision` looks at all of them.

A model that never says yes scores 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of F1."""

    kind: Literal["f1"] = Field(default="f1", description="f1")
    threshold: float = Field(default=0.5, ge=0, le=1, description="the least score that counts as a yes, 0 to 1")


EXAMPLE: Final[dict[str, object]] = {"kind": "f1", "threshold": 0.5}
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The harmonic mean of precision and recall.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    yes = rows.weight * (rows.score >= options.threshold)
    return 2.0 * float(yes @ rows.truth) / float(yes.sum() + rows.weight @ rows.truth)
