"""What a model makes of one feature, found by asking it: rows are scored again with that feature changed.

It works for any graph, because it only asks for scores. Features are changed one at a time, so where two of them move
together in life the model is asked about rows that nobody has; read a curve there with care.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Score = Callable[["pl.DataFrame"], "np.ndarray[Any, Any]"]
"""Rows of features -> float64 (rows,) or (rows, classes)."""

SAMPLE_ROWS: Final = 400
"""Rows that are scored again at every value."""
_VALUES: Final = 16
"""Most values at which a feature is tried."""


def dependence(score: Score, rows: pl.DataFrame, features: Sequence[str]) -> list[dict[str, Any]]:
    """Partial dependence: the mean score when everybody had the same value of a feature.

    Friedman, "Greedy function approximation" (2001), section 8.2; low and high are the tenth and the ninetieth
    hundredth of the single rows' scores (Goldstein et al., "Peeking inside the black box", 2015).

    Args:
        score: The model.
        rows: Feature columns; a sample, evenly spread over their order, is scored.
        features: Which of them to try.

    Returns:
        For each feature: its name, the values (numbers ascending, or texts by how common they are; None is missing),
        and `outcomes`, one for each class (or one alone), with mean, low and high at each value.
    """
    sample = sampled(rows)
    return [_of_feature(score, sample, rows[name]) for name in features]


def sampled(rows: pl.DataFrame, most: int = SAMPLE_ROWS) -> pl.DataFrame:
    """At most so many rows, evenly spread over their order; always the same ones."""
    import numpy as np

    if rows.height <= most:
        return rows
    chosen: pl.DataFrame = rows[np.unique(np.linspace(0, rows.height - 1, most).round().astype(int)).tolist()]
    return chosen


def reasons(score: Score, rows: pl.DataFrame, typical: pl.DataFrame, most: int = 3) -> list[list[dict[str, Any]]]:
    """For each row the features that moved its score most: how much it falls when the feature is as usual.

    Args:
        score: The model.
        rows: Feature columns of the rows to explain.
        typical: Feature columns of the rows that say what is usual: the median of numbers, the commonest text.
        most: How many features a row.

    Returns:
        For each row the strongest first: feature, value, and moved_by, in the score's unit; with several classes, of
        the class that the model holds for the likeliest.
    """
    import numpy as np

    if not rows.height:
        return []
    given = score(rows)
    chosen = given.argmax(axis=1) if given.ndim > 1 else None

    def of_interest(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return scores if chosen is None else scores[np.arange(len(scores)), chosen]

    moved = {
        name: of_interest(given) - of_interest(score(_with(rows, name, usual(typical[name])))) for name in rows.columns
    }
    found = []
    for index in range(rows.height):
        ordered = sorted(rows.columns, key=lambda name: (-abs(moved[name][index]), name))[:most]
        found.append(
            [
                {"feature": name, "value": _plain(rows[name][index]), "moved_by": float(moved[name][index])}
                for name in ordered
                if moved[name][index]
            ]
        )
    return found


def usual(values: pl.Series) -> Any:
    """The median of numbers, the commonest of texts (the first of the alphabet among equals); None without a value."""
    import polars as pl

    known = values.drop_nulls()
    if known.dtype.is_numeric():
        known = known.cast(pl.Float64)
        return known.filter(known.is_finite()).median()
    if not len(known):
        return None
    counts = known.alias("value").value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    return counts["value"][0]


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: what is not a number is None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _of_feature(score: Score, sample: pl.DataFrame, column: pl.Series) -> dict[str, Any]:
    import numpy as np

    values = _grid(column)
    outcomes: list[dict[str, list[float]]] = []
    for value in values:
        found = score(_with(sample, column.name, value))
        scores = found[:, None] if found.ndim == 1 else found
        while len(outcomes) < scores.shape[1]:
            outcomes.append({"mean": [], "low": [], "high": []})
        low, high = np.quantile(scores, [0.1, 0.9], axis=0)
        for told, *numbers in zip(outcomes, scores.mean(axis=0), low, high, strict=True):
            for end, number in zip(("mean", "low", "high"), numbers, strict=True):
                told[end].append(float(number))
    return {"feature": column.name, "values": values, "outcomes": outcomes}


def _grid(column: pl.Series) -> list[Any]:
    """Values to try: quantiles between the second and the ninety-eighth hundredth, or the commonest texts."""
    import numpy as np
    import polars as pl

    known = column.drop_nulls()
    if known.dtype.is_numeric():
        numbers = known.cast(pl.Float64).to_numpy()
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return []
        levels = np.quantile(numbers, np.linspace(0.02, 0.98, _VALUES), method="nearest")
        return [float(value) for value in np.unique(levels)]
    counts = known.alias("value").value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    missing = [None] if column.null_count() else []
    return [*counts["value"].head(_VALUES).to_list(), *missing]


def _with(rows: pl.DataFrame, name: str, value: Any) -> pl.DataFrame:
    import polars as pl

    kind = pl.Float64 if rows.schema[name].is_numeric() else rows.schema[name]
    return rows.with_columns(pl.lit(value, dtype=kind).alias(name))
