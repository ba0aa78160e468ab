"""What monitors found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlctl import console
from mlctl.errors import listed

if TYPE_CHECKING:
    from mlctl.watching.replay import Replay
    from mlctl.watching.watch import Report, WatchedDay

_MARKS = {"alarm": "ALARM", "warn": "warn", "note": "note", "ok": "ok"}


def monitored(report: Report) -> None:
    """One day in full; of several, a line for each that is not quiet, then how many were."""
    from mlctl.watching.watch import verdict

    if len(report.days) == 1:
        _day(report.days[0])
        return
    quiet = 0
    for day in report.days:
        if verdict(day.findings) in ("alarm", "warn"):
            _day(day)
        else:
            quiet += 1
    console.words(f"  monitor   {len(report.days)} days, {quiet} of them quiet")


def _day(day: WatchedDay) -> None:
    who = f" by {listed(day.releases, 3)}" if day.releases else ""
    console.data(f"{day.day}  {day.rows:,} rows scored{who}")
    for observation in day.observations:
        if not observation.findings:
            console.data(f"  {'ok':<6} {observation.monitor}: {_watched(observation)}")
        for finding in observation.findings:
            console.data(console.printable(f"  {_MARKS[finding.severity]:<6} {finding.sentence()}"))
            if finding.cause:
                console.data(console.printable(f"         why: {finding.cause}"))


def _watched(observation: Any) -> str:
    count = len(observation.measured)
    return f"{count:,} numbers as they should be" if count else "nothing to watch"


def replayed(found: Replay) -> None:
    """How soon planted decays were caught, and what waiting for all labels would have taken."""
    share, caught = f"{found.share:.0%} of the labels", [days for days in found.caught if days is not None]
    console.data(f"planted   {share} drawn anew from {found.planted_on} on, {found.rows_a_day:,.0f} labels a day")
    if caught:
        middle = sorted(caught)[len(caught) // 2]
        console.data(f"caught    in {len(caught)} of {len(found.caught)} replays, after {middle} days (median)")
    else:
        console.data(f"caught    in none of {len(found.caught)} replays")
    if found.sooner is not None:
        console.data(f"sooner    by {found.sooner} days (median) than by waiting for all labels")
    console.data(f"false     {found.false_alarms} alarms without a decay")
