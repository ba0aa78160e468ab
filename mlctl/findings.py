"""Finding: something worth telling. Checks, gates and monitors make them; reports show them and alerts send them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["fail", "quarantine", "repair", "warn"]
WatchSeverity = Literal["alarm", "warn", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found.

    Attributes:
        severity: Of checks and gates: `fail` stops the run, `quarantine` sets the rows aside, `repair` mends them,
            `warn` only tells. Of monitors: `alarm` ends with exit code 9 and sends alerts, `warn` only tells, `note`
            says that something could not be judged.
        rule: The rule's reason code, `[a-z0-9_.]+`, such as `orders.amount_eur.max`.
        where: Table, column or artefact.
        value: What was found, for people.
        limit: What was allowed, for people.
        rows: Positions (0-based) of the offending rows in the table that was checked; empty when the finding is about
            the table as a whole.
        column: The column that `mended` is about; empty when rows are meant as a whole.
        mended: With severity `repair`: the new values of `column` in `rows`, in their order, as a Polars Series; None
            when the rows are dropped.
        cause: What coincides with it and may be why, for people; empty where nothing is known.
    """

    severity: Severity | WatchSeverity
    rule: str
    where: str
    value: str
    limit: str
    rows: tuple[int, ...] = field(default=(), repr=False)
    column: str = ""
    mended: Any = field(default=None, repr=False, compare=False)
    cause: str = ""

    def sentence(self) -> str:
        """The finding in one line.

        >>> Finding("fail", "orders.rows", "orders", "0 rows", "at least 1").sentence()
        'orders.rows: orders has 0 rows, allowed is at least 1'
        """
        return f"{self.rule}: {self.where} has {self.value}, allowed is {self.limit}"

    def record(self) -> dict[str, Any]:
        """The finding as JSON-ready data, with the count of rows in place of their positions."""
        cause = {"cause": self.cause} if self.cause else {}
        return {
            "severity": self.severity,
            "rule": self.rule,
            "where": self.where,
            "value": self.value,
            "limit": self.limit,
            "rows": len(self.rows),
            **cause,
        }


def of_severity(findings: Iterable[Finding], severity: Severity | WatchSeverity) -> tuple[Finding, ...]:
    """The findings of one severity, in their order."""
    return tuple(finding for finding in findings if finding.severity == severity)
