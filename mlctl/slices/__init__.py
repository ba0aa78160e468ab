"""Weak slices: groups of rows that a model serves worse than the rest, found without anybody naming them.

Every condition on one feature (a value, a quantile range, missing) and every pair of conditions on two features is
tested: is the mean loss inside larger than outside? Size limits are set before, the p values are corrected for all
tests together, and what only repeats a surer slice is left out. The conditions are SQL, ready for `cohorts:`.

Chung and others, "Slice Finder: Automated Data Slicing for Model Validation" (2019): effect size and Welch's t test.
Holm, "A simple sequentially rejective multiple test procedure" (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.features import fulfils
from mlctl.judging.comparisons import corrected
from mlctl.judging.policy import both
from mlctl.slices._conditions import Choices, Parts, as_sql, choices_of, parts_at, tables_of
from mlctl.slices._welch import sums_of, welch

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

__all__ = ["EFFECT", "LEVEL", "MOST_SHARE", "Slice", "find", "surprise"]

LEVEL: Final = 0.05
"""The share of tables without a weak slice in which one may be found all the same."""
EFFECT: Final = 0.1
"""Smallest difference of mean losses that is told, in standard deviations of the loss."""
MOST_SHARE: Final = 0.5
"""What more rows than this share have in common is no slice."""
_CANDIDATES: Final = 2000
_STILL: Final = 0.001
"""How sure a slice must be by its rows outside of the surer slices."""
_SECOND: Final = 1.0
"""Standard errors by which two conditions must be surer than one."""
_LEAST_SHARE: Final = 1e-7
"""Probabilities are floats of 24 bits: 0 means less than this."""


@dataclass(frozen=True)
class Slice:
    """A group that is served worse than the rest.

    Attributes:
        condition: SQL over the features that its rows fulfil.
        rows: How many rows it has.
        loss: Their mean loss.
        rest: The mean loss of all other rows.
        effect: `loss - rest` in standard deviations of the loss (the root of the mean of both variances).
        p_value: Of the one-sided Welch test, corrected by Holm for everything that was tested.
    """

    condition: str
    rows: int
    loss: float
    rest: float
    effect: float
    p_value: float


def find(rows: pl.DataFrame, columns: Sequence[str], loss: Array, min_rows: int = 50, most: int = 10) -> list[Slice]:
    """The weak slices of a scored table, the surest first.

    A slice is left out where its rows outside the surer slices are not served worse than the rest. Rows of one entity
    count as if they were independent.

    Args:
        rows: Grain: one scored row. Time: any.
        columns: The features that may make a condition: numbers, truth values, texts.
        loss: float array (rows,), the loss of each row (log loss, `surprise`, squared error, 0/1); NaN is left out.
        min_rows: Fewest rows of a slice; at most half of all rows are one.
        most: Most slices that are told.

    Raises:
        DataError: A condition cannot be computed on the rows; a fault of this module.
    """
    import numpy as np

    there = np.isfinite(loss)
    rows, loss = rows.filter(there), np.asarray(loss, dtype=np.float64)[there]
    if rows.height < 2 * min_rows or float(loss.std()) == 0.0:
        return []
    features = [found for name in columns if (found := choices_of(rows[name], name, min_rows)) is not None]
    return _apart(rows, loss, _candidates(features, _unit(loss), min_rows), min_rows)[:most]


def surprise(truth: Array, score: Array) -> Array:
    """How much larger each row's log loss is than the model itself expected; 0 on average where its scores are right.

    Plain log loss finds the rows whose outcome is open to everybody; this finds those about which the model is wrong
    without knowing it.

    Args:
        truth: float array (rows,) of 0.0 and 1.0, or codes of classes.
        score: float array (rows,) P(truth = 1), or (rows, classes) probabilities.

    Returns:
        float64 array (rows,): log loss minus the entropy of the scores, in nats.

    >>> import numpy as np
    >>> surprise(np.array([1.0, 0.0]), np.array([0.5, 0.25])).round(3).tolist()
    [0.0, -0.275]
    """
    import numpy as np

    shares = np.clip(np.asarray(both(score), dtype=np.float64), _LEAST_SHARE, 1.0)
    loss = -np.log(shares[np.arange(len(truth)), truth.astype(np.int64)])
    return np.asarray(loss + (shares * np.log(shares)).sum(axis=1))


def _unit(loss: Array) -> Array:
    """Losses around their mean and in units of their spread, so that sums of squares keep their digits."""
    import numpy as np

    return np.asarray((loss - loss.mean()) / loss.std())


def _candidates(features: Sequence[Choices], loss: Array, min_rows: int) -> list[tuple[Parts, float]]:
    """Conditions that are surely worse than their rest, the surest first, and their corrected p values."""
    import numpy as np

    tables: list[tuple[Choices, ...]] = []
    places, counted = [], []
    for table, sums in tables_of(features, (None, loss, loss**2)):
        # what most rows are is the rule, and the others are the slice
        enough = np.flatnonzero((sums[0] >= min_rows) & (sums[0] <= MOST_SHARE * len(loss)))
        # the names of hundreds of thousands of tests would fill the memory; those of the weak ones are made below
        places += [np.column_stack([np.full(len(enough), len(tables)), enough])]
        tables.append(table)
        counted.append(sums[:, enough])
    if not tables:
        return []
    place_of = np.concatenate(places)
    effect, t, p_values = welch(np.concatenate(counted, axis=1), np.array(sums_of(loss)))
    together = corrected(p_values)
    weak = np.flatnonzero((together <= LEVEL) & (effect >= EFFECT)).tolist()
    parts = {test: parts_at(tables[place_of[test][0]], int(place_of[test][1])) for test in weak}
    # surest first; a second condition that only leaves out a few lucky rows makes nothing surer
    surest = sorted(parts, key=lambda test: (_SECOND * len(parts[test]) - t[test], parts[test]))
    return [(parts[test], float(together[test])) for test in surest[:_CANDIDATES]]


def _apart(rows: pl.DataFrame, loss: Array, candidates: Sequence[tuple[Parts, float]], min_rows: int) -> list[Slice]:
    """Those candidates, surest first, that are weak also by their rows outside of the surer ones."""
    import numpy as np

    unit = _unit(loss)
    masks: dict[str, Array] = {}
    covered = np.zeros(rows.height, dtype=bool)
    found: list[tuple[Parts, Slice]] = []
    for parts, p_value in candidates:
        if any(set(surer) <= set(parts) for surer, _ in found):
            continue
        for part in parts:
            if part not in masks:
                masks[part] = fulfils(rows, part, "slices").to_numpy()
        mask = np.logical_and.reduce([masks[part] for part in parts])
        if not _still(unit, mask & ~covered, ~mask & ~covered, min_rows):
            continue
        sums = np.array([sums_of(unit[mask]), sums_of(unit[~mask])])
        effect = welch(sums[0][:, None], sums.sum(axis=0))[0]
        inside, rest = float(loss[mask].mean()), float(loss[~mask].mean())
        told = Slice(as_sql(parts), int(mask.sum()), inside, rest, float(effect[0]), p_value)
        found.append((parts, told))
        covered |= mask
    return [told for _, told in found]


def _still(loss: Array, inside: Array, rest: Array, min_rows: int) -> bool:
    import numpy as np

    if inside.sum() < min_rows or rest.sum() < min_rows:
        return False
    sums = np.array([sums_of(loss[inside]), sums_of(loss[rest])])
    effect, _, p_value = welch(sums[0][:, None], sums.sum(axis=0))
    return bool(effect[0] >= EFFECT and p_value[0] <= _STILL)
