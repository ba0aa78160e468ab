"""Changed columns, and who reads them: against the snapshot before, and against the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlctl import schema_drift
from mlctl.errors import listed
from mlctl.findings import Finding, Severity
from mlctl.plan import impact
from mlctl.spec import Project

if TYPE_CHECKING:
    import polars as pl


def drifted(
    project: Project, tables: Mapping[str, pl.DataFrame], when: str, before: Mapping[str, Mapping[str, str]]
) -> list[Finding]:
    """What changed in the columns since the snapshot before; `fail` where it breaks what a feature or the label reads.

    A contract (`columns`) that names the column's new type has accepted the change: then it is only told.
    """
    findings = []
    for source, table in tables.items():
        if source not in before:
            continue
        after = {column: str(dtype) for column, dtype in table.schema.items()}
        for change in schema_drift.changes(before[source], after):
            readers = impact.readers(project, source, change.column)
            needed = any(reader in ("label", "items", "entity", "model") for reader in readers)
            accepted = change.column in after and _has_type_rule(project, source, change.column)
            severity: Severity = "fail" if change.change == "breaking" and needed and not accepted else "warn"
            value = f"{change.told}; {_read_by(readers)}"
            if change.renamed:
                value += f"; to follow it: {'; '.join(impact.keys_to_change(project, source, *_names(change)))}"
            rule = f"{source}.{change.column}.schema_{change.change}"
            findings.append(Finding(severity, rule, f"column {change.column}", value, f"as it was on {when}"))
    return findings


def _names(change: schema_drift.Change) -> tuple[str, str]:
    return change.column, change.renamed or ""


def _has_type_rule(project: Project, source: str, column: str) -> bool:
    contracts = _contracts(project, source)
    return any(column in options.columns and options.columns[column].type is not None for options in contracts)


def _contracts(project: Project, source: str) -> list[Any]:
    return [options for options in project.checks.values() if options.kind == "columns" and options.source == source]


def _read_by(readers: Iterable[str]) -> str:
    names = listed(readers, 8)
    return f"read by {names}" if names else "nothing reads it"


def with_readers(project: Project, source: str, table: pl.DataFrame, finding: Finding) -> Finding:
    """A finding about a column's shape, with who reads the column and what it may be called now."""
    if not finding.column or finding.rule.rpartition(".")[2] not in ("missing", "type") or finding.rows:
        return finding
    value = f"{finding.value}; {_read_by(impact.readers(project, source, finding.column))}"
    known = {name for options in _contracts(project, source) for name in options.columns}
    new = schema_drift.likely_rename(finding.column, set(table.columns) - known)
    if finding.rule.endswith(".missing") and new:
        patch = "; ".join(impact.keys_to_change(project, source, finding.column, new))
        value += f"; most likely renamed to {new!r}; to follow it: {patch}"
    return replace(finding, value=value)
