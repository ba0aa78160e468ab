"""The monitors of a project over days: the window of each day, what they found, and the record of it.

The record (`format_version` 1.0) is what alerts and reports read:

  project
  days      one entry a day: day, rows, releases, verdict, causes, and by monitor its kind, verdict and findings
            (severity, rule, where, value, limit, cause), the gravest first
  series    one entry for each monitor, statistic and place: points of day, value, expected, low, high

A verdict is `alarm`, `warn`, `note` (something could not be judged) or `ok`. The same days give the same record, and
each day's entry is also kept as `watched/DAY.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mlctl import costs, freshness, kinds, outcomes, snapshot, timetables
from mlctl.errors import ConfigError, listed
from mlctl.files import read_json, write_json
from mlctl.findings import Finding
from mlctl.indexing import decaying
from mlctl.monitors import Measured, Window
from mlctl.release import BASELINE
from mlctl.scoring import predictions
from mlctl.server import tally
from mlctl.sketches import Baseline, shelf, spool
from mlctl.spec import Project
from mlctl.stages.features import checked_tables
from mlctl.watching import causes
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

FORMAT: Final = "1.0"
_VERDICTS: Final = ("alarm", "warn", "note")
_MEMORY: Final = timedelta(days=60)
"""How far back a window knows how many rows were scored."""


@dataclass(frozen=True)
class Observation:
    """What one monitor found on one day.

    Attributes:
        monitor: Its name in YAML.
        kind: Its kind.
        runbook: What whoever is woken should do, by YAML.
        findings: What is not as it should be, the gravest first; the rule begins with the monitor's name.
        measured: The numbers that it watched.
    """

    monitor: str
    kind: str
    runbook: str
    findings: tuple[Finding, ...]
    measured: tuple[Measured, ...]

    @property
    def verdict(self) -> str:
        """`alarm`, `warn`, `note` or `ok`."""
        return verdict(self.findings)

    def record(self) -> dict[str, Any]:
        """The observation as JSON-ready data, without its numbers."""
        findings = [finding.record() for finding in self.findings]
        return {"kind": self.kind, "verdict": self.verdict, "runbook": self.runbook, "findings": findings}


@dataclass(frozen=True)
class WatchedDay:
    """What the monitors found on one day.

    Attributes:
        day: Which.
        rows: Rows that were scored.
        releases: Who scored them.
        causes: What coincides.
        observations: What each monitor found, in the YAML's order.
    """

    day: date
    rows: int
    releases: tuple[str, ...]
    causes: tuple[str, ...]
    observations: tuple[Observation, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding of the day."""
        return tuple(finding for observation in self.observations for finding in observation.findings)

    def record(self) -> dict[str, Any]:
        """The day as JSON-ready data."""
        return {
            "day": self.day.isoformat(),
            "rows": self.rows,
            "releases": list(self.releases),
            "verdict": verdict(self.findings),
            "causes": list(self.causes),
            "monitors": {observation.monitor: observation.record() for observation in self.observations},
        }


@dataclass(frozen=True)
class Report:
    """What the monitors of a project found, day by day."""

    project: str
    days: tuple[WatchedDay, ...]

    @property
    def alarmed(self) -> bool:
        """Whether any day has an alarm."""
        return any(finding.severity == "alarm" for day in self.days for finding in day.findings)

    def series(self) -> list[dict[str, Any]]:
        """The numbers over the days, one series for each monitor, statistic and place."""
        found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for day in self.days:
            for observation in day.observations:
                for one in observation.measured:
                    point = {"day": day.day.isoformat(), **one.record()}
                    key = (observation.monitor, point.pop("what"), point.pop("where"))
                    found.setdefault(key, []).append(point)
        return [
            {"monitor": monitor, "what": what, "where": where, "points": points}
            for (monitor, what, where), points in found.items()
        ]

    def record(self) -> dict[str, Any]:
        """The report as JSON-ready data."""
        days = [day.record() for day in self.days]
        return {"format_version": FORMAT, "project": self.project, "days": days, "series": self.series()}


def verdict(findings: Sequence[Finding]) -> str:
    """The gravest severity among findings; `ok` where there are none."""
    told = {finding.severity for finding in findings}
    return next((severity for severity in _VERDICTS if severity in told), "ok")


def watch(places: Places, project: Project, first: date | None, last: date | None, now: datetime) -> Report:
    """Runs every monitor over days, and writes each day down.

    Args:
        places: The project's paths.
        project: Its `monitors:`.
        first: The first day; None: the last day alone.
        last: The last day; None: the latest of which there are sketches, or the present day.
        now: The present moment; a past day is judged by what was known at its end.

    Raises:
        ConfigError: The days lie in the future, or behind the last one that was scored.
        IntegrityError: Sketches, baseline or snapshot are damaged.
        DataError: A label cannot be computed.
        ExternalError: The disk.
    """
    living = spool.fold_ended(places, spool.finder(places))
    joined = _joined(places, project, now)
    end = last or _latest({*shelf.days(places), *living}, now)
    begin = first or end
    if begin > end or end > now.date():
        asked = f"--since {begin}" if begin > end else f"--date {end}"
        raise ConfigError.bad_override(asked, f"the last day that can be judged is {min(end, now.date())}")
    watched = shelf.read(places, begin - _MEMORY, end, living)
    baselines: dict[str, Baseline] = {}
    present = shelf.sealed(places.release / BASELINE)
    days = []
    for offset in range((end - begin).days + 1):
        day = begin + timedelta(days=offset)
        window = _window(places, project, day, (watched, joined), now)
        of_day = watched.get(day)
        baseline = present if of_day is None else _baseline(places, of_day.baseline, baselines)
        others = () if of_day is None else of_day.others
        beside = [(other, _baseline(places, other.baseline, baselines)) for other in others]
        observations = tuple(
            _observed(name, options, (window, baseline), beside) for name, options in project.monitors.items()
        )
        releases = () if of_day is None else of_day.scorers
        rows = 0 if of_day is None else of_day.rows
        days.append(WatchedDay(day, rows, releases, window.causes, observations))
    for watched_day in days:
        write_json(places.watched / f"{watched_day.day}.json", {"format_version": FORMAT, **watched_day.record()})
    return Report(places.name, tuple(days))


def latest(places: Places, now: datetime) -> date:
    """The latest day of which there are sketches; the present one where there are none."""
    living = spool.fold_ended(places, spool.finder(places))
    return _latest({*shelf.days(places), *living}, now)


def _latest(days: Iterable[date], now: datetime) -> date:
    return max((day for day in days if day <= now.date()), default=now.date())


def _baseline(places: Places, identity: str, read: dict[str, Baseline]) -> Baseline:
    if identity not in read:
        read[identity] = shelf.baseline(places, identity)
    return read[identity]


def _observed(
    name: str,
    options: Any,
    judged: tuple[Window, Baseline | None],
    beside: Sequence[tuple[shelf.Watched, Baseline]],
) -> Observation:
    """What a monitor found; what releases of other baselines scored is held against theirs, and named."""
    kind = kinds.load("monitors", options.kind)
    findings, measured = kind.observe(options, *judged), kind.measure(options, *judged)
    for other, baseline in beside if options.BY_RELEASE else ():
        window, who = replace(judged[0], sheet=other.sheet, kept={}), f" (release {listed(other.releases)})"
        findings += [replace(found, where=found.where + who) for found in kind.observe(options, window, baseline)]
        measured += [replace(one, where=one.where + who) for one in kind.measure(options, window, baseline)]
    told = tuple(replace(found, rule=f"{name}.{found.rule}") for found in findings)
    return Observation(name, options.kind, options.runbook, told, tuple(measured))


def _joined(places: Places, project: Project, now: datetime) -> Callable[[], pl.DataFrame | None]:
    """The predictions with the labels that are known by now, read once, by whoever asks first."""

    @cache
    def read() -> pl.DataFrame | None:
        kept = predictions.read(places, project.entity.key, end=now)
        if not kept.height:
            return None
        taken, tables = checked_tables(places, project)
        return outcomes.joined(project, kept, tables, min(now, taken))

    return read


def _window(
    places: Places,
    project: Project,
    day: date,
    known: tuple[Mapping[date, shelf.Watched], Callable[[], pl.DataFrame | None]],
    now: datetime,
) -> Window:
    watched, joined = known
    of_day = watched.get(day)
    earlier = {other: found.rows for other, found in watched.items() if day - _MEMORY <= other < day}
    until = min(now, shelf.end_of(day))
    return Window(
        day=day,
        now=until,
        sheet=None if of_day is None else of_day.sheet,
        earlier=earlier,
        joined=joined,
        facts=_facts(places, project, day, until),
        causes=causes.causes(places, day, watched),
    )


def _facts(places: Places, project: Project, day: date, until: datetime) -> dict[str, Any]:
    """What is known of the day beside sketches."""
    found: dict[str, Any] = {"cost": costs.budget_facts(places, project, until)}
    requests = sorted((places.sketches / "requests").glob(f"{day}.*.json"))
    if requests:
        found["requests"] = tally.added_up([read_json(path) for path in requests])
    taken = snapshot.read(places)
    if taken is not None and taken.as_of <= until:
        found["sources"] = freshness.freshness(places, project, until)
    if project.ranks() and (measured := decaying.measurements(places, until=until)):
        found["index"] = measured[-1]
    if project.schedule.acts():
        found["missed"] = timetables.missed(places, project, until)
    return found
