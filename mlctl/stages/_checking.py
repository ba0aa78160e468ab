"""Runs the checks of a project: proves that every rule saw every row, mends what is to be mended, checks it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlctl import kinds, quarantine
from mlctl.checks import Context
from mlctl.errors import DataError, IntegrityError, listed
from mlctl.findings import Finding, of_severity
from mlctl.spec import Project
from mlctl.stages._drift import with_readers

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Outcome:
    """What the checks of a project did.

    Attributes:
        tables: The tables as mended so far, by source; every row is still in its place.
        findings: Everything found, by source.
        ran: For each check, how many rows each of its rules saw.
        repairs: Every mended value.
        dropped: Positions of rows that a repair drops, by source.
        of_source: The names of the checks of each source.
    """

    tables: dict[str, pl.DataFrame]
    findings: dict[str, list[Finding]]
    ran: dict[str, dict[str, int]] = field(default_factory=dict)
    repairs: list[pl.DataFrame] = field(default_factory=list)
    dropped: dict[str, set[int]] = field(default_factory=dict)
    of_source: dict[str, list[str]] = field(default_factory=dict)


def run_checks(project: Project, tables: Mapping[str, pl.DataFrame], context: Context) -> Outcome:
    """Runs every check of a project in the order of the YAML.

    A check that cannot be run on its table is a finding of severity `fail`.

    Raises:
        IntegrityError: A rule did not run, or did not see every row.
    """
    outcome = Outcome(dict(tables), {name: [] for name in tables}, of_source={name: [] for name in tables})
    for name, options in project.checks.items():
        kind = kinds.load("checks", options.kind)
        own = replace(context, tables=outcome.tables, ran={})
        try:
            findings = kind.check(options, outcome.tables[options.source], own)
        except DataError as error:
            # told with everything else: often a column is gone, and the contract says more about it
            findings = [_not_run(name, options, error)]
        _prove(name, options, own, outcome.tables[options.source].height, findings)
        outcome.ran[name] = own.ran
        outcome.of_source[options.source].append(name)
        if of_severity(findings, "repair"):
            findings = _repaired(options, findings, own, outcome)
        table = outcome.tables[options.source]
        outcome.findings[options.source] += [with_readers(project, options.source, table, one) for one in findings]
    return outcome


def _not_run(name: str, options: Any, error: DataError) -> Finding:
    why = f" ({error.why})" if error.why else ""
    return Finding("fail", f"{options.source}.{name}.not_run", f"check {name}", f"{error.what}{why}", "a run")


def _prove(name: str, options: Any, context: Context, rows: int, findings: Iterable[Finding]) -> None:
    """A rule that did not see every row is a failure, unless the check told that its table is not fit."""
    if of_severity(findings, "fail"):
        return
    short = {rule: seen for rule, seen in context.ran.items() if seen != rows}
    if len(context.ran) != options.rules() or short:
        seen = f", {listed(f'{rule} on {seen:,} rows' for rule, seen in short.items())}" if short else ""
        why = f"{len(context.ran)} of {options.rules()} rules ran on {rows:,} rows of {options.source}{seen}"
        raise IntegrityError.refused(f"the check {name!r}", why, f"mlctl explain checks.{options.kind}")


def _repaired(options: Any, findings: list[Finding], context: Context, outcome: Outcome) -> list[Finding]:
    """Mends the rows, runs the check again on them, and sets aside what is still wrong."""
    import polars as pl

    source = options.source
    table = outcome.tables[source]
    mended = of_severity(findings, "repair")
    for finding in mended:
        rows = list(finding.rows)
        outcome.repairs.append(_record(source, table, finding))
        if finding.mended is None:
            outcome.dropped.setdefault(source, set()).update(rows)
            continue
        values = table[finding.column].scatter(rows, finding.mended.cast(table.schema[finding.column]))
        table = table.with_columns(values)
    outcome.tables[source] = table
    if all(finding.mended is None for finding in mended):
        return findings
    again = kinds.load("checks", options.kind).check(options, table, replace(context, tables=outcome.tables, ran={}))
    codes = {finding.rule for finding in mended}
    left = [replace(one, severity="quarantine", mended=None) for one in of_severity(again, "repair")]
    # positions where the policy changed nothing: the record says so no longer
    still = {(one.rule, row) for one in left for row in one.rows}
    if still:
        unchanged = pl.DataFrame(
            [(rule, row) for rule, row in sorted(still)], schema={"rule": pl.String, "row": pl.Int64}, orient="row"
        )
        outcome.repairs[-len(mended) :] = [
            record.join(unchanged, on=["rule", "row"], how="anti", maintain_order="left")
            for record in outcome.repairs[-len(mended) :]
        ]
    kept = [_less(one, still) for one in findings]
    return [one for one in kept if one.rows or one.rule not in codes] + left


def _less(finding: Finding, still: set[tuple[str, int]]) -> Finding:
    """A repair without the rows that it did not mend."""
    if finding.severity != "repair":
        return finding
    rows = tuple(row for row in finding.rows if (finding.rule, row) not in still)
    return (
        finding if len(rows) == len(finding.rows) else replace(finding, rows=rows, value=f"{len(rows):,} rows mended")
    )


def _record(source: str, table: pl.DataFrame, finding: Finding) -> pl.DataFrame:
    """What a repair changed. Grain: one value of one row (the whole row as JSON where it is dropped). Time: none."""
    import polars as pl

    rows = list(finding.rows)
    if finding.mended is None:
        before, after = pl.Series(quarantine.row_ids(table[rows])[0], dtype=pl.String), [None] * len(rows)
    else:
        before = table[finding.column][rows].cast(pl.String)
        after = finding.mended.cast(pl.String).to_list()
    return pl.DataFrame(
        {
            "source": [source] * len(rows),
            "row": rows,
            "rule": [finding.rule] * len(rows),
            "column": [finding.column] * len(rows),
            "before": before,
            "after": pl.Series(after, dtype=pl.String),
        },
        schema_overrides={"row": pl.Int64},
    )
