"""What a project's health is made of, as JSON-ready data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from mlctl import alarms, costs, rollout
from mlctl.alarms import Book
from mlctl.costs import ledger
from mlctl.health.shapes import shapes
from mlctl.report.disk import read as read_disk
from mlctl.report.timelines import outside
from mlctl.rollout import Rollout
from mlctl.spec import Project
from mlctl.times import moment_text
from mlctl.watching.watch import Report, verdict
from mlctl.workspace import Places

FORMAT: Final = "1.0"
_ACTS: Final = ("retrain",)
"""Acts of the ledger that are marked on the line of time."""


def contents(places: Places, project: Project, report: Report, now: datetime) -> dict[str, Any]:
    """The health of a project over the days of a report.

    Raises:
        IntegrityError: An artefact is damaged.
    """
    book = alarms.read(places)
    first, last = report.days[0].day, report.days[-1].day
    events = [*_releases(places), *_alarms(book), *_worked(places)]
    return {
        "format_version": FORMAT,
        "project": places.name,
        "about": project.about,
        "owner": project.owner,
        "from": str(first),
        "to": str(last),
        "now": _now(report, book),
        "promised": _promised(places, project),
        "days": [_day(day) for day in report.days],
        "series": _ordered(report.series()),
        "shapes": shapes(places, last),
        "events": sorted(
            (event for event in events if str(first) <= event["day"] <= str(max(last, now.date()))),
            key=lambda event: (event["day"], event["kind"]),
        ),
        "alarms": [alarm.record() for alarm in book.alarms.values() if alarm.open or alarm.day >= first],
        "waiting": len(book.waiting),
        "budget": [month.record() for month in alarms.budget(places, project)][-3:],
        "cost": costs.monthly(places, project, None, now).record(),
    }


def _now(report: Report, book: Book) -> dict[str, Any]:
    last = report.days[-1]
    found = [
        {**finding.record(), "sentence": finding.sentence(), "runbook": observation.runbook}
        for observation in last.observations
        for finding in observation.findings
        if finding.severity in ("alarm", "warn")
    ]
    return {
        "day": str(last.day),
        "rows": last.rows,
        "releases": list(last.releases),
        "verdict": verdict(last.findings),
        "findings": found,
        "open_alarms": len(book.open()),
        "quiet_days": sum(verdict(day.findings) in ("ok", "note") for day in report.days),
    }


def _promised(places: Places, project: Project) -> dict[str, Any]:
    """What evaluation and gate said of the release, and which one answers."""
    disk = read_disk(places, project)
    standing = rollout.read(places)
    told: dict[str, Any] = {
        "sealed": None if disk.manifest is None else disk.manifest["id"],
        "champion": standing.champion or None,
        "challenger": standing.challenger or None,
        "percent": standing.traffic.percent,
        "gate": None if disk.gate is None else disk.gate["passed"],
        "rules": [] if disk.gate is None else disk.gate["rules"],
        "model": disk.own(),
        "metrics": {},
    }
    if disk.evaluation is not None and disk.own() is not None:
        measured = disk.evaluation.get("everybody", {}).get("models", {}).get(disk.own(), {})
        told["metrics"] = {
            name: {end: found.get(end) for end in ("value", "low", "high")}
            for name, found in measured.items()
            if isinstance(found, Mapping) and "value" in found
        }
    return told


def _day(day: Any) -> dict[str, Any]:
    monitors = {observation.monitor: observation.verdict for observation in day.observations}
    return {"day": str(day.day), "rows": day.rows, "verdict": verdict(day.findings), "monitors": monitors}


def _ordered(series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Series with what was beyond its limits first; each says on how many days, and how far at most."""
    for one in series:
        beyond = [_beyond(point) for point in one["points"]]
        one["days_beyond"] = sum(distance > 0 for distance in beyond)
        one["farthest"] = round(max(beyond, default=0.0), 4)
    return sorted(series, key=lambda one: (-one["days_beyond"], -one["farthest"], one["monitor"], one["where"]))


def _beyond(point: Mapping[str, Any]) -> float:
    """How far a number lies outside its limits, in widths of what is allowed; 0 inside."""
    low, high, expected = (point[name] for name in ("low", "high", "expected"))
    far = outside(point["value"], low, high)
    ends = [end for end in (low, high) if end is not None]
    middle = expected if expected is not None else 0.0
    width = max((abs(end - middle) for end in ends), default=0.0)
    return far / width if width else float(far > 0)


def _releases(places: Places) -> list[dict[str, Any]]:
    states = rollout.verified_history(places)
    earlier: list[Rollout] = [Rollout(), *states]
    return [
        {"day": str(state.note.at.date()), "kind": "release", "what": _changed(before, state), "why": state.note.why}
        for before, state in zip(earlier, states, strict=False)
        if state.note is not None
    ]


def _changed(before: Rollout, now: Rollout) -> str:
    if now.champion != before.champion:
        return f"champion {now.champion[:12]}"
    if now.challenger and (now.traffic.mode == "shadow"):
        return f"challenger {now.challenger[:12]} in the shadow"
    if now.challenger:
        return f"challenger {now.challenger[:12]} at {now.traffic.percent:g} %"
    return "no challenger"


def _alarms(book: Book) -> list[dict[str, Any]]:
    found = []
    for alarm in book.alarms.values():
        what = f"{alarm.id}: {alarm.cause}"
        found.append({"day": str(alarm.day), "kind": "alarm", "what": what, "why": f"{len(alarm.findings)} findings"})
        found += [
            {"day": str(alarm.day), "kind": "act", "what": f"{action} {outcome}", "why": f"alarm {alarm.id}"}
            for action, outcome in alarm.acted.items()
        ]
        if not alarm.open and alarm.told_at is not None:
            found.append({"day": str(alarm.told_at.date()), "kind": "recovered", "what": what, "why": ""})
    return found


def _worked(places: Places) -> list[dict[str, Any]]:
    return [
        {"day": moment_text(entry.at)[:10], "kind": "act", "what": f"{entry.act} {entry.outcome}", "why": ""}
        for entry in ledger.read(places)
        if entry.act in _ACTS
    ]
