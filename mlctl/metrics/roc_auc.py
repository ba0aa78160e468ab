"""The chance that a positive row scores above a negative one; tied pairs count half.

Use it to compare how well models rank, whatever the base rate. Not when only the top of the list is acted on
(`precision_at`, `lift_at`), and not for whether the probabilities are right (`log_loss`, `ece`).

Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._classes import one_against_rest
from mlctl.metrics._rows import tally, usable

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the area under the ROC curve: none of its own."""

    kind: Literal["roc_auc"] = Field(default="roc_auc", description="roc_auc")


EXAMPLE: Final[dict[str, object]] = {"kind": "roc_auc"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The area under the ROC curve.

    Returns:
        0 to 1, where 0.5 is chance; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    import numpy as np

    if score.ndim > 1:
        return one_against_rest(truth, score, weight, lambda *one: measure(options, *one))
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    totals = tally(rows)
    negatives = totals.rows - totals.positives
    # Each positive beats every negative below it: trapezoids under the curve, whose slope inside a tie counts half.
    area = float(np.diff(negatives) @ (totals.positives[1:] + totals.positives[:-1])) / 2.0
    return area / float(totals.positives[-1] * negatives[-1])
