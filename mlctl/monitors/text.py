"""Do texts use other words than in training? The Jensen-Shannon distance of the commonest words, and of text lengths.

Words are lower-cased runs of letters and digits; the commonest ones of training are told apart and all others count
together, so that a new topic or another language shows as a shift to the others. Use it for features that are read by
their words (`encoding.text`). Not for vectors that an encoder makes of texts: `embedding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._distance import DistanceOptions, measured, observed
from mlctl.sketches.sheet import WORDS

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(DistanceOptions):
    """Options of text drift."""

    kind: Literal["text"] = Field(default="text", description="text")


EXAMPLE: Final[dict[str, object]] = {"kind": "text", "limit": 0.15}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The distance of the words of every text."""
    return measured(options, window, baseline, "jensen_shannon", _is_text)


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The texts whose words moved."""
    return observed(options, window, baseline, "jensen_shannon", _is_text)


def _is_text(column: str) -> bool:
    return column.endswith(WORDS)
