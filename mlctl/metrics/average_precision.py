"""The precision at each positive row, from the highest score down, averaged: the area under precision and recall.

Use it to rank when positives are rare. Not to compare data sets: a random order scores the base rate, not a constant.

Computed in steps, without interpolation, tied rows together (as scikit-learn does; Davis and Goadrich, "The
relationship between precision-recall and ROC curves", ICML 2006, on why interpolation flatters).
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
    """Options of average precision: none of its own."""

    kind: Literal["average_precision"] = Field(default="average_precision", description="average_precision")


EXAMPLE: Final[dict[str, object]] = {"kind": "average_precision"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The average precision.

    Returns:
        0 to 1, where the base rate is chance; NaN when the rows hold one class only,
        no weight or a score that is not finite.
    """
    import numpy as np

    if score.ndim > 1:
        return one_against_rest(truth, score, weight, lambda *one: measure(options, *one))
    rows = usable(truth, score, weight)
    if rows is None:
        return float("nan")
    totals = tally(rows)
    gained = np.diff(totals.positives)
    found = gained > 0
    precision = totals.positives[1:][found] / totals.rows[1:][found]
    return float(gained[found] @ precision) / float(totals.positives[-1])
