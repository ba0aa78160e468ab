"""Does data still come? Every source against the age that it, or a feature that reads it, declares as `max_age`.

Use it always; a source that declares no `max_age` is not judged, unless `max_age` stands here. Not for sources without
an event time, whose age is that of the snapshot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from mlctl.findings import Finding
from mlctl.monitors import Measured, MonitorOptions, Window
from mlctl.times import Duration, duration

if TYPE_CHECKING:
    from mlctl.sketches import Baseline


class Options(MonitorOptions):
    """Options of freshness."""

    kind: Literal["freshness"] = Field(default="freshness", description="freshness")
    max_age: Duration | None = Field(default=None, description="for sources that declare none, such as 26h")


EXAMPLE: Final[dict[str, object]] = {"kind": "freshness", "max_age": "26h"}


def measure(options: Options, window: Window, baseline: Baseline | None) -> list[Measured]:
    """The age of every source, in hours."""
    return [
        Measured("age_hours", age.source, age.age_hours, high=_limit_hours(options, age))
        for age in window.facts.get("sources", ())
    ]


def observe(options: Options, window: Window, baseline: Baseline | None) -> list[Finding]:
    """The sources that are too old; a note where no snapshot tells their ages."""
    if "sources" not in window.facts:
        return [
            Finding("note", "sources", f"{window.day}", "no snapshot of that day", "one, to know the sources' ages")
        ]
    found = []
    for age in window.facts["sources"]:
        limit = _limit_hours(options, age)
        if limit is not None and age.age_hours > limit:
            value = f"newest row of {age.newest or 'the snapshot'}, {age.age_hours:,.1f} h old"
            read_by = f"read by {', '.join(age.readers)}" if age.readers else ""
            found.append(
                Finding(options.severity, f"{age.source}.age", age.source, value, f"{limit:,.1f} h", cause=read_by)
            )
    return found


def _limit_hours(options: Options, age: Any) -> float | None:
    limit = age.max_age or options.max_age
    return None if limit is None else duration(limit) / timedelta(hours=1)
