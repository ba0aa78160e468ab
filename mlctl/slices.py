"""Weak slices: groups of rows that a model serves worse than the rest, found without anybody naming them.

Every condition on one feature (a value, a quantile range, missing) and every pair of conditions on two features is
tested: is the mean loss inside larger than outside? Size limits are set before, the p values are corrected for all
tests together, and what only repeats a surer slice is left out. The conditions are SQL, ready for `cohorts:`.

Chung and others, "Slice Finder: Automated Data Slicing for Model Validation" (2019): effect size and Welch's t test.
Holm, "A simple sequentially rejective multiple test procedure" (1979).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.decide import cold
from mlctl.features import fulfils
from mlctl.spec import Project

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

LEVEL: Final = 0.05
"""The share of tables without a weak slice in which one may be found all the same."""
EFFECT: Final = 0.1
"""Smallest difference of mean losses that is told, in standard deviations of the loss."""
VALUES: Final = 12
"""Most values of a text feature that make a condition each."""
LEAST_CONFIDENT: Final = 0.1
"""The share of rows that is shown as `low_confidence` where the project sets no limit."""
_CUTS: Final = (0.05, 0.125, 0.25, 0.5, 0.75, 0.875, 0.95)
_EDGE_ROWS: Final = 50_000
_CANDIDATES: Final = 2000
_STILL: Final = 0.001
"""How sure a slice must be by its rows outside of the surer slices."""
_SECOND: Final = 1.0
"""Standard errors by which two conditions must be surer than one."""
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


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


@dataclass(frozen=True)
class Shown:
    """A group that is always shown.

    Attributes:
        condition: What its rows fulfil: SQL over the features, or over `confidence`.
        holds: bool array (rows,).
    """

    condition: str
    holds: Array


Parts = tuple[str, ...]


class _Split(NamedTuple):
    """One feature: a bin for each row, and its conditions as sets of bins (0/1 array: conditions, bins)."""

    codes: Array
    conditions: list[str]
    members: Array


def find(rows: pl.DataFrame, columns: Sequence[str], loss: Array, min_rows: int = 50, most: int = 10) -> list[Slice]:
    """The weak slices of a scored table, the surest first.

    A slice is left out where its rows outside the surer slices are not served worse than the rest. Rows of one entity
    count as if they were independent.

    Args:
        rows: Grain: one scored row. Time: any.
        columns: The features that may make a condition: numbers, truth values, texts.
        loss: float array (rows,), the loss of each row (log loss, squared error, 0/1); NaN is left out.
        min_rows: Fewest rows of a slice, and of its rest.
        most: Most slices that are told.

    Raises:
        DataError: A condition cannot be computed on the rows; a fault of this module.
    """
    import numpy as np

    there = np.isfinite(loss)
    rows, loss = rows.filter(there), np.asarray(loss, dtype=np.float64)[there]
    if rows.height < 2 * min_rows or float(loss.std()) == 0.0:
        return []
    splits = [split for name in columns if (split := _split(rows[name], name, min_rows)) is not None]
    # around the mean and in units of the spread, so that sums of squares keep their digits
    unit = (loss - loss.mean()) / loss.std()
    moments = (None, unit, unit**2)
    tables: list[tuple[_Split, ...]] = []
    places, counted = [], []
    for table, sums in _tables(splits, moments):
        enough = np.flatnonzero((sums[0] >= min_rows) & (rows.height - sums[0] >= min_rows))
        # the names of hundreds of thousands of tests would fill the memory; those of the weak ones are made below
        places += [np.column_stack([np.full(len(enough), len(tables)), enough])]
        tables.append(table)
        counted.append(sums[:, enough])
    if not tables:
        return []
    sums, place_of = np.concatenate(counted, axis=1), np.concatenate(places)
    effect, t, p_values = _welch(sums, np.array([rows.height, moments[1].sum(), moments[2].sum()]))
    corrected = holm(p_values)
    weak = np.flatnonzero((corrected <= LEVEL) & (effect >= EFFECT))
    named = {test: _named(tables[place_of[test][0]], int(place_of[test][1])) for test in weak.tolist()}
    # surest first; a second condition that only leaves out a few lucky rows makes nothing surer
    surest = sorted(named, key=lambda test: (_SECOND * len(named[test]) - t[test], named[test]))
    candidates = [(named[test], float(corrected[test])) for test in surest[:_CANDIDATES]]
    return _apart(rows, loss, candidates, min_rows)[:most]


def holm(p_values: Sequence[float] | Array) -> Array:
    """P values corrected for their number: below a level, all that are below it are so by chance at most so often.

    Returns:
        float64 array (tests,), in the order given, at most 1.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    found = np.empty_like(corrected)
    found[order] = corrected
    return found


def always(project: Project, rows: pl.DataFrame, score: Array) -> dict[str, Shown]:
    """The groups that every report shows: whom little is known about, and where the model is not sure.

    Args:
        project: `decide.evidence` names the feature that counts what is known, `decide.min_confidence` the limit.
        rows: The scored rows with their features.
        score: float array (rows,) P(label = 1), or (rows, classes) probabilities.

    Returns:
        `cold_start` where an evidence feature is named; `low_confidence` where the label is no value: below
        `min_confidence`, or the least confident tenth.

    Raises:
        DataError: The evidence feature does not exist.
    """
    import numpy as np

    shown: dict[str, Shown] = {}
    policy = project.decide
    if policy.evidence is not None:
        name, least = _spelled(policy.evidence), _number(float(policy.min_evidence))
        shown["cold_start"] = Shown(f"{name} IS NULL OR {name} < {least}", cold(policy, rows).to_numpy())
    if str(getattr(project.label, "task", "binary")) != "regression" and len(score):
        confidence = score.max(axis=1) if score.ndim == 2 else np.maximum(score, 1 - score)
        limit = float(policy.min_confidence)
        if limit <= float(confidence.min()):
            limit = float(np.quantile(confidence, LEAST_CONFIDENT, method="higher"))
        shown["low_confidence"] = Shown(f"confidence < {_number(limit)}", confidence < limit)
    return shown


def _split(values: pl.Series, name: str, min_rows: int) -> _Split | None:
    """A feature's bins and conditions; None where it has none."""
    import polars as pl

    if values.dtype in (pl.Boolean, pl.String):
        return _by_value(values, _spelled(name), min_rows)
    return _by_cut(values, _spelled(name)) if values.dtype.is_numeric() else None


def _by_value(values: pl.Series, name: str, min_rows: int) -> _Split | None:
    import numpy as np

    counts = (
        values.alias("value").drop_nulls().value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    )
    common = [value for value, times in counts.head(VALUES).iter_rows() if times >= min_rows]
    codes = np.full(len(values), len(common) + 1)
    conditions = []
    for code, value in enumerate(common):
        codes[(values == value).fill_null(False).to_numpy()] = code
        spelled = f"{name} = {'TRUE' if value else 'FALSE'}" if isinstance(value, bool) else f"{name} = {_text(value)}"
        conditions.append(spelled)
    codes[values.is_null().to_numpy()] = len(common)
    members = np.eye(len(common) + 2)[: len(common) + 1]
    return _Split(codes, [*conditions, f"{name} IS NULL"], members)


def _by_cut(values: pl.Series, name: str) -> _Split | None:
    import numpy as np
    import polars as pl

    numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    there = np.sort(numbers[np.isfinite(numbers)][:: max(1, len(numbers) // _EDGE_ROWS)])
    if len(there) == 0 or np.isinf(numbers).any():
        return None
    # three digits are enough to read; a float32 column is compared as float32, so its cuts are such numbers
    values_there = np.unique(there)
    few = len(values_there) <= VALUES
    wanted = values_there if few else there[[int(share * (len(there) - 1)) for share in _CUTS]]
    cuts = {float(value if few else f"{value:.3g}") for value in wanted}
    if values.dtype == pl.Float32:
        cuts = {float(np.float32(cut)) for cut in cuts}
    edges = [cut for cut in sorted(cuts) if there[0] < cut <= there[-1]]
    last = len(edges)
    bins = np.arange(last + 2)
    codes = np.where(np.isnan(numbers), last + 1, np.searchsorted(edges, numbers, side="right"))
    conditions, members = [], []
    # NaN is larger than every number in SQL, so a range that is open above is closed by the largest value
    top = np.max(numbers, where=~np.isnan(numbers), initial=-np.inf)
    missing = _number(float(top)) if values.dtype.is_float() and values.is_nan().any() else ""
    end = f" AND {name} <= {missing}" if missing else ""
    for place, edge in enumerate(edges):
        conditions += [f"{name} < {_number(edge)}", f"{name} >= {_number(edge)}{end}"]
        members += [bins <= place, (bins > place) & (bins <= last)]
    for place, (low, high) in enumerate(pairwise(edges)):
        conditions.append(f"{name} >= {_number(low)} AND {name} < {_number(high)}")
        members.append(bins == place + 1)
    conditions.append(f"{name} IS NULL OR NOT ({name} <= {missing})" if missing else f"{name} IS NULL")
    members.append(bins == last + 1)
    return _Split(codes, conditions, np.array(members, dtype=np.float64))


def _tables(splits: Sequence[_Split], moments: Sequence[Array | None]) -> Iterator[tuple[tuple[_Split, ...], Array]]:
    """Each feature and each pair, and a float array (3, conditions): rows, sum and sum of squares of each condition."""
    import numpy as np

    for one in splits:
        bins = one.members.shape[1]
        sums = [one.members @ np.bincount(one.codes, weights=weight, minlength=bins) for weight in moments]
        yield (one,), np.array(sums)
    for one, other in combinations(splits, 2):
        shape = (one.members.shape[1], other.members.shape[1])
        cells = one.codes * shape[1] + other.codes
        tables = [
            np.bincount(cells, weights=weight, minlength=shape[0] * shape[1]).reshape(shape) for weight in moments
        ]
        yield (one, other), np.array([one.members @ table @ other.members.T for table in tables]).reshape(3, -1)


def _named(table: tuple[_Split, ...], place: int) -> Parts:
    """The conditions at one place of a feature's or a pair's table."""
    if len(table) == 1:
        return (table[0].conditions[place],)
    one, other = divmod(place, len(table[1].conditions))
    return table[0].conditions[one], table[1].conditions[other]


def _welch(sums: Array, whole: Array) -> tuple[Array, Array, Array]:
    """Effect size, t and one-sided p of Welch's test of slices against their rests.

    Args:
        sums: float array (3, slices): rows, sum and sum of squares of the loss about any one value.
        whole: float array (3,): the same of all rows.
    """
    import numpy as np
    from scipy import stats  # type: ignore[import-untyped]

    inside, outside = _mean_and_variance(sums), _mean_and_variance(whole[:, None] - sums)
    # a handful of equal losses has no variance and proves nothing: at least that of all rows is taken
    least = float(_mean_and_variance(whole[:, None])[1][0]) + 1e-100
    variance, spread = np.maximum(np.maximum(inside[1], outside[1]), least), np.maximum(outside[1], least)
    rows, others = sums[0], whole[0] - sums[0]
    one, other = variance / rows, spread / others
    t = (inside[0] - outside[0]) / np.sqrt(one + other)
    freedom = (one + other) ** 2 / (one**2 / (rows - 1) + other**2 / (others - 1))
    effect = (inside[0] - outside[0]) / np.sqrt((variance + spread) / 2)
    return effect, t, np.asarray(stats.t.sf(t, freedom))


def _mean_and_variance(sums: Array) -> tuple[Array, Array]:
    import numpy as np

    rows, total, squares = sums
    mean = total / rows
    return mean, np.maximum(squares - rows * mean**2, 0.0) / (rows - 1)


def _apart(rows: pl.DataFrame, loss: Array, candidates: Sequence[tuple[Parts, float]], min_rows: int) -> list[Slice]:
    """Those candidates, surest first, that are weak also by their rows outside of the surer ones."""
    import numpy as np

    unit = (loss - loss.mean()) / loss.std()
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
        sums = np.array([_sums(unit[mask]), _sums(unit[~mask])])
        effect = _welch(sums[0][:, None], sums.sum(axis=0))[0]
        inside, rest = float(loss[mask].mean()), float(loss[~mask].mean())
        told = Slice(_both(parts), int(mask.sum()), inside, rest, float(effect[0]), p_value)
        found.append((parts, told))
        covered |= mask
    return [told for _, told in found]


def _still(loss: Array, inside: Array, rest: Array, min_rows: int) -> bool:
    import numpy as np

    if inside.sum() < min_rows or rest.sum() < min_rows:
        return False
    sums = np.array([_sums(loss[inside]), _sums(loss[rest])])
    effect, _, p_value = _welch(sums[0][:, None], sums.sum(axis=0))
    return bool(effect[0] >= EFFECT and p_value[0] <= _STILL)


def _sums(loss: Array) -> tuple[float, float, float]:
    return float(len(loss)), float(loss.sum()), float((loss**2).sum())


def _both(parts: Parts) -> str:
    return " AND ".join(f"({part})" if " OR " in part and len(parts) > 1 else part for part in parts)


def _spelled(name: str) -> str:
    """A column's name in SQL, in quotes where SQL would not read it as a name."""
    import polars as pl

    if _NAME.fullmatch(name):
        try:
            if pl.sql_expr(f"{name} IS NULL OR {name} < 1").meta.root_names() == [name, name]:
                return name
        except pl.exceptions.PolarsError:
            pass
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _text(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def _number(value: float) -> str:
    """A number in SQL with as many digits as it has.

    >>> _number(12300.0), _number(0.1)
    ('12300', '0.1')
    """
    return repr(value).removesuffix(".0")
