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

_PIECE: Final = 1 << 13
_FEW_EDGES: Final = 64
_MANY_ROWS: Final = 1 << 16
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

    if rows < _MANY_ROWS:
        return {name: one(name) for name in shapes}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(shapes, pool.map(one, shapes), strict=True))


def sketch_of(values: pl.Series, shape: Shape) -> Sketch:
    """The sketch of one column."""
    return _numbers(values, shape) if shape.kind == "number" else _categories(values, shape)


def _categories(values: pl.Series, shape: Shape) -> Sketch:
    import polars as pl

    if not shape.categories:
        # moments alone: which values there are does not matter
        return Sketch(rows=len(values), nulls=values.null_count(), bins=(len(values) - values.null_count(),))
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
    array, edges = numbers.drop_nulls().to_numpy(), np.asarray(shape.edges)
    total = squares = known = 0
    low, high = math.inf, -math.inf
    bins = np.zeros(shape.bins, dtype=np.int64)
    room = np.empty(min(_PIECE, len(array)))
    for start in range(0, len(array), _PIECE):
        piece = array[start : start + _PIECE]
        lowest, highest = float(piece.min()), float(piece.max())
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            piece = piece[np.isfinite(piece)]
            if not len(piece):
                continue
            lowest, highest = float(piece.min()), float(piece.max())
        known, low, high = known + len(piece), min(low, lowest), max(high, highest)
        bins += _bins(piece, edges)
        farthest = max(abs(lowest - shape.centre), abs(highest - shape.centre)) / shape.unit + 1
        with np.errstate(over="ignore"):
            steps = np.subtract(piece, shape.centre, out=room[: len(piece)])
            steps *= 1 / shape.unit  # a power of two, so that this is a division
            more, more_squares = _sums(np.rint(steps, out=steps), farthest)
        total, squares = total + more, squares + more_squares
    nulls, odd = len(numbers) - len(array), len(array) - known
    lowest_of_all, highest_of_all = (low, high) if known else (None, None)
    told = tuple(bins.tolist())
    return Sketch(len(numbers), nulls, odd, total, squares, lowest_of_all, highest_of_all, told)


def _bins(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """[bins] how many values lie in each; all in one for a shape without edges, which counts moments alone."""
    import numpy as np

    if len(edges) > _FEW_EDGES:
        return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    # for a few edges several times as fast as looking each value up: a comparison runs through the whole piece
    above = [len(values), *(np.count_nonzero(values >= edge) for edge in edges), 0]
    return -np.diff(np.asarray(above, dtype=np.int64))


def _sums(steps: np.ndarray[Any, Any], farthest: float) -> tuple[int, int]:
    """The sum and the sum of squares of whole float64 numbers that lie no farther from 0, exactly.

    Every partial sum stays below 2**53, where float64 holds all whole numbers, so no order of adding changes it.
    """
    import numpy as np

    if farthest <= _HALF:
        return int(steps.sum()), int(np.dot(steps, steps))
    steps = np.clip(steps, -_FARTHEST, _FARTHEST)
    upper = np.floor(steps / _HALF)
    lower = steps - upper * _HALF
    crossed = int(np.dot(upper, lower))
    return int(steps.sum()), int(np.dot(upper, upper)) * _HALF**2 + 2 * crossed * _HALF + int(np.dot(lower, lower))
