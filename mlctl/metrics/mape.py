"""The mean size of the error as a share of the label.

Use it where being off by a tenth is as bad for small labels as for large ones. Not where labels may be 0: it is not
defined there, and says so rather than leaving such rows out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.metrics import MetricOptions
from mlctl.metrics._numbers import numbers

if TYPE_CHECKING:
    import numpy as np


class Options(MetricOptions):
    """Options of the mean absolute percentage error: none of its own."""

    kind: Literal["mape"] = Field(default="mape", description="mape")


EXAMPLE: Final[dict[str, object]] = {"kind": "mape"}
TASKS: Final = frozenset({"regression"})
BETTER: Final[Literal["higher", "lower"]] = "lower"


def measure(
    options: Options, truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any], weight: np.ndarray[Any, Any]
) -> float:
    """The mean share by which a row is off.

    Returns:
        A share, from 0; NaN where a label is 0, without weight, or with a value that is not finite.
    """
    import numpy as np

    rows = numbers(truth, score, weight)
    if rows is None:
        return float("nan")
    if (rows.truth[rows.weight > 0] == 0).any():
        return float("nan")
    known = rows.truth != 0
    rows = type(rows)(*(part[known] for part in rows))
    return rows.mean(np.abs(rows.error) / np.abs(rows.truth))
