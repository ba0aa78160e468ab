"""Text that later programs stumble over: control characters, marks that cannot be seen, letters in two forms, formulas.

Use it on keys and on what people typed. Two keys that look the same but are composed differently (é as one character or
as two) are two keys: `severity: repair` with `repair: nfc` brings them together, the same way wherever the table is
read; `repair: strip` cuts outer spaces. Not for damage of an encoding: `mojibake` knows that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, needed
from mlctl.checks._findings import of_rows
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl

_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u{feff}\u{200b}\u{2060}]"
_FORMULA: Final = r"^(?:=|@[A-Za-z]+\(|[+-][A-Za-z]+[(|]|[\t\r])"
_OUTER: Final = r"^\s|\s$"
_LIMITS: Final = {
    "control": "no control or invisible characters",
    "not_nfc": "composed letters (Unicode NFC)",
    "outer_space": "no space at its ends",
    "formula": "no text that a spreadsheet would run",
    "too_long": "short text",
}
_MENDS: Final = {"nfc": ("not_nfc",), "strip": ("outer_space",), "missing": tuple(_LIMITS)}


class Options(CheckOptions):
    """Options of a check of texts."""

    repairs: ClassVar[tuple[str, ...]] = ("nfc", "strip", "missing")

    kind: Literal["text"] = Field(default="text", description="text")
    columns: tuple[str, ...] = Field(min_length=1, description="text columns to look at")
    max_bytes: int = Field(default=10_000, ge=1, description="most bytes of one text in UTF-8")

    def rules(self) -> int:
        """Five rules a column: control, not_nfc, outer_space, formula, too_long."""
        return len(_LIMITS) * len(self.columns)


EXAMPLE = {"kind": "text", "source": "orders", "columns": ["order_id", "channel"], "severity": "quarantine"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding for each column and rule; what the repair does not mend is set aside.

    Raises:
        DataError: A column is missing or holds no text.
    """
    import polars as pl

    needed(options.source, table, *options.columns)
    broken: dict[str, pl.Expr] = {}
    meant: dict[str, tuple[str, str]] = {}
    for name in options.columns:
        text = pl.col(name).cast(pl.String)
        rules = {
            "control": text.str.contains(_CONTROL),
            # what is all ASCII is composed: the costly comparison is left to the few other texts
            "not_nfc": (text.str.len_bytes() != text.str.len_chars()) & (text != text.str.normalize("NFC")),
            "outer_space": text.str.contains(_OUTER),
            "formula": text.str.contains(_FORMULA),
            "too_long": text.str.len_bytes() > options.max_bytes,
        }
        for word, expression in rules.items():
            code = f"{options.source}.{name}.{word}"
            broken[code], meant[code] = expression, (name, word)
    findings = []
    for code, rows in context.broken(table, broken).items():
        name, word = meant[code]
        mends = options.repair is None or word in _MENDS.get(str(options.repair), ())
        limit = f"at most {options.max_bytes:,} bytes" if word == "too_long" else _LIMITS[word]
        severity = options.severity if mends else "quarantine"
        findings += of_rows(options, code, table, rows, column=name, limit=limit, what="texts", severity=severity)
    return findings
