"""The daily statistics of a sketch, on scales where days of the same world lie evenly around their middle.

  mean          in deviations of one training row
  stddev        natural logarithm of the ratio to the training rows' one
  min, max      asinh of deviations from the training mean, which tames long tails
  null_share and the share of each category     2 asin(sqrt(share)), whose spread hangs on the rows alone

Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35 (1948).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mlctl.sketches.shapes import Shape
from mlctl.sketches.sketch import Sketch

NULLS: Final = "null_share"
OTHERS: Final = "share of others"
MEAN, DEVIATION, LOW, HIGH = "mean", "stddev", "min", "max"
MOST_SHARES: Final = 50


@dataclass(frozen=True)
class Scale:
    """Centre and deviation of the training rows, the units of a number's statistics; deviation 0: a constant."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, sketch: Sketch, shape: Shape) -> Scale:
        """The scale of a column's training rows."""
        return cls(sketch.mean(shape) or 0.0, sketch.deviation(shape) or 0.0)


def statistics(sketch: Sketch, shape: Shape, scale: Scale) -> dict[str, tuple[float, float]]:
    """By statistic, its value for people and on the even scale; what cannot be computed is left out.

    >>> shape = Shape(kind="category", categories=("web",))
    >>> round(statistics(Sketch(rows=10, bins=(10, 0)), shape, Scale(0, 0))["share of web"][0], 3)
    1.0
    """
    found = {NULLS: (sketch.null_share, even(sketch.nulls + sketch.odd, sketch.rows))}
    if shape.kind == "category":
        for name, count in zip(shape.categories[:MOST_SHARES], sketch.bins, strict=False):
            found[f"share of {name}"] = (count / max(sketch.known, 1), even(count, sketch.known))
        others = sum(sketch.bins[min(MOST_SHARES, len(shape.categories)) :])
        found[OTHERS] = (others / max(sketch.known, 1), even(others, sketch.known))
        return found if sketch.known else {NULLS: found[NULLS]}
    if sketch.low is None or sketch.high is None or not scale.deviation:
        return found
    mean, deviation = sketch.mean(shape), sketch.deviation(shape)
    if mean is not None:
        found[MEAN] = (mean, (mean - scale.mean) / scale.deviation)
    if deviation:
        found[DEVIATION] = (deviation, math.log(deviation / scale.deviation))
    found[LOW] = (sketch.low, math.asinh((sketch.low - scale.mean) / scale.deviation))
    found[HIGH] = (sketch.high, math.asinh((sketch.high - scale.mean) / scale.deviation))
    return found


def deviation_error(sketch: Sketch, shape: Shape) -> float:
    """The standard error of the logarithm of a deviation, times the root of the rows; 0 where there is no deviation.

    It hangs on the kurtosis k, sqrt(k - 1) / 2 (Cramer, "Mathematical methods of statistics", 1946, 27.4), which the
    histogram tells with each bin's rows lying evenly in it.

    >>> shape = Shape(kind="number", edges=(0.0, 1.0, 2.0), unit=2.0**-20, centre=1.0)
    >>> square = round(2**40 / 3)
    >>> round(deviation_error(Sketch(rows=2, squares=2 * square, low=0.0, high=2.0, bins=(0, 1, 1, 0)), shape), 2)
    0.45
    """
    mean, deviation = sketch.mean(shape), sketch.deviation(shape)
    if mean is None or not deviation or sketch.low is None or sketch.high is None:
        return 0.0
    ends = [min(sketch.low, shape.edges[0]), *shape.edges, max(sketch.high, shape.edges[-1])]
    fourth = 0.0
    for count, (low, high) in zip(sketch.bins, pairwise(ends), strict=True):
        a, b = (low - mean) / deviation, (high - mean) / deviation
        # the mean of x**4 over a stretch
        fourth += count * (a**4 + a**3 * b + a**2 * b**2 + a * b**3 + b**4) / 5
    kurtosis = fourth / sketch.known / ((sketch.known - 1) / sketch.known) ** 2
    return math.sqrt(max(kurtosis - 1, 0.0)) / 2


def even(count: int, rows: int) -> float:
    """A share on the scale on which its standard error is 1 / sqrt(rows).

    >>> round(even(50, 100), 3)
    1.571
    """
    return 2 * math.asin(math.sqrt((count + 0.375) / (rows + 0.75)))


def back(name: str, value: float, scale: Scale) -> float:
    """From the even scale to what people read.

    >>> back("mean", 2.0, Scale(10.0, 3.0))
    16.0
    """
    if name == MEAN:
        return scale.mean + value * scale.deviation
    if name == DEVIATION:
        return math.exp(min(value, 700.0)) * scale.deviation
    if name in (LOW, HIGH):
        return scale.mean + math.sinh(max(-700.0, min(value, 700.0))) * scale.deviation
    return math.sin(max(0.0, min(value, math.pi)) / 2) ** 2


def distances(sketch: Sketch, reference: Sketch, shape: Shape) -> dict[str, float]:
    """How far a day's histogram lies from the reference's, by the field's names.

    psi (natural logarithm), ks (largest difference of the cumulative shares at the edges), jensen_shannon (distance,
    base 2, 0 to 1), wasserstein (in deviations of a training row; numbers only), chi_square (Cramer's V).
    """
    if not (sketch.known and reference.known):
        return {}
    ours, theirs = sketch.shares(), reference.shares()
    found = {"psi": psi(ours, theirs), "jensen_shannon": math.sqrt(divergence(ours, theirs) / math.log(2))}
    found["chi_square"] = math.sqrt(_pooled(ours, theirs) / 4)
    if shape.kind == "number":
        gaps = _gaps(ours, theirs)
        found["ks"] = max(map(abs, gaps))
        deviation = reference.deviation(shape)
        if deviation:
            found["wasserstein"] = _carried(sketch, reference, shape, gaps) / deviation
    return found


def psi(ours: list[float], theirs: list[float], floor: float = 1e-4) -> float:
    """The population stability index of two histograms; empty bins count as `floor`.

    >>> round(psi([0.5, 0.5], [0.25, 0.75]), 4)
    0.2747
    """
    pairs = [(max(a, floor), max(b, floor)) for a, b in zip(ours, theirs, strict=True)]
    return sum((a - b) * math.log(a / b) for a, b in pairs)


def divergence(ours: list[float], theirs: list[float]) -> float:
    """The Jensen-Shannon divergence of two histograms, in nats.

    >>> round(divergence([1.0, 0.0], [0.0, 1.0]), 4)
    0.6931
    """
    found = 0.0
    for a, b in zip(ours, theirs, strict=True):
        middle = (a + b) / 2
        found += (a * math.log(a / middle) if a else 0.0) / 2 + (b * math.log(b / middle) if b else 0.0) / 2
    return max(found, 0.0)


def _pooled(ours: list[float], theirs: list[float]) -> float:
    """Pearson's chi-square of two histograms for one row each, against their middle; 0 to 4."""
    return sum((a - b) ** 2 / ((a + b) / 2) for a, b in zip(ours, theirs, strict=True) if a + b)


def _gaps(ours: list[float], theirs: list[float]) -> list[float]:
    gaps, gap = [], 0.0
    for a, b in zip(ours, theirs, strict=True):
        gap += a - b
        gaps.append(gap)
    return gaps


def _carried(sketch: Sketch, reference: Sketch, shape: Shape, gaps: list[float]) -> float:
    """The area between the two cumulative histograms; bins outside training reach to the farthest value."""
    lows = [low for low in (sketch.low, reference.low) if low is not None]
    highs = [high for high in (sketch.high, reference.high) if high is not None]
    ends = [min(*lows, shape.edges[0]), *shape.edges, max(*highs, shape.edges[-1])]
    # a bin's mass lies evenly in it, so the gap inside it runs from its left to its right value
    area, before = 0.0, 0.0
    for place, gap in enumerate(gaps):
        width = ends[place + 1] - ends[place]
        crossed = before * gap < 0
        mean = (before**2 + gap**2) / (2 * abs(before - gap)) if crossed else abs(before + gap) / 2
        area, before = area + width * mean, gap
    return area


def weights(mapping: Mapping[str, float]) -> dict[str, float]:
    """Shares of a whole, from numbers of any size."""
    total = sum(mapping.values())
    return {name: value / total if total else 0.0 for name, value in mapping.items()}
