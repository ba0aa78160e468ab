"""Findings about rows: counted, with an example, and mended where the rule says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Required, TypedDict, Unpack

from mlctl.checks import Default, Mendable, Repair, Scale
from mlctl.findings import Finding, Severity

if TYPE_CHECKING:
    import polars as pl

SHOWN: Final = 60
"""Most characters of an example; a text of a megabyte must not fill a report."""


class Told(TypedDict, total=False):
    """What a finding about rows tells: its column, what is allowed, and what differs from the usual."""

    column: Required[str]
    limit: Required[str]
    what: str
    severity: Severity
    low: float | None
    high: float | None
    mended: pl.Series | None


def example(value: Any) -> str:
    r"""A value as findings show it: short, and with what cannot be seen made visible.

    >>> example("a" * 70)[-24:], example(1.5)
    ("' and 10 more characters", '1.5')
    """
    if not isinstance(value, str):
        return str(value)
    more = f" and {len(value) - SHOWN:,} more characters" if len(value) > SHOWN else ""
    return f"{value[:SHOWN]!r}{more}"


def of_rows(
    options: Mendable, rule: str, table: pl.DataFrame, rows: tuple[int, ...], **told: Unpack[Told]
) -> list[Finding]:
    """A finding about rows, or none when there are no rows.

    Args:
        options: What says severity and repair.
        rule: The reason code.
        table: The table that was checked.
        rows: Positions of the rows that break the rule.
        told: The `column` that is meant and the `limit`; `what` in place of "rows"; `severity` where it is not the
            options'; `low` and `high` for `clip`; `mended` where the kind has mended the values itself.
    """
    if not rows:
        return []
    column = told["column"]
    severity: Severity = told.get("severity") or options.severity or "fail"
    value = f"{len(rows):,} {told.get('what', 'rows')} such as {example(table[column][rows[0]])}"
    mended = None
    if severity == "repair" and options.repair is not None:
        mended = told.get("mended")
        if mended is None:
            mended = mend(options.repair, table[column][list(rows)], told.get("low"), told.get("high"))
    return [Finding(severity, rule, f"column {column}", value, told["limit"], rows, column, mended)]


def mend(repair: Repair, values: pl.Series, low: float | None = None, high: float | None = None) -> pl.Series:
    """Values as a policy mends them; what the policy cannot mend stays as it is."""
    import polars as pl

    if isinstance(repair, Default):
        return pl.Series(values.name, [repair.default] * len(values)).cast(values.dtype)
    if isinstance(repair, Scale):
        # an exact power of ten is divided by: 2350 * 0.01 is 23.5, and 2349 * 0.07 has a last bit of its own
        inverse = round(1 / repair.scale)
        exact = inverse > 1 and 1 / inverse == repair.scale
        scaled = (values / inverse if exact else values * repair.scale).alias(values.name)
        if not values.dtype.is_integer():
            return scaled.cast(values.dtype)
        # a whole number that would lose its fraction is left to be set aside
        return values.zip_with(scaled != scaled.round(), scaled.round().cast(values.dtype))
    column = pl.col(values.name)
    mended = {
        "missing": pl.when(False).then(column),
        "clip": (column.fill_nan(None) if values.dtype.is_float() else column).clip(low, high),
        "strip": column.str.strip_chars(),
        "nfc": column.str.normalize("NFC"),
    }.get(repair, column)
    return values.to_frame().select(mended.alias(values.name)).to_series()
