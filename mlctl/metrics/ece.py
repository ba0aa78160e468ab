"""How far the scores lie from the frequencies they promise: the expected calibration error.

Use it before a threshold or a price is set on the score itself. Not alone: always saying the base rate scores 0.

15 bins of equal width over 0 to 1, as in Guo et al., "On calibration of modern neural networks", ICML 2017; of P(label
= 1), as in Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015. A score on an
edge belongs to the bin above it. On few rows the noise of each bin makes even a perfect model score above 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._rows import usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the expected calibration error: none of its own."""

    kind: Literal["ece"] = Field(default="ece", description="ece")


EXAMPLE: Final[dict[str, object]] = {"kind": "ece"}
TASKS: Final = frozenset({"binary"})
RAISED_BY_NOISE: Final = True
"""On a resample, whose bins are noisier, it is larger: intervals are moved back (`intervals.around`)."""
BETTER: Final[Literal["higher", "lower"]] = "lower"
_BINS: Final = 15


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean over the rows of how far their bin is off: |mean score - share of positives|.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    import numpy as np

    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    bins = np.clip((rows.score * _BINS).astype(np.int64), 0, _BINS - 1)
    gaps = np.bincount(bins, weights=rows.weight * (rows.score - rows.truth), minlength=_BINS)
    return float(np.abs(gaps).sum()) / float(rows.weight.sum())
