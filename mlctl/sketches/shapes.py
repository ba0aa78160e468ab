"""The shape of a column's sketch, fixed once at training: edges of bins, or the categories that are told apart.

Two sketches of one shape can be added up; a shape never changes after the release was sealed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.kinds import Record

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_RESOLUTION: Final = 1024
"""Sums count in steps of about this part of the deviation of one row."""
_LARGEST: Final = 1e150
"""Squares of larger numbers would not be finite."""


class Shape(Record):
    """What a sketch of one column counts."""

    kind: Literal["number", "category"] = Field(description="number: bins between edges; category: one bin a value")
    edges: tuple[float, ...] = Field(
        default=(),
        description="number: bin i holds [edges[i-1], edges[i]); the first and last bin lie outside training",
    )
    categories: tuple[str, ...] = Field(default=(), description="category: values by bin; the last bin is all others")
    unit: float = Field(default=1.0, gt=0, description="number: sums are whole multiples of it; a power of two")
    centre: float = Field(default=0.0, description="number: sums count from here; a multiple of `unit`")

    @property
    def bins(self) -> int:
        """How many bins a sketch of this shape has."""
        return len(self.edges) + 1 if self.kind == "number" else len(self.categories) + 1


def shape_of(values: pl.Series, bins: int, most_categories: int) -> Shape:
    """The shape of a column, from the training rows.

    Numbers of few different values get a bin each; others bins of equally many rows. Categories are the commonest ones.

    Args:
        values: The training rows' values.
        bins: Most bins of a number.
        most_categories: Most categories that are told apart.

    >>> import polars as pl
    >>> shape_of(pl.Series([1, 1, 2, 5]), 10, 10).edges
    (1.0, 2.0, 5.0, 5.000000000000001)
    """
    import polars as pl

    if not values.dtype.is_numeric():
        text = values.cast(pl.String).drop_nulls()
        counted = text.value_counts(name="/rows").sort(["/rows", text.name], descending=[True, False])
        return Shape(kind="category", categories=tuple(sorted(counted[text.name].head(most_categories))))
    numbers = values.cast(pl.Float64)
    known = numbers.filter(numbers.is_finite()).sort().to_numpy()
    unit, centre = _grid(known)
    return Shape(kind="number", edges=_edges(known, bins), unit=unit, centre=centre)


def _edges(known: np.ndarray[Any, Any], bins: int) -> tuple[float, ...]:
    """Edges from the smallest to just above the largest value."""
    import numpy as np

    if not len(known):
        return (0.0,)
    different = np.unique(known)
    chosen = different if len(different) <= bins else np.unique(known[(np.arange(bins) * len(known)) // bins])
    above = math.nextafter(float(known[-1]), math.inf)
    return (*(float(edge) for edge in chosen), above)


def _grid(known: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The unit and the centre of a column's sums: powers of two, so that whole numbers stay whole."""
    import numpy as np

    if not len(known):
        return 1.0, 0.0
    known = np.clip(known, -_LARGEST, _LARGEST)
    mean = math.fsum(known) / len(known)
    deviation = math.sqrt(math.fsum((known - mean) ** 2) / len(known))
    size = deviation or max(abs(mean), 1.0) / _RESOLUTION
    unit = 2.0 ** max(-1000, math.floor(math.log2(size / _RESOLUTION)))
    return unit, round(mean / unit) * unit
