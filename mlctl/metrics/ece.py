"""How far the scores lie from the frequencies they promise: the expected calibration error.

Use it before a threshold or a price is set on the score itself. Not alone: always saying the base rate scores 0.

15 bins of equal width over 0 to 1, as in Guo et al., "On calibration of modern neural networks", ICML 2017; of P(label
= 1), as in Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015. A score on an
edge belongs to the bin above it. Of several classes it is the likeliest one's probability against how often that
class is right, as Guo et al. count. On few rows the noise of each bin makes even a perfect model score above 0.
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
TASKS: Final = frozenset({"binary", "multiclass"})
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

    if score.ndim == 2:
        counted = truth[weight > 0]
        if not len(counted) or (counted == counted[0]).all() or not np.isfinite(score).all():
            return float("nan")
        right = (score.argmax(axis=1) == truth).astype(np.float64)
        return _gap(score.max(axis=1).astype(np.float64), right, np.asarray(weight, dtype=np.float64))
    rows = usable(truth, score, weight)
    return float("nan") if rows is None else _gap(rows.score, rows.truth, rows.weight)


def _gap(score: np.ndarray[Any, Any], right: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]) -> float:
    import numpy as np

    bins = np.clip((score * _BINS).astype(np.int64), 0, _BINS - 1)
    gaps = np.bincount(bins, weights=weight * (score - right), minlength=_BINS)
    return float(np.abs(gaps).sum()) / float(weight.sum())
