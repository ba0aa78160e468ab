"""The contract of a table's columns: type, nulls, uniqueness, range, set of values, pattern.

Use it as the first check of every source. All rules run in one pass over the collected rows and prove that each saw
every row. Not for rules across rows or tables: `unique`, `sql` and `references` do those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple

from pydantic import Field

from mlctl.checks import CheckOptions, Context, Mendable
from mlctl.checks._findings import of_rows
from mlctl.errors import listed
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl

_TYPES: Final = {
    "text": ("String", "Categorical", "Enum"),
    "integer": ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    "number": ("Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    "boolean": ("Boolean",),
    "time": ("Date", "Datetime"),
}
_MOST_IN_MILLIONTHS: Final = (2**63 - 1) / 1_000_000
"""Features keep sums as whole millionths in 64 bits."""


class Rule(Mendable):
    """What one column must be."""

    repairs: ClassVar[tuple[str, ...]] = ("missing", "clip", "default", "scale", "strip", "nfc")

    type: Literal["text", "integer", "number", "boolean", "time"] | None = Field(
        default=None, description="the column's type"
    )
    nullable: bool = Field(default=True, description="whether a value may be missing")
    unique: bool = Field(default=False, description="whether every value stands once")
    min: float | None = Field(default=None, description="smallest allowed number")
    max: float | None = Field(default=None, description="largest allowed number")
    one_of: tuple[str | int | float | bool, ...] = Field(default=(), description="the allowed values")
    matches: str | None = Field(default=None, description="regular expression that the whole text matches")
    max_missing: float | None = Field(default=None, ge=0, le=1, description="largest allowed share of missing values")
    summed: bool = Field(default=False, description="whether it is summed: the total must fit 64 bits in millionths")


class Options(CheckOptions):
    """Options of a column contract."""

    repairs: ClassVar[tuple[str, ...]] = Rule.repairs

    kind: Literal["columns"] = Field(default="columns", description="columns")
    columns: dict[str, Rule] = Field(min_length=1, description="a rule for each column")
    extra: Literal["allow", "warn", "fail"] = Field(default="allow", description="what a column without a rule is")

    def rules(self) -> int:
        """One rule a column for its presence and type, and one for each condition."""
        return sum(
            1 + len(_conditions(name, rule)) + (rule.max_missing is not None) + rule.summed
            for name, rule in self.columns.items()
        )


EXAMPLE = {
    "kind": "columns",
    "source": "orders",
    "columns": {"amount": {"type": "number", "nullable": False, "min": 0}},
}


class _Condition(NamedTuple):
    """One rule of one column: its word, when a row breaks it, and what is allowed."""

    word: str
    broken: pl.Expr
    limit: str


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """Findings of shape (missing, extra or mistyped columns), then findings of values, rule by rule.

    Raises:
        DataError: A condition cannot be computed on the column, such as a pattern on numbers.
    """
    findings = _shape(options, table, context)
    unfit = {finding.column for finding in findings}
    whole = {name: rule for name, rule in options.columns.items() if name not in unfit}
    conditions = {
        f"{options.source}.{name}.{condition.word}": (name, rule, condition)
        for name, rule in whole.items()
        for condition in _conditions(name, rule, table)
    }
    broken = context.broken(table, {code: condition.broken for code, (_, _, condition) in conditions.items()})
    for code, (name, rule, condition) in conditions.items():
        chosen = rule if rule.severity is not None else options
        findings += of_rows(
            chosen, code, table, broken[code], column=name, limit=condition.limit, low=rule.min, high=rule.max
        )
    return findings + _totals(options, whole, table, context)


def _shape(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    findings = []
    for name, rule in options.columns.items():
        where, code = f"column {name}", f"{options.source}.{name}"
        context.saw(f"{code}.present", table.height)
        if name not in table.columns:
            limit = f"present; the table has {listed(table.columns)}"
            findings.append(Finding("fail", f"{code}.missing", where, "nothing", limit, column=name))
        elif _mistyped(rule, table[name]):
            found = f"type {table.schema[name]}"
            findings.append(Finding("fail", f"{code}.type", where, found, str(rule.type), column=name))
    extra = [name for name in table.columns if name not in options.columns]
    if extra and options.extra != "allow":
        limit, found = listed(options.columns), f"also {listed(extra)}"
        findings.append(Finding(options.extra, f"{options.source}.columns.extra", "the table", found, limit))
    return findings


def _mistyped(rule: Rule, column: pl.Series) -> bool:
    # a column without a single value has no type yet; `nullable` decides about it
    has_values = column.null_count() < len(column)
    return rule.type is not None and type(column.dtype).__name__ not in _TYPES[rule.type] and has_values


def _conditions(name: str, rule: Rule, table: pl.DataFrame | None = None) -> list[_Condition]:
    """The conditions of one column; a column without a single value breaks none but `null`."""
    import polars as pl

    column = pl.col(name)
    nan = column.is_nan() if table is not None and table.schema[name].is_float() else pl.lit(False)
    found = []
    if rule.min is not None:
        found.append(_Condition("min", (column < rule.min) | nan, f"at least {rule.min:g}"))
    if rule.max is not None:
        found.append(_Condition("max", (column > rule.max) | nan, f"at most {rule.max:g}"))
    if rule.one_of:
        found.append(_Condition("one_of", ~column.is_in(list(rule.one_of)), listed(rule.one_of)))
    if rule.matches is not None:
        found.append(_Condition("matches", ~column.str.contains(f"^(?:{rule.matches})$"), f"pattern {rule.matches}"))
    if rule.type == "number":
        found.append(_Condition("finite", ~column.is_finite(), "finite numbers"))
    if rule.unique:
        found.append(_Condition("duplicate", column.is_duplicated() & column.is_not_null(), "unique values"))
    if table is not None and table[name].null_count() == table.height:
        # its type may be none that a number or a pattern can be compared with
        found = [condition._replace(broken=column.is_null() & False) for condition in found]
    if not rule.nullable:
        found.append(_Condition("null", column.is_null(), "none missing"))
    return found


def _totals(options: Options, rules: dict[str, Rule], table: pl.DataFrame, context: Context) -> list[Finding]:
    """Rules about a column as a whole."""
    import polars as pl

    findings = []
    for name, rule in rules.items():
        code, where = f"{options.source}.{name}", f"column {name}"
        if rule.max_missing is not None:
            context.saw(f"{code}.missing_share", len(table[name]))
            share = table[name].null_count() / max(1, table.height)
            if share > rule.max_missing:
                limit = f"at most {rule.max_missing:.1%}"
                findings.append(Finding("fail", f"{code}.missing_share", where, f"{share:.1%} missing", limit))
        if rule.summed:
            context.saw(f"{code}.overflow", len(table[name]))
            total = float(table[name].cast(pl.Float64).fill_nan(None).abs().sum())
            if total > _MOST_IN_MILLIONTHS:
                limit = f"{_MOST_IN_MILLIONTHS:.3g}, what 64 bits hold in millionths"
                findings.append(Finding("fail", f"{code}.overflow", where, f"a total of {total:.3g}", limit))
    return findings
