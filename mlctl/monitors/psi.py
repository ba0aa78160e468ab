"""Has the spread of an input over its bins changed? The population stability index against training.

The sum of (share - training's share) * ln(share / training's share) over bins that held equally many training rows:
below 0.1 hardly moved, from 0.2 on it matters. Use it where your organisation speaks of PSI. Its noise grows fast below
a few hundred rows, which is allowed for; `ks` and `jensen_shannon` are steadier there.

Siddiqi, "Credit Risk Scorecards" (2006).
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
    """Options of the population stability index."""

    kind: Literal["psi"] = Field(default="psi", description="psi")
    limit: float = Field(default=0.2, gt=0, description="index from which a shift matters")


EXAMPLE: Final[dict[str, object]] = {"kind": "psi", "limit": 0.2}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The value of every watched feature."""
    return measured(options, window, baseline, "psi")


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that moved, by importance times distance."""
    return observed(options, window, baseline, "psi")
