"""Single columns that know too much: the label under another name, its missingness, a row number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.findings import Finding
from mlctl.probes._bins import auc_error, auc_of_bins, halves, r2_of_bins
from mlctl.probes._scene import Looked, Scene

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

_FEWEST: Final = 30
"""Rows of the rarer outcome below which one good feature is no wonder."""
_EXACT: Final = 0.9995
_SURE: Final = 1.645
_MOST_CLASSES: Final = 20
_NEARLY_EACH: Final = 0.99
_DENSE: Final = 3
_FOLLOWS: Final = 0.6
_PROSE: Final = 40
"""Mean characters from which a text is prose and no identifier."""


def one_feature(scene: Scene) -> Looked:
    """A feature that alone ranks the label nearly without error, far ahead of all features that are below the limit."""
    why = _too_few(scene)
    if why:
        return Looked.not_run(why)
    options, half = scene.project.probes, halves(len(scene.part))[scene.teaches]
    strength = {name: _strength(scene, name, half) for name in scene.columns}
    too_good = [name for name in scene.columns if _surely(scene, strength[name]) >= options.one_feature_limit]
    honest = [(strength[name], name) for name in scene.columns if name not in too_good]
    best, runner = max(honest, default=(0.0, ""))
    findings = []
    for name in too_good:
        exact = strength[name] >= _EXACT
        if not exact and 1 - strength[name] > options.one_feature_lead * (1 - best):
            continue
        told = f"{_measure(scene)} {strength[name]:.4f} by it alone"
        if exact:
            told += ", as if it were the label itself"
        told += f" (next best: {runner} {best:.3f})" if runner else " (every other feature is as good)"
        limit = f"less than {options.one_feature_limit:g} for one feature so far ahead of the others"
        findings.append(_finding(scene, "one_feature", name, f"{told}; {_seen(scene, name)}", limit))
    return Looked(int(scene.teaches.sum()), findings)


def missingness(scene: Scene) -> Looked:
    """A feature whose being there or not tells the label: filled in, or emptied, because of the outcome."""
    why = _too_few(scene)
    if why:
        return Looked.not_run(why)
    options, truth, findings = scene.project.probes, scene.truth[scene.teaches], []
    half = halves(len(scene.part))[scene.teaches]
    for name in scene.columns:
        missing = scene.bins(name).missing[scene.teaches]
        if min(missing.sum(), (~missing).sum()) < _FEWEST:
            continue
        strength = _strength_of(scene, missing.astype("int64"), 2, truth, half)
        if strength >= options.one_feature_limit:
            told = f"{_measure(scene)} {strength:.4f} by whether it is missing; {_seen(scene, name)}"
            limit = f"less than {options.one_feature_limit:g}"
            findings.append(_finding(scene, "missingness", name, told, limit))
    return Looked(int(scene.teaches.sum()), findings)


def identifier(scene: Scene) -> Looked:
    """A column that numbers or names the rows: refused where it also foretells the label, told where it does not."""
    import polars as pl

    who = scene.moment
    rows, findings = int(who.sum()), []
    if rows < 2 * _FEWEST:
        return Looked.not_run(f"only {rows:,} rows stand at one moment")
    at_moment = scene.rows.filter(pl.Series(who))
    for name in scene.columns:
        form = _names_rows(at_moment[name], rows)
        if not form:
            continue
        strength, exceeds = _follows(scene, name)
        told = f"{form}; {_measure(scene)} {strength:.3f} by it alone; {_seen(scene, name)}"
        finding = _finding(scene, "identifier", name, told, "a value that means the same for other rows")
        findings.append(finding if exceeds else _only_told(finding))
    return Looked(rows, findings)


def _names_rows(values: pl.Series, rows: int) -> str:
    """How a column names the rows: as a dense number, as a text; empty when it does not."""
    import polars as pl

    # a look at some rows spares counting the different values of columns that repeat much
    some = values.gather_every(max(1, rows // 1000))
    if some.n_unique() < _NEARLY_EACH * len(some) or values.n_unique() < _NEARLY_EACH * rows:
        return ""
    if values.dtype == pl.String:
        mean = values.str.len_chars().mean()
        return "another text in each row" if isinstance(mean, float) and mean < _PROSE else ""
    if not values.dtype.is_numeric() or values.is_null().any():
        return ""
    numbers = values.cast(pl.Float64)
    low, high = numbers.min(), numbers.max()
    whole = bool((numbers == numbers.round()).all())
    if not whole or not isinstance(low, float) or not isinstance(high, float) or high - low > _DENSE * rows:
        return ""
    return f"another whole number in each row, {low:.0f} to {high:.0f} for {rows:,} rows"


def _follows(scene: Scene, name: str) -> tuple[float, bool]:
    """How well the label follows a column, and whether that is more than chance."""
    if _too_few(scene):
        return float("nan"), False
    half = halves(len(scene.part))[scene.teaches]
    strength = _strength(scene, name, half)
    return strength, strength >= (_FOLLOWS if scene.task != "regression" else 2 * _FOLLOWS - 1)


def _too_few(scene: Scene) -> str:
    import numpy as np

    truth = scene.truth[scene.teaches]
    truth = truth[~np.isnan(truth)]
    if scene.task == "regression":
        return "" if len(truth) >= 4 * _FEWEST else f"only {len(truth):,} training rows"
    counts = np.unique(truth, return_counts=True)[1]
    if len(counts) < 2:
        return "the label does not vary"
    fewest = int(len(truth) - counts.max()) if len(counts) > 2 else int(counts.min())
    return "" if fewest >= _FEWEST else f"only {fewest:,} training rows of the rarer outcome, {_FEWEST} are needed"


def _strength(scene: Scene, name: str, half: Array) -> float:
    found, who = scene.bins(name), scene.teaches
    return _strength_of(scene, found.codes[who], found.bins, scene.truth[who], half)


def _strength_of(scene: Scene, codes: Array, bins: int, truth: Array, half: Array) -> float:
    """ROC AUC by the bins alone (mean over the commonest classes), or R2 of the label's ranks."""
    import numpy as np

    if scene.task == "regression":
        # ranks, so that a heavy tail cannot hide that two columns are the same
        ranks = np.argsort(np.argsort(truth, kind="stable"), kind="stable") / max(1, len(truth) - 1)
        return r2_of_bins(codes, bins, ranks, half)
    classes, counts = np.unique(truth, return_counts=True)
    if len(classes) == 2:
        return auc_of_bins(codes, bins, truth == classes[1], half)
    common = classes[np.argsort(-counts, kind="stable")][:_MOST_CLASSES]
    return float(np.mean([auc_of_bins(codes, bins, truth == one, half) for one in common]))


def _surely(scene: Scene, strength: float) -> float:
    """The lower end of a strength, so that few rows cannot make an honest feature look too good."""
    import numpy as np

    truth = scene.truth[scene.teaches]
    if scene.task == "regression":
        return strength
    counts = np.unique(truth, return_counts=True)[1]
    ones = int(counts.min()) if len(counts) == 2 else int(len(truth) / len(counts))
    return strength - _SURE * auc_error(strength, max(1, ones), max(1, len(truth) - ones))


def _measure(scene: Scene) -> str:
    return "R2 of ranks" if scene.task == "regression" else "ROC AUC"


def _seen(scene: Scene, name: str) -> str:
    """Three rows with their value and label, spread over the label."""
    import numpy as np

    teaching = np.flatnonzero(scene.teaches)
    order = teaching[np.argsort(scene.truth[teaching], kind="stable")]
    rows = [int(order[0]), int(order[len(order) // 2]), int(order[-1])]
    key, values = scene.rows[scene.project.entity.key], scene.rows[name]
    return "such as " + ", ".join(f"{key[row]} ({values[row]}, label {scene.truth[row]:g})" for row in rows)


def _finding(scene: Scene, probe: str, column: str, value: str, limit: str) -> Finding:
    return Finding(scene.severity(probe), f"probes.{probe}", f"feature {column}", value, limit, column=column)


def _only_told(finding: Finding) -> Finding:
    return Finding("warn", finding.rule, finding.where, finding.value, finding.limit, column=finding.column)
