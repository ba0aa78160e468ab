"""A check is a function from a table to findings.

A check looks at real rows, never at a plan of a query, and names the positions of the rows it means. What happens to
them (stop, set aside, mend, tell) is its severity. A check writes down each rule it ran and on how many rows: a rule
that did not see every row is a failure of the check itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from mlctl.errors import DataError, first_line
from mlctl.findings import Finding, Severity
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl


class Default(Record):
    """Mends by one value for all."""

    default: str | int | float | bool = Field(description="the value that takes the place of what broke the rule")


class Scale(Record):
    """Mends a unit."""

    scale: float = Field(gt=0, description="the value is multiplied by it, such as 0.01 for cents that should be euros")


Repair = Literal["missing", "clip", "fix_encoding", "drop_duplicate", "strip", "nfc"] | Default | Scale
"""How a value is mended: by making it missing, by the nearest allowed number, by undoing the wrong encoding, by keeping
the first of equal rows, by cutting outer spaces, by composing accents, by a default, by a factor."""


class Mendable(Record):
    """A rule that says what happens to the rows that break it."""

    repairs: ClassVar[tuple[str, ...]] = ("missing", "default")

    severity: Severity | None = Field(default=None, description="fail, quarantine, repair or warn")
    repair: Repair | None = Field(
        default=None,
        description="with severity repair: missing, clip, fix_encoding, drop_duplicate, strip, nfc,"
        " {default: VALUE} or {scale: FACTOR}",
    )

    @model_validator(mode="after")
    def _says_how(self) -> Mendable:
        if (self.severity == "repair") != (self.repair is not None):
            raise ValueError("`severity: repair` and `repair:` belong together")
        if self.repair is not None and policy_name(self.repair) not in self.repairs:
            raise ValueError(f"this kind can mend by {', '.join(self.repairs) or 'nothing'} alone")
        return self


class CheckOptions(Mendable):
    """What every check says, whatever its kind."""

    kind: str = Field(description="the check's kind: mlctl explain checks")
    source: str = Field(description="the source that is checked")
    severity: Severity = Field(
        default="fail",
        description="fail stops the run, quarantine sets the rows aside with the reason, repair mends them as `repair`"
        " says and keeps the old value beside, warn only tells",
    )

    def rules(self) -> int:
        """How many rules the check runs on every row."""
        return 1


@dataclass(frozen=True)
class Context:
    """What a check may look at besides its table.

    Attributes:
        as_of: The snapshot's moment (exclusive).
        tables: Every table of the snapshot, by source.
        times: Event time column of each source, or None.
        ran: Rows that each rule has seen; the check writes it down with `saw`.
    """

    as_of: datetime
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    times: Mapping[str, str | None] = field(default_factory=dict)
    ran: dict[str, int] = field(default_factory=dict)

    def saw(self, rule: str, rows: int) -> None:
        """Writes down that a rule was run on so many rows."""
        self.ran[rule] = rows

    def broken(self, table: pl.DataFrame, broken: Mapping[str, pl.Expr]) -> dict[str, tuple[int, ...]]:
        """Positions of the rows for which each expression is true; all expressions run in one pass.

        Args:
            table: The rows.
            broken: For each rule, an expression that is true where the rule is broken.

        Raises:
            DataError: An expression cannot be computed on this table.
        """
        import polars as pl

        wanted = [expression.fill_null(False).alias(rule) for rule, expression in broken.items()]
        try:
            masks = table.select(wanted)
        except pl.exceptions.PolarsError as error:
            raise DataError.bad_expression("checks", ", ".join(broken), first_line(error)) from error
        found = {}
        for mask in masks:
            self.saw(mask.name, len(mask))
            found[mask.name] = tuple(mask.arg_true().to_list()) if mask.any() else ()
        return found


class Check(Protocol):
    """The functions of a check kind (the module itself satisfies this)."""

    Options: type[CheckOptions]
    EXAMPLE: dict[str, object]

    def check(self, options: Any, table: pl.DataFrame, context: Context) -> list[Finding]:
        """What is wrong with the table; an empty list when nothing is.

        Raises:
            DataError: The check cannot be run on this table.
        """
        ...


def policy_name(repair: Repair) -> str:
    """The word of a repair policy, such as `clip` or `scale`."""
    return repair if isinstance(repair, str) else next(iter(type(repair).model_fields))


def of_whole(severity: Severity) -> Severity:
    """The severity of a finding about a table as a whole: there are no rows to set aside or to mend."""
    return severity if severity == "warn" else "fail"


def needed(source: str, table: pl.DataFrame, *columns: str) -> None:
    """Proves that columns are there.

    Raises:
        DataError: One is missing.
    """
    for column in columns:
        if column not in table.columns:
            raise DataError.missing_column(source, column, table.columns, f"checks of {source}")
