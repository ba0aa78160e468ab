"""How often a class that is so is foretold.

Use it where missing one is what costs. Not alone: always saying yes is perfect. Its macro average is the balanced
accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics._classes import ShareOptions, share_of_classes

if TYPE_CHECKING:
    import numpy as np


class Options(ShareOptions):
    """Options of recall."""

    kind: Literal["recall"] = Field(default="recall", description="recall")


EXAMPLE: Final[dict[str, object]] = {"kind": "recall"}
TASKS: Final = frozenset({"binary", "multiclass"})
BETTER: Final[Literal["higher", "lower"]] = "higher"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The recall of the positive class, or the average over classes.

    Returns:
        0 to 1; NaN when the rows hold one class only, no weight or a score that is not finite.
    """
    return share_of_classes(options, (truth, score, weight), lambda found: (found.right, found.true))
