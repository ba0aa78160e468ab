"""How the monitors of a day's histograms judge: which columns, how surely, in which order, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import MonitorOptions, Window
from mlctl.sketches import Baseline, Sheet
from mlctl.sketches.norms import discovered
from mlctl.sketches.sheet import OUTPUTS

DAYS_TOGETHER: Final = 365
"""Days whose verdicts of one monitor are one family: it looks every day, and whoever is woken counts by the year."""


SIGMA: Final = "deviations of a usual day whose chance of a false alarm a whole year of days may have"
"""What the option `sigma` of a monitor means."""


def beyond(sigma: float) -> float:
    """The chance that so many deviations of a normal leave out on both sides.

    >>> round(beyond(3.0), 4)
    0.0027
    """
    from scipy.special import ndtr

    return 2 * float(ndtr(-sigma))


def false_share(sigma: float) -> float:
    """The chance of a false alarm that one day of a monitor may have, so that a year of days has that of `sigma`.

    Bonferroni's bound over the days of a year, which holds however days hang together.

    >>> f"{false_share(3.0):.1e}"
    '7.4e-06'
    """
    return beyond(sigma) / DAYS_TOGETHER


def day_sigma(sigma: float) -> float:
    """The deviations that leave out on one day what `sigma` leaves out over a year of days.

    >>> round(day_sigma(3.0), 2)
    4.48
    """
    from scipy.special import ndtri

    return -float(ndtri(false_share(sigma) / 2))


class RowsOptions(MonitorOptions):
    """Options of a monitor that holds a day's rows against training."""

    BY_RELEASE: ClassVar[bool] = True

    min_rows: int = Field(default=30, ge=2, description="a day, or a cohort's day, of fewer rows is not judged")


class SigmaOptions(RowsOptions):
    """Options of a monitor that holds a day's statistics against those of other days."""

    sigma: float = Field(default=3.0, gt=0, le=10, description=SIGMA)
    min_shift: float = Field(
        default=0.1,
        ge=0,
        description="smallest shift that matters: of a mean in deviations of a training row; of a stddev as a share of "
        "it; of a share p in units of sqrt(p (1 - p))",
    )


class DailyOptions(RowsOptions):
    """Options of a monitor that holds a day's columns against training."""

    columns: tuple[str, ...] | None = Field(default=None, description="features that are watched; default: all")
    exclude: tuple[str, ...] = Field(default=(), description="features that are not watched")
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
