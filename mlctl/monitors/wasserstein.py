"""How far have an input's values moved? The Wasserstein distance to training, in deviations of a training row.

The area between the cumulative shares: the work of carrying one distribution into the other. Use it where the distance
between values means something. Not for categories.
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
    """Options of the Wasserstein distance."""

    kind: Literal["wasserstein"] = Field(default="wasserstein", description="wasserstein")
    limit: float = Field(default=0.1, gt=0, description="distance from which a shift matters")


EXAMPLE: Final[dict[str, object]] = {"kind": "wasserstein", "limit": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The value of every watched feature."""
    return measured(options, window, baseline, "wasserstein")


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that moved, by importance times distance."""
    return observed(options, window, baseline, "wasserstein")
