"""Text that was decoded by the wrong encoding: UTF-8 read as Latin-1, or replacement characters.

Use it on columns that people typed or that crossed systems. It knows the pairs that the bytes of European letters and
punctuation become (Ã¼ for ü) and U+FFFD. `repair: fix_encoding` mends what goes there and back without a loss; the rest
is set aside. Not for languages whose own letters stand in such pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from mlctl.checks import CheckOptions, Context, needed
from mlctl.checks._findings import of_rows
from mlctl.findings import Finding

if TYPE_CHECKING:
    import polars as pl

# what a continuation byte 80..BF of UTF-8 becomes in Latin-1 or in Windows-1252
_TAIL: Final = "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
# behind the lead bytes C2..C5 (European letters) and E2 (punctuation, the euro), which become letters with accents
_DAMAGE: Final = f"[\u00c2-\u00c5\u00e2]{_TAIL}|\ufffd"


class Options(CheckOptions):
    """Options of an encoding check."""

    repairs: ClassVar[tuple[str, ...]] = ("fix_encoding", "missing")

    kind: Literal["mojibake"] = Field(default="mojibake", description="mojibake")
    columns: tuple[str, ...] = Field(min_length=1, description="text columns to look at")

    def rules(self) -> int:
        """One rule a column."""
        return len(self.columns)


EXAMPLE = {"kind": "mojibake", "source": "orders", "columns": ["channel"], "severity": "warn"}


def check(options: Options, table: pl.DataFrame, context: Context) -> list[Finding]:
    """One finding a column with the rows whose text is damaged.

    Raises:
        DataError: A column is missing.
    """
    import polars as pl

    needed(options.source, table, *options.columns)
    codes = {f"{options.source}.{name}.mojibake": name for name in options.columns}
    damaged = {code: pl.col(name).cast(pl.String).str.contains(_DAMAGE) for code, name in codes.items()}
    findings = []
    for code, rows in context.broken(table, damaged).items():
        name = codes[code]
        mended = None
        if options.repair == "fix_encoding" and rows:
            texts = table[name][list(rows)]
            mended = pl.Series(name, [_fixed(text) for text in texts], dtype=pl.String)
        findings += of_rows(
            options, code, table, rows, column=name, limit="text as it was typed", what="damaged texts", mended=mended
        )
    return findings


def _fixed(text: str) -> str:
    """The text with the wrong decoding undone, where that is provably what happened; else the text as it is."""
    for encoding in ("cp1252", "latin-1"):
        try:
            fixed = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if fixed.encode("utf-8").decode(encoding) == text:
            return fixed
    return text
