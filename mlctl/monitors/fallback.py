"""Is the model still asked? The share of rows that a fallback decided, by reason: cold start, low confidence, faults.

Every reason's share is held against training as `three_sigma` holds categories; reasons that training cannot have
(timeouts, model errors, unknown entities, stale features) count together and may have `max_faults` of the rows. Use it
always. Not for the decisions themselves: `prediction`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.decide import FAILED
from mlctl.findings import Finding
from mlctl.monitors import Measured, Window
from mlctl.monitors._daily import SigmaOptions, false_share, unjudged_rows
from mlctl.monitors._sigma import Column, measured, most_surprising

if TYPE_CHECKING:
    from mlctl.sketches import Baseline, Sketch

_REASON: Final = "@reason"
_FAULTS: Final = (*FAILED, "timeout", "timeout_previous", "unknown_entity", "stale_feature")


class Options(SigmaOptions):
    """Options of the share of fallbacks."""

    kind: Literal["fallback"] = Field(default="fallback", description="fallback")
    max_faults: float = Field(
        default=0.01, ge=0, le=1, description="largest share of rows decided by the fallback because something failed"
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "fallback", "max_faults": 0.01}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The share of every reason, and that of faults."""
    column = _column(window, baseline)
    if column is None:
        return []
    faults = Measured("share of faults", _REASON, _faults(column.sketch), 0.0, high=options.max_faults)
    return [*measured(column, options.sigma), faults]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """Too many faults, then a reason whose share moved."""
    column = _column(window, baseline)
    if column is None or unjudged_rows(options.min_rows, window, baseline):
        return unjudged_rows(options.min_rows, window, baseline)
    causes = "; ".join(window.causes)
    share = _faults(column.sketch)
    if share > options.max_faults:
        names = ", ".join(f"{name} {count:,}" for name, count in column.sketch.new.items() if name in _FAULTS)
        value = f"{share:.2%} of {column.sketch.rows:,} rows decided because something failed"
        why = "; ".join(filter(None, (names, causes)))
        return [Finding(options.severity, "faults", "decisions", value, f"{options.max_faults:.2%}", cause=why)]
    found = most_surprising(column, options.sigma, options.min_shift)
    if found is None or not found[1] or found[0].chance > false_share(options.sigma):
        return []
    shift = found[0]
    rule = f"reason.{shift.what.removeprefix('share of ').replace(' ', '_')}"
    return [Finding(options.severity, rule, "decisions", shift.value, shift.limit, cause=causes)]


def _column(window: Window, baseline: Baseline | None) -> Column | None:
    if baseline is None or window.sheet is None or _REASON not in window.sheet.columns:
        return None
    return (
        Column.of(_REASON, window.sheet.columns[_REASON], baseline, window.day) if _REASON in baseline.shapes else None
    )


def _faults(sketch: Sketch) -> float:
    failed = sum(count for name, count in sketch.new.items() if name in _FAULTS)
    return failed / sketch.rows if sketch.rows else 0.0
