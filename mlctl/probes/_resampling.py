"""Rows that were made and not observed: copies of the rare outcome, and points between two of its rows (SMOTE).

Chawla and others, "SMOTE: Synthetic Minority Over-sampling Technique" (2002). Resampling before the split puts copies
of test rows into training, and every metric is too good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.findings import Finding
from mlctl.plan import AS_OF
from mlctl.probes._copies import contents
from mlctl.probes._scene import Looked, Scene

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_FEWEST: Final = 30
_DISTINCT: Final = 0.5
_MANY: Final = 0.2
_TIMES: Final = 4.0
_SAMPLE: Final = 200
_POOL: Final = 20_000
_NEIGHBOURS: Final = 8
_COLUMNS: Final = 3
_BETWEEN_SHARE: Final = 0.05
_MOST_COLUMNS: Final = 30
_SAME: Final = 1e-6


def resampled(scene: Scene) -> Looked:
    """One entity twice at one moment; or one outcome whose rows are mostly exact copies while the others' are not.

    Only rows that a rare value tells from all other contents count, so that what many honest rows share (no orders at
    all) is no copy.
    """
    import numpy as np

    findings, severity, rule = [], scene.severity("resampled"), "probes.resampled"
    twice = _twice(scene)
    if len(twice):
        value = f"{len(twice):,} rows of an entity that stands twice at one moment, such as {scene.keys(twice)}"
        limit = "one row for an entity and a moment"
        findings.append(Finding(severity, rule, "the rows", value, limit, tuple(int(row) for row in twice)))
    if scene.task == "regression":
        return Looked(scene.rows.height, findings)
    at = np.flatnonzero(scene.moment)
    copied, telling = _copied(scene, at)
    shares = {}
    for outcome in np.unique(scene.truth[at]):
        who = (scene.truth[at] == outcome) & telling
        if who.sum() >= _FEWEST:
            shares[float(outcome)] = float(copied[who].mean())
    if len(shares) >= 2 and not len(twice):
        worst = max(shares, key=lambda outcome: shares[outcome])
        usual = min(shares.values())
        if shares[worst] >= _MANY and shares[worst] >= _TIMES * usual:
            rows = at[copied & telling & (scene.truth[at] == worst)]
            rows = rows[np.argsort(contents(scene.rows, scene.columns).to_numpy()[rows], kind="stable")]
            value = f"{shares[worst]:.1%} of label {worst:g} as exact copies, such as {scene.keys(rows)}"
            limit = f"not far more than the {usual:.1%} of another outcome: resample after the split"
            findings.append(Finding(severity, rule, "the rows", value, limit, tuple(int(row) for row in rows)))
    return Looked(scene.rows.height, findings)


def _twice(scene: Scene) -> Array:
    import numpy as np

    who = scene.rows.select(scene.project.entity.key, AS_OF)
    rows = np.flatnonzero(who.is_duplicated().to_numpy())
    key = scene.rows[scene.project.entity.key]
    return rows[np.argsort(key[rows.tolist()].rank("dense").to_numpy(), kind="stable")] if len(rows) else rows


def _copied(scene: Scene, at: Array) -> tuple[Array, Array]:
    """Two bool arrays (rows at,): exact copies of another row; rows that two rare values of their own tell apart."""
    import numpy as np

    rows = scene.rows[at.tolist()]
    content = contents(rows, scene.columns)
    _, first, code, times = np.unique(content.to_numpy(), return_index=True, return_inverse=True, return_counts=True)
    own = np.zeros(len(first), dtype=np.int64)
    for name in scene.columns:
        values = rows[name][first.tolist()]
        some = values.gather_every(max(1, len(values) // 1000))
        if values.dtype.is_numeric() and some.n_unique() >= _DISTINCT * len(some):
            own += values.is_unique().to_numpy()
    return (times > 1)[code], (own >= 2)[code]


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
        if len(found) < max(_COLUMNS, _BETWEEN_SHARE * asked):
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
        if not values.dtype.is_numeric() or len(names) == _MOST_COLUMNS:
            continue
        numbers = values.cast(pl.Float64).to_numpy()[at]
        there = np.isfinite(numbers)
        some = numbers[there][:: max(1, len(numbers) // 2000)]
        spread = float(some.std()) if len(some) else 0.0
        if there.mean() < 0.5 or spread == 0 or len(np.unique(some)) < 0.1 * len(some):
            continue
        names.append(name)
        columns.append(np.where(there, numbers, np.nan) / spread)
    return names, np.column_stack(columns) if columns else np.zeros((len(at), 0))


def _between(numbers: Array) -> tuple[list[tuple[int, int, int]], int]:
    """Triples (row, one, other) where the row lies between its neighbours, and how many rows were asked."""
    import numpy as np

    whole = np.flatnonzero(np.isfinite(numbers).all(axis=1))
    pool = whole[:: max(1, -(-len(whole) // _POOL))]
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
