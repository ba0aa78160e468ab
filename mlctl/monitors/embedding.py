"""Have vectors moved? The Wasserstein distance along fixed directions through the space of an embedding.

Every vector is seen from eight directions that its width alone decides; what moves in the space moves along some of
them (the sliced Wasserstein distance). Use it for features that are vectors. Not for texts whose words are counted:
`text`.

Rabin, Peyre, Delon and Bernot, "Wasserstein barycenter and its application to texture mixing" (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._distance import DistanceOptions, measured, observed
from mlctl.sketches.sheet import DIRECTION

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(DistanceOptions):
    """Options of embedding drift."""

    kind: Literal["embedding"] = Field(default="embedding", description="embedding")
    limit: float = Field(default=0.1, gt=0, description="distance along a direction, in deviations of a training row")


EXAMPLE: Final[dict[str, object]] = {"kind": "embedding", "limit": 0.1}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The distance along every direction of every vector."""
    return measured(options, window, baseline, "wasserstein", _is_direction)


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The directions along which vectors moved."""
    return observed(options, window, baseline, "wasserstein", _is_direction)


def _is_direction(column: str) -> bool:
    return DIRECTION in column
