"""Does the month cost more than it may? What is spent, and what it comes to at the end, against `cost.budget_month`.

Use it wherever `cost.budget_month` is set. It speaks up once the month's work alone has spent the budget, or, from the
fifth day on, when the month will have cost more than the budget if it goes on so. Not for the bill of a cloud: it knows
what this workspace's commands took, by the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of the budget."""

    kind: Literal["budget"] = Field(default="budget", description="budget")
    severity: Literal["alarm", "warn"] = Field(
        default="warn", description="warn: it is told and no more; alarm: exit code 9, and alerts go out"
    )
    from_day: int = Field(default=5, ge=1, le=31, description="day of the month from which its forecast is believed")


EXAMPLE: Final[dict[str, object]] = {"kind": "budget"}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """What the month has cost so far, and its forecast."""
    cost = window.facts.get("cost")
    if cost is None:
        return []
    names = ("total", "forecast")
    return [Measured(name, str(cost["month"]), float(cost[name]), high=cost["budget"]) for name in names]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The month, where it costs too much; nothing where no budget is set."""
    cost: Any = window.facts.get("cost")
    if cost is None or cost["budget"] is None:
        return []
    limit = f"{cost['budget']:g} {cost['currency']}"
    if cost["total"] > cost["budget"]:
        value = f"{cost['total']:.2f} {cost['currency']} spent"
    elif window.day.day >= options.from_day and cost["forecast"] > cost["budget"]:
        value = f"{cost['forecast']:.2f} {cost['currency']} by its end, {cost['total']:.2f} spent"
    else:
        return []
    return [Finding(options.severity, "month", str(cost["month"]), value, limit)]
