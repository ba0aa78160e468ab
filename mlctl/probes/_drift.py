"""Features by which test rows are told from training rows: adversarial validation, one feature at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl.findings import Finding
from mlctl.probes._bins import auc_of_bins, halves
from mlctl.probes._scene import Looked, Scene

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_FEWEST = 30


def drift(scene: Scene) -> Looked:
    """A feature that alone says which part of the split a row is of."""
    if scene.folds:
        return Looked.not_run("with folds everybody teaches and judges")
    judges = ~scene.teaches
    if min(judges.sum(), scene.teaches.sum()) < _FEWEST:
        return Looked.not_run(f"one side of the split has fewer than {_FEWEST} rows")
    half, limit, findings = halves(len(judges)), scene.project.probes.drift_limit, []
    for name in scene.columns:
        found = scene.bins(name)
        strength = auc_of_bins(found.codes, found.bins, judges, half)
        if strength > limit:
            value = f"ROC AUC {strength:.3f} of test against training rows by it alone; {_middles(scene, name)}"
            findings.append(
                Finding(
                    scene.severity("drift"), "probes.drift", f"feature {name}", value, f"up to {limit:g}", column=name
                )
            )
    return Looked(scene.rows.height, findings)


def _middles(scene: Scene, name: str) -> str:
    """The usual value on both sides."""
    import polars as pl

    values, teaches = scene.rows[name], pl.Series(scene.teaches)
    told = []
    for side, who in (("training", teaches), ("test", ~teaches)):
        part = values.filter(who).drop_nulls()
        if values.dtype.is_numeric():
            middle = part.median()
            told.append(f"{side} median {middle:g}" if isinstance(middle, int | float) else f"{side} empty")
        else:
            common = part.cast(pl.String).mode().sort()
            told.append(f"{side} mostly {common[0]}" if len(common) else f"{side} empty")
    return ", ".join(told)
