"""Counts columns into sketches: one pass over each, in pieces that stay in the processor's cache."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl.sketches.shapes import Shape
from mlctl.sketches.sketch import Sketch, commonest

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_PIECE: Final = 1 << 15
_HALF: Final = 1 << 18
_FARTHEST: Final = 1 << 36
"""Steps from the centre at which a value's share in the sums ends; about 67 million deviations of a training row."""


def sketched(columns: Mapping[str, pl.Series], shapes: Mapping[str, Shape], rows: int) -> dict[str, Sketch]:
    """A sketch of every column that has a shape; a column that is not there is all missing.

    Args:
        columns: By name, the values.
        shapes: By name, what is counted.
        rows: How many rows a missing column would have had.
    """
    from concurrent.futures import ThreadPoolExecutor

    def one(name: str) -> Sketch:
        if name not in columns:
            return Sketch(rows=rows, nulls=rows, bins=(0,) * shapes[name].bins)
        return sketch_of(columns[name], shapes[name])

    if rows < _PIECE:
        return {name: one(name) for name in shapes}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(shapes, pool.map(one, shapes), strict=True))


def sketch_of(values: pl.Series, shape: Shape) -> Sketch:
    """The sketch of one column."""
    return _numbers(values, shape) if shape.kind == "number" else _categories(values, shape)


def _categories(values: pl.Series, shape: Shape) -> Sketch:
    import polars as pl

    text = values.cast(pl.String, strict=False).alias("value")
    counted = text.value_counts(name="rows")
    counts = dict(zip(counted["value"].to_list(), counted["rows"].to_list(), strict=True))
    nulls = counts.pop(None, 0)
    told = [counts.pop(name, 0) for name in shape.categories]
    return Sketch(rows=len(values), nulls=nulls, bins=(*told, sum(counts.values())), new=commonest(counts))


def _numbers(values: pl.Series, shape: Shape) -> Sketch:
    import numpy as np
    import polars as pl

    # a text where numbers are wanted has no usable value
    numbers = values.cast(pl.Float64, strict=False)
    nulls = numbers.null_count()
    array, edges = numbers.to_numpy(), np.asarray(shape.edges)
    total = squares = known = 0
    low, high = math.inf, -math.inf
    bins = np.zeros(shape.bins, dtype=np.int64)
    for start in range(0, len(array), _PIECE):
        piece = array[start : start + _PIECE]
        finite = np.isfinite(piece)
        there = piece if finite.all() else piece[finite]
        if not len(there):
            continue
        known += len(there)
        low, high = min(low, float(there.min())), max(high, float(there.max()))
        bins += np.bincount(_bin_of(there, edges), minlength=shape.bins)
        with np.errstate(over="ignore"):
            more, more_squares = _sums(np.rint((there - shape.centre) / shape.unit))
        total, squares = total + more, squares + more_squares
    odd = len(array) - nulls - known
    lowest, highest = (low, high) if known else (None, None)
    return Sketch(len(array), nulls, odd, total, squares, lowest, highest, tuple(bins.tolist()))


def _bin_of(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """[values] the bin of each; all 0 for a shape without edges, which counts moments alone."""
    import numpy as np

    if not len(edges):
        return np.zeros(len(values), dtype=np.int64)
    return np.searchsorted(edges, values, side="right")


def _sums(steps: np.ndarray[Any, Any]) -> tuple[int, int]:
    """The sum and the sum of squares of whole float64 numbers, exactly.

    Every partial sum stays below 2**53, where float64 holds all whole numbers, so no order of adding changes it.
    """
    import numpy as np

    farthest = float(np.abs(steps).max())
    if farthest <= _HALF:
        return int(steps.sum()), int(np.dot(steps, steps))
    steps = np.clip(steps, -_FARTHEST, _FARTHEST)
    upper = np.floor(steps / _HALF)
    lower = steps - upper * _HALF
    crossed = int(np.dot(upper, lower))
    return int(steps.sum()), int(np.dot(upper, upper)) * _HALF**2 + 2 * crossed * _HALF + int(np.dot(lower, lower))
