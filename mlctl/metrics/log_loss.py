"""The mean surprise at what happened, in nats: confident mistakes cost most.

Use it to judge probabilities as probabilities. Not for ranking alone: a model that ranks perfectly can lose here.

Scores are cut to 1e-7 and 1 - 1e-7, the finest that a float32 score can say near 1, so one mistaken certainty costs 16
nats and not infinity.
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
    """Options of log loss: none of its own."""

    kind: Literal["log_loss"] = Field(default="log_loss", description="log_loss")


EXAMPLE: Final[dict[str, object]] = {"kind": "log_loss"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "lower"
_CLIP: Final = 1e-7


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean surprise of a row.

    Returns:
        Nats, from 0; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    import numpy as np

    if score.ndim > 1:
        return by_class(truth, score, weight, lambda true, _: -np.log(np.clip(true, _CLIP, 1.0)))
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    certain = np.clip(rows.score, _CLIP, 1.0 - _CLIP)
    surprise = -np.log(np.where(rows.truth > 0.5, certain, 1.0 - certain))
    return float(rows.weight @ surprise) / float(rows.weight.sum())
