"""Holds the snapshot against its contract: rows that break a rule are mended, set aside with a reason, or stop the run.

Writes the checked tables, `quarantine.parquet` (source, row, row_id, rules, and the row as JSON), `repairs.parquet`
(source, row, rule, column, before, after) and `report.json`, which proves how many rules ran on how many rows. The
checks run in the order of the YAML; one that mends hands the mended rows to those below it, and is run again on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlctl import quarantine, snapshot
from mlctl.checks import Context
from mlctl.errors import DataError, listed
from mlctl.files import write_json, write_with
from mlctl.findings import Finding, of_severity
from mlctl.plan import compile_plan
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages._checking import Outcome, run_checks
from mlctl.stages._drift import drifted
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


def check(places: Places, project: Project) -> Report:
    """Runs every check on every row, mends what is to be mended and sets bad rows aside.

    Raises:
        DataError: A check of severity `fail` found something, a column changed that features read, a table is left
            empty, or a feature reads what is not there; the report is written all the same.
        IntegrityError: The snapshot is missing or was changed, or a rule did not run on every row.
    """
    taken, tables = snapshot.open_tables(places)
    drift = drifted(project, tables, *snapshot.previous_columns(places.name))
    if not of_severity(drift, "fail") and not project.ranks():
        compile_plan(project, {name: table.columns for name, table in tables.items()})
    admitted = quarantine.admissions(places)
    outcome = run_checks(project, tables, Context(taken.as_of, tables, _times(project)))
    findings = [*drift, *(finding for list_of in outcome.findings.values() for finding in list_of)]
    good, aside, passed = {}, [], dict[str, int]()
    for name, table in outcome.tables.items():
        # what stands in quarantine is the row as it was delivered
        removed, let_in = quarantine.set_aside(name, tables[name], outcome.findings[name], admitted)
        passed |= let_in
        out = {*removed["row"].to_list(), *outcome.dropped.get(name, set())}
        good[name] = _without(table, out)
        aside.append(removed)
    report = _report_data(taken.version, tables, aside, outcome, findings)
    report["admitted"] = passed
    write_json(places.checked / "report.json", report)
    write_json(places.metrics / "check.json", report["counts"])
    failed = of_severity(findings, "fail")
    if failed:
        raise DataError.contract_broken([finding.sentence() for finding in failed], str(places.checked / "report.json"))
    _write(places, good, aside, outcome.repairs)
    details = tuple(f"{finding.severity}: {finding.sentence()}" for finding in findings)
    return Report("check", _line(report), report, details=(*details, *quarantine.told(passed)))


def _times(project: Project) -> dict[str, str | None]:
    return {name: source.time_column() for name, source in project.sources.items()}


def _without(table: pl.DataFrame, rows: set[int]) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    if not rows:
        return table
    keep = np.ones(table.height, dtype=bool)
    keep[sorted(rows)] = False
    return table.filter(pl.Series(keep))


def _write(
    places: Places, good: Mapping[str, pl.DataFrame], aside: list[pl.DataFrame], repairs: list[pl.DataFrame]
) -> None:
    import polars as pl

    for name, table in good.items():
        if table.height == 0:
            raise DataError.empty(name, "after the checks: every row was set aside")
        _write_table(places.checked / f"{name}.parquet", table)
    _write_table(places.checked / "quarantine.parquet", pl.concat(aside))
    texts = dict.fromkeys(("source", "row", "rule", "column", "before", "after"), pl.String) | {"row": pl.Int64}
    _write_table(places.checked / "repairs.parquet", pl.concat([pl.DataFrame(schema=texts), *repairs]))


def _write_table(path: Any, table: pl.DataFrame) -> None:
    write_with(path, lambda temporary: table.write_parquet(temporary, compression="zstd"))


def _report_data(
    version: str,
    tables: Mapping[str, pl.DataFrame],
    aside: list[pl.DataFrame],
    outcome: Outcome,
    findings: list[Finding],
) -> dict[str, Any]:
    counts = {}
    for (name, table), removed in zip(tables.items(), aside, strict=True):
        ran = [rows for check in outcome.of_source[name] for rows in outcome.ran[check].values()]
        mended = sum(record.height for record in outcome.repairs if record["source"][:1].to_list() == [name])
        counts[name] = {
            "rows": table.height,
            "rules": len(ran),
            "checked": sum(ran),
            "quarantined": removed.height,
            "repaired": mended,
        }
    return {
        "format_version": "1.1",
        "dataset": version,
        "counts": counts,
        "ran": outcome.ran,
        "findings": [finding.record() for finding in findings],
    }


def _line(report: Mapping[str, Any]) -> str:
    counts = report["counts"].values()
    rows, rules, aside, mended = (
        sum(count[key] for count in counts) for key in ("rows", "rules", "quarantined", "repaired")
    )
    unchecked = [name for name, count in report["counts"].items() if not count["rules"]]
    warnings = sum(finding["severity"] == "warn" for finding in report["findings"])
    parts = [f"{rules} rules on {rows:,} rows", f"{aside:,} rows set aside"]
    parts += [f"{mended:,} values mended"] if mended else []
    parts += [f"{warnings} warnings"] if warnings else []
    parts += [f"no checks on {listed(unchecked)}"] if unchecked else []
    return ", ".join(parts)
