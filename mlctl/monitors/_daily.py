"""How the monitors of a day's histograms judge: which columns, how surely, in which order, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import MonitorOptions, Window
from mlctl.sketches import Baseline, Sheet
from mlctl.sketches.norms import discovered
from mlctl.sketches.sheet import OUTPUTS

FALSE_SHARE: Final = 0.0027
"""Share of false alarms among the columns that speak up: what three deviations of a normal leave out."""


def false_share(sigma: float) -> float:
    """What so many deviations of a normal leave out on both sides."""
    from scipy.special import ndtr

    return 2 * float(ndtr(-sigma))


class DailyOptions(MonitorOptions):
    """Options of a monitor that holds a day's histograms against training."""

    columns: tuple[str, ...] | None = Field(default=None, description="features that are watched; default: all")
    exclude: tuple[str, ...] = Field(default=(), description="features that are not watched")
    min_rows: int = Field(default=30, ge=2, description="a day of fewer rows is not judged")
    most: int = Field(default=20, ge=1, description="most columns that are told, by importance times shift")


@dataclass(frozen=True)
class Shift:
    """What was found of one column.

    Attributes:
        column: Which.
        what: Its most surprising statistic.
        chance: How likely a usual day lies as far off, over all its statistics.
        size: How far it moved, in deviations of a training row or the like; ranks columns.
        value: What was found, for people.
        limit: What was expected, for people.
        cause: What it looks like.
    """

    column: str
    what: str
    chance: float
    size: float
    value: str
    limit: str
    cause: str = ""

    @classmethod
    def none(cls, column: str) -> Shift:
        """Nothing that could be surprising."""
        return cls(column, "", 1.0, 0.0, "", "")


def watched(options: DailyOptions, baseline: Baseline) -> list[str]:
    """The sketches of features that a monitor watches; those of a text or vector go by its feature's name."""
    found = []
    for name in baseline.shapes:
        feature = name.partition("@")[0]
        if name in OUTPUTS or feature in options.exclude:
            continue
        if options.columns is None or feature in options.columns:
            found.append(name)
    return found


def unjudged(options: DailyOptions, window: Window, baseline: Baseline | None) -> list[Finding]:
    """Why a day cannot be judged, as one note; nothing where it can."""
    return unjudged_rows(options.min_rows, window, baseline)


def unjudged_rows(min_rows: int, window: Window, baseline: Baseline | None) -> list[Finding]:
    """As `unjudged`, by the fewest rows alone."""
    where = f"{window.day}"
    if baseline is None:
        return [Finding("note", "baseline", where, "no baseline", "a release that was sealed with one")]
    if window.sheet is None:
        return [Finding("note", "rows", where, "no rows that were scored", f"at least {min_rows}")]
    if window.sheet.rows < min_rows:
        return [Finding("note", "rows", where, f"{window.sheet.rows} rows", f"at least {min_rows}")]
    return []


def told(
    options: DailyOptions, window: Window, baseline: Baseline, shifts: Mapping[str, tuple[Shift, bool]], level: float
) -> list[Finding]:
    """The columns that moved, the most important first.

    Args:
        options: Who is told, and how many.
        window: The day; its causes go with every finding.
        baseline: Knows how much the model hangs on each column.
        shifts: By column what was found, and whether it is large enough to matter.
        level: Share of false ones among those that speak up.
    """
    loud = discovered({column: shift.chance for column, (shift, _) in shifts.items()}, level)
    chosen = [shift for column, (shift, matters) in shifts.items() if matters and column in loud]
    usual = 1 / max(len(baseline.importance), 1)
    chosen.sort(
        key=lambda s: (-s.size * max(baseline.importance.get(s.column.partition("@")[0], usual), 1e-3), s.column)
    )
    findings = [_finding(options.severity, shift, window) for shift in chosen[: options.most]]
    if rest := len(chosen) - len(findings):
        findings.append(Finding(options.severity, "others", "inputs", f"{rest} more columns that moved", "none"))
    return findings


def _finding(severity: Literal["alarm", "warn"], shift: Shift, window: Window) -> Finding:
    causes = [text for text in (shift.cause, *window.causes) if text]
    what = shift.what.split()[0]
    rule = f"{shift.column.replace('@', '.')}.{what}"
    return Finding(severity, rule, shift.column, shift.value, shift.limit, cause="; ".join(causes))


def missing_columns(sheet: Sheet, columns: Sequence[str]) -> list[str]:
    """Columns that have no usable value on the day."""
    return [name for name in columns if name not in sheet.columns or not sheet.columns[name].known]


def number(value: float) -> str:
    """A number for people.

    >>> number(1234.5678), number(0.000123)
    ('1,235', '0.000123')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
