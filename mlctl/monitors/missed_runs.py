"""Was everything done when it was due? The acts of `schedule:` that did not end well since their time, by the ledger.

An act counts as missed once its time and `schedule.grace` are over. One that was never done in this workspace is a
note: its schedule may be kept elsewhere. `mlctl monitor` cannot tell that it does not run itself: let `mlctl freshness`
or a dead man's switch of your scheduler look for that.

Use it where `schedule:` says when scoring or retraining is due. Not for how old data is: `freshness`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of missed runs."""

    kind: Literal["missed_runs"] = Field(default="missed_runs", description="missed_runs")


EXAMPLE: Final[dict[str, object]] = {"kind": "missed_runs", "runbook": "journalctl -u mlctl-churn-score"}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """How many acts were missed; nothing where nothing is scheduled."""
    missed = window.facts.get("missed")
    return [] if missed is None else [Measured("missed", "schedule", float(len(missed)), 0.0, high=0.0)]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The acts that were due and were not done."""
    found = []
    for one in window.facts.get("missed", ()):
        severity = options.severity if one.last else "note"
        value = f"last done {one.last}" if one.last else "never done in this workspace"
        found.append(Finding(severity, f"{one.act}.missed", one.act, value, f"due at {one.due}"))
    return found
