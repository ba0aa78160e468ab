"""A check is a function from a table to findings.

A check looks at real rows, never at a plan of a query, and names the positions of the rows it means. What happens to
them (stop, set aside, tell) is its severity. A check counts the rules it ran: one that did not run is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from mlctl.findings import Finding, Severity
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl


class CheckOptions(Record):
    """What every check says, whatever its kind."""

    kind: str = Field(description="the check's kind: mlctl explain checks")
    source: str = Field(description="the source that is checked")
    severity: Severity = Field(
        default="fail",
        description="fail stops the run, quarantine sets the rows aside with the reason, warn only tells",
    )

    def rules(self) -> int:
        """How many rules the check runs on every row."""
        return 1


class Check(Protocol):
    """The functions of a check kind (the module itself satisfies this)."""

    Options: type[CheckOptions]
    EXAMPLE: dict[str, object]

    def check(self, options: Any, table: pl.DataFrame) -> list[Finding]:
        """What is wrong with the table; an empty list when nothing is.

        Raises:
            DataError: The check cannot be run on this table.
        """
        ...
