"""From what a watch found to alarms: which are new, worse or gone, and what is told of them.

One page per cause: findings that say the same cause make one alarm, and the others make one for each monitor.
An open alarm takes in whatever its monitors or its cause find later; people hear of it again only when it becomes worse
(graver, or twice as many findings), when it was asked for (`respond.repeat`), and when it is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from mlctl.alarms import journal
from mlctl.alarms.journal import Alarm, Book
from mlctl.alerts import Level, Message, State
from mlctl.files import sha256_of
from mlctl.findings import Finding
from mlctl.spec import Project
from mlctl.times import duration
from mlctl.workspace import Places

_SHOWN: Final = 12
"""Findings that a message lists."""
_WORSE: Final = 2
"""An alarm that has so many times the findings that people know of is told again."""
_RANK: Final[dict[Level, int]] = {"warn": 0, "alarm": 1}


@dataclass(frozen=True)
class Found:
    """What one monitor found on the day.

    Attributes:
        monitor: Its name in the project's YAML.
        findings: Of severity `alarm` or `warn`; those of severity `note` say that it could not judge.
        runbook: What to do about them.
    """

    monitor: str
    findings: tuple[Finding, ...]
    runbook: str = ""

    def judged(self) -> bool:
        """Whether silence means that all is well: not where something could not be judged."""
        return all(finding.severity in _RANK for finding in self.findings)


@dataclass(frozen=True)
class _Group:
    """Findings of one cause."""

    cause: str
    severity: Level
    monitors: tuple[str, ...]
    findings: Mapping[str, str]
    runbook: str


def hear(places: Places, project: Project, found: Sequence[Found], day: date, now: datetime) -> list[Alarm]:
    """Takes in what was found on a day; everything that is to be told is written down before this returns.

    A day before the last one that was heard changes nothing: it is a look back. The same day again tells nothing twice.

    Returns:
        The alarms that are open.

    Raises:
        ConflictError: Another command decides about alarms of this project.
        ExternalError: The disk refused.
    """
    with journal.writing(places):
        book = journal.read(places)
        if book.watched is not None and day < book.watched:
            return book.open()
        again = book.watched == day
        alarms = _settled(book, project, _groups(found, project.respond.most_pages), found, (day, now, again))
        events = [_told(project, book, alarm, book.alarms.get(alarm.id), now) for alarm in alarms]
        told = [(alarm, message, channels) for alarm, message, channels in events]
        changed = [alarm.record() for alarm, _, _ in told if book.alarms.get(alarm.id) != alarm]
        messages = [
            {"message": message.record(), "channels": list(channels)}
            for _, message, channels in told
            if message is not None
        ]
        if changed or messages or not again:
            journal.add(places, "heard", now, day=str(day), alarms=changed, messages=messages)
        return journal.read(places).open()


def _groups(found: Sequence[Found], most: int) -> list[_Group]:
    """Findings by cause, the gravest first; beyond `most` causes, the rest together."""
    groups: dict[str, _Group] = {}
    causes = Counter(finding.cause for one in found for finding in one.findings)
    for one in found:
        for finding in one.findings:
            if finding.severity not in _RANK:
                continue
            # a cause of one finding alone explains it, and joins nothing
            cause = finding.cause if finding.cause and causes[finding.cause] > 1 else one.monitor
            before = groups.get(cause) or _Group(cause, "warn", (), {}, "")
            groups[cause] = _joined(
                before, _Group(cause, _level(finding), (one.monitor,), _said(finding, cause), one.runbook)
            )
    ordered = sorted(groups.values(), key=lambda group: (-_RANK[group.severity], -len(group.findings), group.cause))
    if len(ordered) <= most:
        return ordered
    rest = ordered[most - 1]
    for group in ordered[most:]:
        rest = _joined(rest, group)
    return [*ordered[: most - 1], replace(rest, cause="several causes")]


def _level(finding: Finding) -> Level:
    return "alarm" if finding.severity == "alarm" else "warn"


def _said(finding: Finding, cause: str) -> dict[str, str]:
    why = f" ({finding.cause})" if finding.cause and finding.cause != cause else ""
    return {f"{finding.rule} {finding.where}": finding.sentence() + why}


def _joined(one: _Group, other: _Group) -> _Group:
    return _Group(
        one.cause,
        max(one.severity, other.severity, key=_RANK.__getitem__),
        tuple(dict.fromkeys([*one.monitors, *other.monitors])),
        {**one.findings, **other.findings},
        "\n".join(dict.fromkeys(text for text in (one.runbook, other.runbook) if text)),
    )


def _settled(
    book: Book, project: Project, groups: Sequence[_Group], found: Sequence[Found], when: tuple[date, datetime, bool]
) -> list[Alarm]:
    """Every alarm that is open before or after this day."""
    day, now, again = when
    joined: dict[str, _Group] = {}
    fresh: list[_Group] = []
    for group in groups:
        home = _home(book.open(), group)
        if home is None:
            fresh.append(group)
        else:
            joined[home.id] = _joined(joined[home.id], group) if home.id in joined else replace(group, cause=home.cause)
    unsure = {one.monitor for one in found if not one.judged()}
    watched = {one.monitor for one in found}
    alarms = []
    for alarm in book.open():
        if alarm.id in joined:
            alarms.append(_going_on(alarm, joined[alarm.id]))
        elif project.monitors and not set(alarm.monitors) & set(project.monitors):
            # whoever found it was taken out of the project, and nobody would ever close it
            alarms.append(replace(alarm, open=False))
        elif unsure & set(alarm.monitors) or not watched & set(alarm.monitors) or again:
            # nobody looked, nobody could tell, or this day has been counted: no news is no good news
            alarms.append(alarm)
        else:
            quiet = alarm.quiet + 1
            alarms.append(replace(alarm, quiet=quiet, open=quiet < project.respond.recover_after))
    return alarms + [_new(project.name, group, day, now, len(book.alarms) + place) for place, group in enumerate(fresh)]


def _home(alarms: Sequence[Alarm], group: _Group) -> Alarm | None:
    """The open alarm that a group belongs to: of a finding that it has already, of the same cause, of its monitors."""
    ways = (
        lambda alarm: alarm.findings.keys() & group.findings.keys(),
        lambda alarm: alarm.cause == group.cause,
        lambda alarm: set(group.monitors) <= set(alarm.monitors),
    )
    return next((alarm for way in ways for alarm in alarms if way(alarm)), None)


def _going_on(alarm: Alarm, group: _Group) -> Alarm:
    monitors = tuple(dict.fromkeys([*alarm.monitors, *group.monitors]))
    return replace(
        alarm,
        severity=group.severity,
        monitors=monitors,
        findings=group.findings,
        runbook=group.runbook or alarm.runbook,
        quiet=0,
    )


def _new(project: str, group: _Group, day: date, now: datetime, number: int) -> Alarm:
    identity = sha256_of(f"{project} {group.cause} {day} {number}")[:8]
    return Alarm(identity, group.cause, group.severity, group.monitors, group.findings, now, day, group.runbook)


def _told(
    project: Project, book: Book, alarm: Alarm, before: Alarm | None, now: datetime
) -> tuple[Alarm, Message | None, tuple[str, ...]]:
    """The alarm, what is told of it, and on which channels; nothing while it is silenced or said to be false."""
    state = _state(project, alarm, before, now)
    if state is None or alarm.verdict == "false" or book.silenced(alarm, now) is not None:
        return alarm, None, ()
    if state == "recovered":
        channels = tuple(name for name in alarm.told if name in project.alerts)
    else:
        floor = _RANK[alarm.severity]
        channels = tuple(name for name, options in project.alerts.items() if _RANK[options.at_least] <= floor)
    if not channels:
        return alarm, None, ()
    told = replace(
        alarm,
        told=tuple(dict.fromkeys([*alarm.told, *channels])),
        told_at=now,
        told_findings=len(alarm.findings),
        messages=alarm.messages + 1,
    )
    return told, _message(project, told, state, now), channels


def _state(project: Project, alarm: Alarm, before: Alarm | None, now: datetime) -> State | None:
    if not alarm.open:
        return "recovered" if alarm.told else None
    if not alarm.told:
        return "open"
    graver = before is not None and _RANK[alarm.severity] > _RANK[before.severity]
    if graver or len(alarm.findings) >= _WORSE * max(alarm.told_findings, 1):
        return "worse"
    repeat = project.respond.repeat
    if repeat is not None and alarm.told_at is not None and now - alarm.told_at >= duration(repeat):
        return "reminder"
    return None


def _message(project: Project, alarm: Alarm, state: State, now: datetime) -> Message:
    count = len(alarm.findings)
    found = f"{count} finding{'s' if count != 1 else ''} of {', '.join(alarm.monitors)}"
    because = "" if alarm.cause in alarm.monitors else f": {alarm.cause}"
    lines = list(alarm.findings.values())[:_SHOWN]
    if count > _SHOWN:
        lines.append(f"and {count - _SHOWN} more: mlctl monitor projects/{project.name}")
    since = f"since {alarm.day}" if state != "recovered" else f"from {alarm.day}, gone now"
    return Message(
        id=f"{alarm.id}-{alarm.messages}-{state}",
        alarm=alarm.id,
        project=project.name,
        state=state,
        severity=alarm.severity,
        cause=alarm.cause,
        title=f"{found}, {since}{because}",
        lines=tuple(lines),
        runbook=alarm.runbook,
        at=now,
    )
