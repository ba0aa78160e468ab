"""The contract of a table's columns: type, nulls, uniqueness, range, set of values, pattern.

Use it as the first check of every source. It runs by pandera on the collected rows (a lazy frame would pass unseen) and
proves that every rule saw every row. Not for rules across rows or tables: `unique` and `rows` do those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions
from mlctl.errors import IntegrityError, listed
from mlctl.findings import Finding, Severity
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl

_TYPES: Final = {
    "text": ("String",),
    "integer": ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    "number": ("Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    "boolean": ("Boolean",),
    "time": ("Date", "Datetime"),
}


class Rule(Record):
    """What one column must be."""

    type: Literal["text", "integer", "number", "boolean", "time"] | None = Field(
        default=None, description="the column's type"
    )
    nullable: bool = Field(default=True, description="whether a value may be missing")
    unique: bool = Field(default=False, description="whether every value stands once")
    min: float | None = Field(default=None, description="smallest allowed number")
    max: float | None = Field(default=None, description="largest allowed number")
    one_of: tuple[str | int | float | bool, ...] = Field(default=(), description="the allowed values")
    matches: str | None = Field(default=None, description="regular expression that the whole text matches")
    severity: Severity | None = Field(default=None, description="in place of the check's severity")


class Options(CheckOptions):
    """Options of a column contract."""

    kind: Literal["columns"] = Field(default="columns", description="columns")
    columns: dict[str, Rule] = Field(min_length=1, description="a rule for each column")
    extra: Literal["allow", "warn", "fail"] = Field(default="allow", description="what a column without a rule is")

    def rules(self) -> int:
        """One rule a column for its presence and type, and one for each condition."""
        return sum(1 + len(_conditions(rule)) + rule.unique for rule in self.columns.values())


EXAMPLE = {
    "kind": "columns",
    "source": "orders",
    "columns": {"amount": {"type": "number", "nullable": False, "min": 0}},
}


def check(options: Options, table: pl.DataFrame) -> list[Finding]:
    """Findings of shape (missing, extra or mistyped columns), then findings of values, rule by rule.

    Raises:
        IntegrityError: A rule did not run on the rows.
    """
    findings = _shape(options, table)
    mistyped = {finding.rule.split(".")[1] for finding in findings}
    rules = {name: rule for name, rule in options.columns.items() if name not in mistyped}
    return findings + _values(options, rules, table)


def _shape(options: Options, table: pl.DataFrame) -> list[Finding]:
    findings = []
    for name, rule in options.columns.items():
        where = f"column {name}"
        if name not in table.columns:
            limit = f"present; the table has {listed(table.columns)}"
            findings.append(Finding("fail", f"{options.source}.{name}.missing", where, "nothing", limit))
        elif _mistyped(rule, table[name]):
            findings.append(
                Finding("fail", f"{options.source}.{name}.type", where, f"type {table.schema[name]}", str(rule.type))
            )
    extra = [name for name in table.columns if name not in options.columns]
    if extra and options.extra != "allow":
        limit = listed(options.columns)
        findings.append(
            Finding(options.extra, f"{options.source}.columns.extra", "the table", f"also {listed(extra)}", limit)
        )
    return findings


def _mistyped(rule: Rule, column: pl.Series) -> bool:
    # a column without a single value has no type yet; `nullable` decides about it
    has_values = column.null_count() < len(column)
    return rule.type is not None and type(column.dtype).__name__ not in _TYPES[rule.type] and has_values


def _values(options: Options, rules: dict[str, Rule], table: pl.DataFrame) -> list[Finding]:
    import pandera.polars as pandera
    from pandera.config import ValidationDepth, config_context

    if table.height == 0 or not rules:
        return []
    executed: list[str] = []
    columns = {name: _pandera_column(name, rule, executed) for name, rule in rules.items()}
    failures: list[dict[str, Any]] = []
    # the depth is said here, so that no environment variable can switch the value checks off
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            pandera.DataFrameSchema(columns).validate(table, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            failures = errors.failure_cases.to_dicts()
    wanted = sum(len(_conditions(rule)) for rule in rules.values())
    if len(executed) != wanted:
        why = f"{len(executed)} of {wanted} value rules ran"
        raise IntegrityError.refused(f"the check of {options.source}", why, "mlctl doctor")
    return _grouped(options, rules, failures)


def _pandera_column(name: str, rule: Rule, executed: list[str]) -> Any:
    import pandera.polars as pandera

    def counted(label: str, condition: Callable[[pl.Expr], pl.Expr]) -> Any:
        def run(data: Any) -> Any:
            import polars as pl

            executed.append(f"{name}.{label}")
            return data.lazyframe.select(condition(pl.col(data.key)))

        # a missing value breaks `null` alone
        return pandera.Check(run, name=label, ignore_na=label != "null")

    checks = [counted(label, condition) for label, condition, _ in _conditions(rule)]
    return pandera.Column(None, checks, nullable=True, unique=rule.unique)


def _conditions(rule: Rule) -> list[tuple[str, Callable[[pl.Expr], pl.Expr], str]]:
    found: list[tuple[str, Callable[[pl.Expr], pl.Expr], str]] = []
    if not rule.nullable:
        found.append(("null", lambda column: column.is_not_null(), "none missing"))
    if rule.min is not None:
        found.append(("min", lambda column: (column >= rule.min) & ~_nan(column), f"at least {rule.min:g}"))
    if rule.max is not None:
        # polars orders NaN above every number, so the upper limit catches it
        found.append(("max", lambda column: (column <= rule.max) & ~_nan(column), f"at most {rule.max:g}"))
    if rule.one_of:
        found.append(("one_of", lambda column: column.is_in(list(rule.one_of)), listed(rule.one_of)))
    if rule.matches is not None:
        found.append(
            ("matches", lambda column: column.str.contains(f"^(?:{rule.matches})$"), f"pattern {rule.matches}")
        )
    if rule.type == "number":
        found.append(("finite", lambda column: column.is_finite(), "finite numbers"))
    return found


def _nan(column: pl.Expr) -> pl.Expr:
    import polars as pl

    return column.cast(pl.Float64).is_nan()


def _grouped(options: Options, rules: dict[str, Rule], failures: list[dict[str, Any]]) -> list[Finding]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for failure in failures:
        label = "duplicate" if failure["check"] == "field_uniqueness" else failure["check"]
        groups.setdefault((failure["column"], label), []).append(failure)
    findings = []
    for (name, label), cases in sorted(groups.items()):
        rule = rules[name]
        limits = {condition: limit for condition, _, limit in _conditions(rule)}
        rows = tuple(sorted({case["index"] for case in cases if case["index"] is not None}))
        value = (
            f"{len(rows)} rows such as {cases[0]['failure_case']}" if label != "null" else f"{len(rows)} missing values"
        )
        # a condition that could not be computed names no rows, and then nothing can be set aside
        severity = (rule.severity or options.severity) if rows else "fail"
        limit = limits.get(label, "unique values" if label == "duplicate" else label)
        findings.append(Finding(severity, f"{options.source}.{name}.{label}", f"column {name}", value, limit, rows))
    return findings
