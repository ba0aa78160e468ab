"""Rows that were made and not observed: copies of the rare outcome, and points between two of its rows (SMOTE).

Chawla and others, "SMOTE: Synthetic Minority Over-sampling Technique" (2002). Resampling before the split puts copies
of test rows into training, and every metric is too good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.findings import Finding
from mlctl.plan import AS_OF
from mlctl.probes._bins import halves, r2_of_bins
from mlctl.probes._copies import contents
from mlctl.probes._scene import Looked, Scene

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_FEWEST: Final = 30
_DISTINCT: Final = 0.3
_FOLLOWS: Final = 0.9
_SAMPLE: Final = 200
_POOL: Final = 10_000
_NEIGHBOURS: Final = 20
_COLUMNS: Final = 3
_HITS: Final = 4
_BETWEEN_SHARE: Final = 0.02
_MOST_COLUMNS: Final = 30
_VARIED: Final = 0.05
_SAME: Final = 1e-6


def resampled(scene: Scene) -> Looked:
    """One entity twice at one moment, or rows that repeat others exactly although two proofs tell them apart.

    What many honest rows share (no orders at all) is no copy: only rows that stand alone by one feature, and again by
    the others, are counted.
    """
    import numpy as np

    findings, severity, rule = [], scene.severity("resampled"), "probes.resampled"
    twice = _twice(scene)
    if len(twice):
        value = f"{len(twice):,} rows of an entity that stands twice at one moment, such as {scene.keys(twice)}"
        limit = "one row for an entity and a moment"
        return Looked(
            scene.rows.height, [Finding(severity, rule, "the rows", value, limit, tuple(int(row) for row in twice))]
        )
    at, most = np.flatnonzero(scene.moment), scene.project.probes.resampled_limit
    copied, telling = _copied(scene, at)
    truth = scene.truth[at]
    content = contents(scene.rows, scene.whole).to_numpy()
    for outcome in np.unique(truth) if scene.task != "regression" else [None]:
        who = telling if outcome is None else (truth == outcome) & telling
        share = float(copied[who].mean()) if who.sum() >= _FEWEST else 0.0
        if share <= most:
            continue
        rows = at[copied & who]
        rows = rows[np.argsort(content[rows], kind="stable")]
        of = "the rows" if outcome is None else f"the rows of label {outcome:g}"
        value = f"{share:.1%} as exact copies under other keys, such as {scene.keys(rows)}"
        limit = f"up to {most:.1%} of those that two features tell apart; resample after the split"
        findings.append(Finding(severity, rule, of, value, limit, tuple(int(row) for row in rows)))
    return Looked(scene.rows.height, findings)


def _twice(scene: Scene) -> Array:
    import numpy as np

    who = scene.rows.select(scene.project.entity.key, AS_OF)
    rows = np.flatnonzero(who.is_duplicated().to_numpy())
    key = scene.rows[scene.project.entity.key]
    return rows[np.argsort(key[rows.tolist()].rank("dense").to_numpy(), kind="stable")] if len(rows) else rows


def _copied(scene: Scene, at: Array) -> tuple[Array, Array]:
    """Two bool arrays (rows at,): exact copies of another row; rows that two proofs tell from all other contents.

    The proofs are the feature of the most different values alone, and all features without it that do not follow from
    it. Honest rows that agree in the one have no reason to agree in the other.
    """
    import numpy as np

    rows = scene.rows[at.tolist()]
    content = contents(rows, scene.whole)
    _, first, code, times = np.unique(content.to_numpy(), return_index=True, return_inverse=True, return_counts=True)
    different = rows[first.tolist()]
    name = _most_different(different, scene.columns)
    if not name:
        return (times > 1)[code], np.zeros(len(at), dtype=bool)
    rest = tuple(other for other in scene.columns if other != name and not _follows_from(scene, at, name, other))
    by_it = different[name].is_unique().to_numpy()
    by_rest = different.select(rest).hash_rows(seed=7).is_unique().to_numpy() if rest else np.zeros(len(first), bool)
    return (times > 1)[code], (by_it & by_rest)[code]


def _most_different(rows: pl.DataFrame, columns: tuple[str, ...]) -> str:
    """The number that takes the most values in a look at some rows; none where most of them repeat."""
    some = rows.gather_every(max(1, rows.height // 2000))
    counts = {name: some[name].n_unique() for name in columns if some.schema[name].is_numeric()}
    best = max(counts, key=lambda name: counts[name], default="")
    return best if best and counts[best] >= _DISTINCT * some.height else ""


def _follows_from(scene: Scene, at: Array, name: str, other: str) -> bool:
    """Whether a number is (nearly) said by another, such as a sum by a mean of one order."""
    import numpy as np

    if not scene.rows.schema[other].is_numeric():
        return False
    some = at[:: max(1, len(at) // _POOL)]
    found, values = scene.bins(name), scene.bins(other)
    ranks = values.codes[some].astype(np.float64)
    return r2_of_bins(found.codes[some], found.bins, ranks, halves(len(some))) > _FOLLOWS


def interpolated(scene: Scene) -> Looked:
    """Rows that lie exactly on the line between two rows of their own outcome, at another entity each."""
    import numpy as np

    if scene.task == "regression":
        return Looked.not_run("the label is a value; only outcomes are balanced by made-up rows")
    at = np.flatnonzero(scene.moment)
    names, numbers = _continuous(scene, at)
    if len(names) < _COLUMNS:
        return Looked.not_run(f"fewer than {_COLUMNS} features take many different values")
    findings, looked_at = [], 0
    for outcome in np.unique(scene.truth[at]):
        mine = np.flatnonzero(scene.truth[at] == outcome)
        if len(mine) < _FEWEST:
            continue
        looked_at += len(mine)
        found, asked = _between(numbers[mine])
        if len(found) < max(_HITS, _BETWEEN_SHARE * asked):
            continue
        told = [_told(scene, at[mine[list(three)]]) for three in found[:3]]
        value = f"{len(found):,} of {asked:,} looked-at rows of label {outcome:g} exactly between two others, such as "
        positions = tuple(sorted(int(at[mine[three[0]]]) for three in found))
        limit = f"no made-up rows ({len(names)} features looked at): resample after the split"
        where, rule = "the rows", "probes.interpolated"
        findings.append(Finding(scene.severity("interpolated"), rule, where, value + "; ".join(told), limit, positions))
    return Looked(looked_at, findings)


def _told(scene: Scene, three: Array) -> str:
    row, one, other = (scene.rows[scene.project.entity.key][int(position)] for position in three)
    return f"{row} (between {one} and {other})"


def _continuous(scene: Scene, at: Array) -> tuple[list[str], Array]:
    """Features of many different values, each in units of its spread: float64 array (rows, features)."""
    import numpy as np
    import polars as pl

    names: list[str] = []
    columns: list[Array] = []
    for name in scene.columns:
        values = scene.rows[name]
        # a float column of whole numbers is looked at too: what SMOTE makes of counts is no whole number any more
        if not values.dtype.is_numeric() or len(names) == _MOST_COLUMNS or not len(at):
            continue
        numbers = values.cast(pl.Float64).to_numpy()[at]
        there = np.isfinite(numbers)
        some = numbers[there][:: max(1, len(numbers) // 2000)]
        with np.errstate(over="ignore"):
            spread = float(some.std()) if len(some) else 0.0
        if there.mean() < 0.5 or spread == 0 or len(np.unique(some)) < _VARIED * len(some):
            continue
        names.append(name)
        columns.append(np.where(there, numbers, np.nan) / spread)
    return names, np.column_stack(columns) if columns else np.zeros((len(at), 0))


def _between(numbers: Array) -> tuple[list[tuple[int, int, int]], int]:
    """Triples (row, one, other) where the row lies between its neighbours, and how many rows were asked."""
    import numpy as np

    whole = np.flatnonzero(np.isfinite(numbers).all(axis=1))
    # rows between two others are near to both: a slab of neighbours misses fewer of them than a draw
    slab = whole[np.argsort(numbers[whole].sum(axis=1), kind="stable")]
    start = max(0, (len(slab) - _POOL) // 2)
    pool = np.sort(slab[start : start + _POOL])
    asked = pool[:: max(1, -(-len(pool) // _SAMPLE))]
    if len(pool) < _FEWEST:
        return [], 0
    points = numbers[pool]
    squares = (points**2).sum(axis=1)
    found = []
    for row in asked.tolist():
        distance = squares - 2 * points @ numbers[row]
        near = pool[np.argpartition(distance, min(_NEIGHBOURS, len(pool) - 1))[: _NEIGHBOURS + 1]]
        near = np.sort(near[near != row])
        pair = _line(numbers[row], numbers[near])
        if pair is not None:
            found.append((row, int(near[pair[0]]), int(near[pair[1]])))
    return found, len(asked)


def _line(point: Array, near: Array) -> tuple[int, int] | None:
    """Two of the neighbours on whose connection the point lies, moving in at least three features by odd steps."""
    import numpy as np

    one, other = np.triu_indices(len(near), 1)
    step, rise = near[other] - near[one], point - near[one]
    length = (step**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (step * rise).sum(axis=1) / length
    off = np.abs(rise - along[:, None] * step).max(axis=1)
    moving = (np.abs(step) > 1e-3).sum(axis=1) >= _COLUMNS
    # halves, thirds, ... lie on a grid of whole numbers by chance
    grid = np.abs(along[:, None] * np.arange(1, 21) - np.rint(along[:, None] * np.arange(1, 21))).min(axis=1) < 1e-4
    hit = np.flatnonzero((length > 0) & (off < _SAME) & moving & ~grid & (along > 0) & (along < 1))
    return (int(one[hit[0]]), int(other[hit[0]])) if len(hit) else None
