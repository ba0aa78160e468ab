"""Text that was decoded by the wrong encoding: UTF-8 read as Latin-1, or replacement characters.

Use it on columns that people typed or that crossed systems. It knows the pairs that the bytes of European letters and
punctuation become (Ã¼ for ü) and U+FFFD. Not for languages whose own letters stand in such pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions
from mlctl.errors import DataError
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl

# what a continuation byte 80..BF of UTF-8 becomes in Latin-1 or in Windows-1252
_TAIL: Final = "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
# behind the lead bytes C2..C5 (European letters) and E2 (punctuation, the euro), which become letters with accents
_DAMAGE: Final = f"[\u00c2-\u00c5\u00e2]{_TAIL}|\ufffd"


class Options(CheckOptions):
    """Options of an encoding check."""

    kind: Literal["mojibake"] = Field(default="mojibake", description="mojibake")
    columns: tuple[str, ...] = Field(min_length=1, description="text columns to look at")

    def rules(self) -> int:
        """One rule a column."""
        return len(self.columns)


EXAMPLE = {"kind": "mojibake", "source": "orders", "columns": ["channel"], "severity": "warn"}


def check(options: Options, table: pl.DataFrame) -> list[Finding]:
    """One finding a column with the rows whose text is damaged.

    Raises:
        DataError: A column is missing.
    """
    import polars as pl

    findings = []
    for name in options.columns:
        if name not in table.columns:
            raise DataError.missing_column(options.source, name, table.columns, f"checks of {options.source}")
        rows = table.select(pl.col(name).cast(pl.String).str.contains(_DAMAGE).fill_null(False)).to_series().arg_true()
        if len(rows):
            value = f"{len(rows)} damaged texts such as {table[name][int(rows[0])]!r}"
            rule = f"{options.source}.{name}.mojibake"
            findings.append(
                Finding(options.severity, rule, f"column {name}", value, "text as it was typed", tuple(rows))
            )
    return findings
