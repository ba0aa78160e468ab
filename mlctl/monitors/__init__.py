"""A monitor is a function from a window and a training baseline to findings.

A window is one day and what came before it; the baseline is what training saw, sealed with the release. A monitor reads
no raw rows of the past: sketches, the predictions that have a label by now, and what sources and servers say of
themselves. What it cannot judge (too few rows, nothing to compare with) it says by a finding of severity `note`, which
is never an alarm and never silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from mlctl.findings import Finding
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sketches import Baseline, Sheet


class MonitorOptions(Record):
    """What every monitor says, whatever its kind."""

    BY_RELEASE: ClassVar[bool] = False
    """Whether each release's rows of a day are held against its own baseline, a challenger's too."""

    kind: str = Field(description="the monitor's kind: mlctl explain monitors")
    severity: Literal["alarm", "warn"] = Field(
        default="alarm", description="alarm: exit code 9, and alerts go out; warn: it is told and no more"
    )
    runbook: str = Field(
        default="", description="what whoever is woken should do, or the address of a page that says so"
    )


@dataclass(frozen=True)
class Measured:
    """One number that a monitor watched, with what it should have been; reports draw these.

    Attributes:
        what: The statistic, such as `mean` or `psi`.
        where: The column, source or cohort that it is of.
        value: What was found; None where it could not be computed.
        expected: What training says it should be; None where nothing says so.
        low: Below it the monitor speaks up; None for no such limit.
        high: Above it the monitor speaks up; None for no such limit.
    """

    what: str
    where: str
    value: float | None
    expected: float | None = None
    low: float | None = None
    high: float | None = None

    def record(self) -> dict[str, Any]:
        """The number as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Window:
    """One day that is watched.

    Attributes:
        day: The day, UTC.
        now: Until when what happened is known (exclusive); of a past day that is replayed, its end.
        sheet: Sketches of the rows that were scored on the day; None when nothing was.
        earlier: Rows that were scored on days before, by day.
        joined: The predictions so far with the labels that are known by `now` (`mlctl/outcomes/`); None where nothing
            was kept. Called only by who needs it.
        facts: What else is known of the day, by name: `sources` (ages), `requests`, `missed` (acts), `cost`, `index`.
        causes: What happened on or just before the day and may be why: a new release, a changed schema.
    """

    day: date
    now: datetime
    sheet: Sheet | None = None
    earlier: Mapping[date, int] = field(default_factory=dict)
    joined: Callable[[], pl.DataFrame | None] = lambda: None
    facts: Mapping[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, what: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What was made of the window under this name; its numbers and its findings need the same."""
        if what not in self.kept:
            self.kept[what] = make()
        return self.kept[what]


class Monitor(Protocol):
    """The functions of a monitor kind (the module itself satisfies this)."""

    Options: type[MonitorOptions]
    EXAMPLE: dict[str, object]

    def measure(self, options: Any, window: Window, baseline: Baseline | None) -> list[Measured]:
        """The numbers that the monitor watches, also those that are as they should be."""
        ...

    def observe(self, options: Any, window: Window, baseline: Baseline | None) -> list[Finding]:
        """What is not as it should be, the gravest first.

        Args:
            options: The kind's options.
            window: The day.
            baseline: What training saw; None where the release holds none.

        Returns:
            Findings of the options' severity, or `note` where nothing can be judged. `Finding.cause` says what
            coincides, where something does.
        """
        ...
