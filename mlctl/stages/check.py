"""Holds the snapshot against its contract: rows that break a rule are set aside with a reason, or the run stops.

Writes the checked tables, `quarantine.parquet` (source, row, rule, and the row as JSON) and `report.json`, which proves
how many rules ran on how many rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlctl import kinds, snapshot
from mlctl.errors import DataError, listed
from mlctl.files import write_json, write_with
from mlctl.findings import Finding, of_severity
from mlctl.plan import compile_plan
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


def check(places: Places, project: Project) -> Report:
    """Runs every check on every row and sets bad rows aside.

    Raises:
        DataError: A check of severity `fail` found something, a table is left empty, or a feature reads what is not
            there; the report is written all the same.
        IntegrityError: The snapshot is missing or was changed.
    """
    taken, tables = snapshot.open_tables(places)
    compile_plan(project, {name: table.columns for name, table in tables.items()})
    found = {name: _checked(project, name, table) for name, table in tables.items()}
    findings = [finding for list_of in found.values() for finding in list_of]
    good, aside = {}, []
    for name, table in tables.items():
        kept, removed = _set_aside(name, table, found[name])
        good[name] = kept
        aside.append(removed)
    report = _report_data(project, taken.version, tables, good, findings)
    write_json(places.checked / "report.json", report)
    write_json(places.metrics / "check.json", report["counts"])
    failed = of_severity(findings, "fail")
    if failed:
        raise DataError.contract_broken([finding.sentence() for finding in failed], str(places.checked / "report.json"))
    _write(places, good, aside)
    details = tuple(f"{finding.severity}: {finding.sentence()}" for finding in findings)
    return Report("check", _line(report), report, details=details)


def _checked(project: Project, source: str, table: pl.DataFrame) -> list[Finding]:
    findings: list[Finding] = []
    for options in project.checks.values():
        if options.source == source:
            findings += kinds.load("checks", options.kind).check(options, table)
    return findings


def _set_aside(name: str, table: pl.DataFrame, findings: list[Finding]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that stay, and the rows set aside with every reason."""
    import polars as pl

    reasons: dict[int, list[str]] = {}
    for finding in of_severity(findings, "quarantine"):
        for row in finding.rows:
            reasons.setdefault(row, []).append(finding.rule)
    rows = sorted(reasons)
    bad = table[rows]
    texts = bad.select(pl.struct(pl.all()).struct.json_encode()).to_series() if rows else pl.Series([], dtype=pl.String)
    removed = pl.DataFrame(
        {
            "source": [name] * len(rows),
            "row": rows,
            "rules": [", ".join(reasons[row]) for row in rows],
            "content": texts,
        },
        schema={"source": pl.String, "row": pl.Int64, "rules": pl.String, "content": pl.String},
    )
    if not rows:
        return table, removed
    keep = pl.Series(range(table.height)).is_in(rows).not_()
    return table.filter(keep), removed


def _write(places: Places, good: Mapping[str, pl.DataFrame], aside: list[pl.DataFrame]) -> None:
    import polars as pl

    for name, table in good.items():
        if table.height == 0:
            raise DataError.empty(name, "after the checks: every row was set aside")
        _write_table(places.checked / f"{name}.parquet", table)
    _write_table(places.checked / "quarantine.parquet", pl.concat(aside))


def _write_table(path: Any, table: pl.DataFrame) -> None:
    write_with(path, lambda temporary: table.write_parquet(temporary, compression="zstd"))


def _report_data(
    project: Project,
    version: str,
    tables: Mapping[str, pl.DataFrame],
    good: Mapping[str, pl.DataFrame],
    findings: list[Finding],
) -> dict[str, Any]:
    rules = dict.fromkeys(tables, 0)
    for options in project.checks.values():
        rules[options.source] += options.rules()
    counts = {
        name: {
            "rows": table.height,
            "rules": rules[name],
            "checked": table.height * rules[name],
            "quarantined": table.height - good[name].height,
        }
        for name, table in tables.items()
    }
    return {
        "format_version": "1.0",
        "dataset": version,
        "counts": counts,
        "findings": [finding.record() for finding in findings],
    }


def _line(report: Mapping[str, Any]) -> str:
    counts = report["counts"].values()
    rows, aside = sum(count["rows"] for count in counts), sum(count["quarantined"] for count in counts)
    rules = sum(count["rules"] for count in counts)
    unchecked = [name for name, count in report["counts"].items() if not count["rules"]]
    warnings = sum(finding["severity"] == "warn" for finding in report["findings"])
    parts = [f"{rules} rules on {rows:,} rows", f"{aside:,} rows set aside"]
    parts += [f"{warnings} warnings"] if warnings else []
    parts += [f"no checks on {listed(unchecked)}"] if unchecked else []
    return ", ".join(parts)
