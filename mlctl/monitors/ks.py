"""Has an input's distribution moved? The largest gap between the cumulative shares of the day and of training.

The Kolmogorov-Smirnov statistic at the edges of the training bins, which misses at most what one bin holds. Use it for
numbers whose mean may stay while the rest moves. Not for categories, which have no order: `chi_square`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._distance import DistanceOptions, measured, observed

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(DistanceOptions):
    """Options of Kolmogorov-Smirnov."""

    kind: Literal["ks"] = Field(default="ks", description="ks")


EXAMPLE: Final[dict[str, object]] = {"kind": "ks", "limit": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The value of every watched feature."""
    return measured(options, window, baseline, "ks")


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that moved, by importance times distance."""
    return observed(options, window, baseline, "ks")
