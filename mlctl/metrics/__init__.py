"""A metric is a function from truths and scores to one number.

Every metric takes a weight per row: a bootstrap resample is a vector of counts, so an interval costs no copies of the
data. A metric that is not defined on its rows (one class, no rows) is NaN, which no gate lets pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from mlctl import kinds
from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np


class MetricOptions(Record):
    """What every metric says, whatever its kind."""

    kind: str = Field(description="the metric's kind: mlctl explain metrics")


Measure = Callable[["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"], float]
"""Truth, score and weight of rows to one number."""


def measuring(options: MetricOptions) -> tuple[Measure, Literal["higher", "lower"]]:
    """The measure that options ask for, and which side is better."""
    module = kinds.load("metrics", options.kind)
    return partial(module.measure, options), module.BETTER


class Metric(Protocol):
    """The functions of a metric kind (the module itself satisfies this)."""

    Options: type[MetricOptions]
    EXAMPLE: dict[str, object]
    TASKS: frozenset[str]
    """What it judges: binary, multiclass, regression."""
    BETTER: Literal["higher", "lower"]

    def measure(
        self, options: Any, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
    ) -> float:
        """The metric over rows.

        Args:
            options: The kind's options.
            truth: float array (rows,): 0.0 and 1.0, codes of classes, or values.
            score: float array (rows,) of P(truth = 1) or of values; of several classes (rows, classes) probabilities.
            weight: float array (rows,), how often each row counts; 1.0 for plain rows.

        Returns:
            The value; NaN when it is not defined on these rows.
        """
        ...
