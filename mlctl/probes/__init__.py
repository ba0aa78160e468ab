"""Probes look for leaks: columns and rows that tell the answer to the test and will not be there in production.

A probe is a function from the frozen rows to findings with their evidence. Each is a field of the section `probes:`
(`fail` refuses, `warn` tells, `skip` leaves it out). What no probe could look at is told, never passed over.

Kaufman, Rosset and Perlich, "Leakage in Data Mining" (2012); Kapoor and Narayanan, "Leakage and the reproducibility
crisis in machine-learning-based science" (2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.findings import Finding
from mlctl.probes._columns import identifier, missingness, one_feature
from mlctl.probes._copies import copies, entities
from mlctl.probes._drift import drift
from mlctl.probes._moments import after_as_of, period
from mlctl.probes._resampling import interpolated, resampled
from mlctl.probes._scene import Looked, Scene
from mlctl.spec import Project

if TYPE_CHECKING:
    import polars as pl

PROBES: Final[Mapping[str, Callable[[Scene], Looked]]] = {
    "one_feature": one_feature,
    "missingness": missingness,
    "identifier": identifier,
    "after_as_of": after_as_of,
    "period": period,
    "entities": entities,
    "copies": copies,
    "resampled": resampled,
    "interpolated": interpolated,
    "drift": drift,
}
"""Every probe by its name, in the order of the report; the names are fields of `probes:`."""


@dataclass(frozen=True)
class Probed:
    """What the probes said.

    Attributes:
        findings: Everything found, in the order of the probes.
        ran: By probe, on how many rows it ran.
        not_run: By probe, why it did not run.
    """

    findings: tuple[Finding, ...]
    ran: Mapping[str, int]
    not_run: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        found = [finding.record() for finding in self.findings]
        return {"findings": found, "ran": dict(self.ran), "not_run": dict(self.not_run)}


def run(project: Project, train: pl.DataFrame, test: pl.DataFrame, columns: Sequence[str]) -> Probed:
    """Every probe that the project does not skip.

    Args:
        project: Names the entity's key, the label, the split and the limits.
        train: Rows that teach. Grain: one entity at one moment. Time: `as_of`, before the outcome. Columns: the key,
            `as_of`, `columns`, `label`, and `fold` where everybody judges once.
        test: Rows that judge, the same columns; with `fold` the rows of `train` again.
        columns: The features.

    Returns:
        The findings, and for each probe either the rows it ran on or why it did not run.
    """
    scene = Scene.of(project, train, test, columns)
    findings: list[Finding] = []
    ran: dict[str, int] = {}
    not_run: dict[str, str] = {}
    for name, look in PROBES.items():
        if getattr(project.probes, name) == "skip":
            not_run[name] = f"probes.{name} is skip"
            continue
        looked = look(scene)
        findings += looked.findings
        if looked.why:
            not_run[name] = looked.why
        else:
            ran[name] = looked.rows
    return Probed(tuple(findings), ran, not_run)


def probe(project: Project, train: pl.DataFrame, test: pl.DataFrame, columns: Sequence[str]) -> list[Finding]:
    """The findings of `run`, where nobody asks which probes ran."""
    return list(run(project, train, test, columns).findings)
