"""The harmonic mean of precision and recall: high only where both are.

Use it where one class is rare and both its mistakes matter. Not where mistakes have a price: `value`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics._classes import ShareOptions, share_of_classes

if TYPE_CHECKING:
    import numpy as np


class Options(ShareOptions):
    """Options of F1."""

    kind: Literal["f1"] = Field(default="f1", description="f1")


EXAMPLE: Final[dict[str, object]] = {"kind": "f1"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The F1 of the positive class, or the average over classes.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    return share_of_classes(
        options, (truth, score, weight), lambda found: (2 * found.right, found.foretold + found.true)
    )
