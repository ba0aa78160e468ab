"""Have an input's shares changed? Pearson's chi-square of the day's histogram against training's, told as Cramer's V.

V is the root of chi-square over its largest value, 0 to 1, so that one limit serves days of any size. Use it for
categories. For numbers `ks` sees more, as it knows their order.
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
    """Options of chi-square."""

    kind: Literal["chi_square"] = Field(default="chi_square", description="chi_square")
    limit: float = Field(default=0.1, gt=0, description="Cramer's V from which a shift matters")


EXAMPLE: Final[dict[str, object]] = {"kind": "chi_square", "limit": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The value of every watched feature."""
    return measured(options, window, baseline, "chi_square")


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The features that moved, by importance times distance."""
    return observed(options, window, baseline, "chi_square")
