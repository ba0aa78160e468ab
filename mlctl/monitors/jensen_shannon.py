"""Has an input's distribution moved? The Jensen-Shannon distance of the day's histogram to training's, 0 to 1.

The root of the divergence in bits: symmetric, and finite where a bin is empty on one side. Use it for numbers and
categories alike on one scale. Not where it matters how far values moved: `wasserstein`.

Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37 (1991).
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
    """Options of the Jensen-Shannon distance."""

    kind: Literal["jensen_shannon"] = Field(default="jensen_shannon", description="jensen_shannon")


EXAMPLE: Final[dict[str, object]] = {"kind": "jensen_shannon", "limit": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The value of every watched feature."""
    return measured(options, window, baseline, "jensen_shannon")


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that moved, by importance times distance."""
    return observed(options, window, baseline, "jensen_shannon")
