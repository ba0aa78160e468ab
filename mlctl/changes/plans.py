"""The plan of a project: which changes there are, what must be done again for them, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from mlctl import config, dvc, history, lineage, releases, rollout, snapshot
from mlctl.changes.backfills import Stale, stale
from mlctl.changes.kinds import KINDS, Change, changes
from mlctl.changes.last_run import Stage, composed_then, recorded, stages
from mlctl.costs import ledger, money
from mlctl.costs.ledger import Entry, Spent
from mlctl.errors import listed
from mlctl.files import canonical_json, sha256_of, sha256_of_file
from mlctl.gates import waivers
from mlctl.history import backfill
from mlctl.plan import compile_plan
from mlctl.quarantine import digest
from mlctl.spec import Cost
from mlctl.times import moment_text
from mlctl.workspace import Places

_SHOWN: Final = 6
_RECENT: Final = 20
"""So many of the last lines of the ledger say what a stage takes."""


@dataclass(frozen=True)
class Step:
    """A stage or act that must be done: why, and the seconds and money that it took lately; None: that is not known."""

    name: str
    why: str
    seconds: float | None
    money: float | None


@dataclass(frozen=True)
class ProjectPlan:
    """What a project's changes touch.

    Attributes:
        project: Its name.
        kinds: The kinds of its changes, from what reaches least to what reaches most.
        changes: Each of them.
        steps: Stages and acts to be done, in their order.
        partitions: Of the history of features: columns whose blocks no longer hold, how many partitions those are, and
            the stretches that are computed again.
        currency: Of the money of the steps.
        touched: Releases, views and servers, a sentence each.
        rests_on: A hash of each thing that the plan rests on, by its name.
    """

    project: str
    kinds: tuple[str, ...]
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    partitions: Mapping[str, Any]
    currency: str
    touched: tuple[str, ...]
    rests_on: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """What the steps took lately, as far as it is known."""
        return sum(step.seconds or 0.0 for step in self.steps)

    @property
    def money(self) -> float:
        """What the steps cost lately by the prices of `cost:`, as far as it is known."""
        return sum(step.money or 0.0 for step in self.steps)

    def record(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        return {**asdict(self), "seconds": round(self.seconds, 1), "money": round(self.money, 6)}


@dataclass(frozen=True)
class Planned:
    """The plans of several projects: for which moment of the data (empty: the pinned one), and when they were made."""

    as_of: str
    made_at: str
    projects: tuple[ProjectPlan, ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """The plans as JSON-ready data; `seal` is the hash of all the rest."""
        told = {"format_version": "1.0", "as_of": self.as_of, "made_at": self.made_at}
        told["projects"] = [project.record() for project in self.projects]  # type: ignore[assignment]
        return {**told, "seal": sha256_of(canonical_json(told))}


def plan(every: Sequence[Places], as_of: datetime | None, overrides: Sequence[str], now: datetime) -> Planned:
    """What would be done now. Nothing is written.

    Args:
        every: The projects.
        as_of: The moment of the data; None: the one that data.dvc pins.
        overrides: Hydra overrides to try.
        now: When the plan is made.

    Raises:
        ConfigError: Every fault of a project's YAML.
        IntegrityError: An artefact that is read is damaged.
    """
    made = tuple(_Plan(places, as_of, overrides, now).made() for places in every)
    return Planned(moment_text(as_of) if as_of else "", moment_text(now), made)


def rests_on(places: Places) -> dict[str, str]:
    """A hash of each thing that a plan rests on, by its name."""
    files = [places.config, places.admitted, places.waivers, places.tuned, dvc.PIPELINE, dvc.LOCK, snapshot.POINTER]
    files += sorted(Path("conf").rglob("*.yaml"))
    return {
        **{str(path): sha256_of_file(path) for path in files if path.is_file()},
        "the code of mlctl": lineage.code()["code"],
        "the libraries": sha256_of(canonical_json(lineage.surroundings())),
        str(places.rollout): rollout.read(places).seal,
    }


def made_by_retraining(places: Places) -> tuple[str, ...]:
    """What of it a retraining writes itself."""
    return str(dvc.PIPELINE), str(dvc.LOCK), str(snapshot.POINTER), str(places.rollout)


class _Plan:
    """One project, held against its last run."""

    def __init__(self, places: Places, as_of: datetime | None, overrides: Sequence[str], now: datetime) -> None:
        self._places = places
        composed = config.compose(places, overrides)
        self._project, self._origins = composed.project, composed.origins
        entries = waivers.params(waivers.judged(places, self._project, now.date()))
        own = {"admitted": digest(places), "champion": rollout.read(places).champion, "waivers": list(entries)}
        self._now: dict[str, Any] = {**self._project.mapping(), **own, "mlctl": lineage.code()}
        self._given = recorded(places)
        self._as_of = as_of
        self._took = _took(places, self._project.cost)

    def made(self) -> ProjectPlan:
        found = changes(composed_then(self._places, self._given), self._now) if self._given else []
        # a default that a newer mlctl brought is a change of the code, which is told anyway
        found = [change for change in found if change.before or self._said(change.key)]
        data = self._data()
        found += [data] if data is not None else []
        steps = self._steps(data)
        history = self._stale(any(step.name in ("ingest", "check") for step in steps))
        if history.stretches:
            steps.append(self._backfill(history))
        kinds = {change.kind for change in found}
        return ProjectPlan(
            project=self._places.name,
            kinds=tuple(kind for kind in KINDS if kind in kinds),
            changes=tuple(found),
            steps=tuple(steps),
            partitions=history.record(),
            currency=self._project.cost.currency,
            touched=tuple(self._touched({step.name for step in steps})),
            rests_on=rests_on(self._places),
        )

    def _said(self, key: str) -> bool:
        """Whether somebody set this key: in a file, or by an override of what it is in."""
        parts = key.split(".")
        above = (".".join(parts[:count]) for count in range(1, len(parts)))
        overridden = (self._origins.get(name) for name in above)
        return key in self._origins or any(origin and origin.set_by == "command line" for origin in overridden)

    def _data(self) -> Change | None:
        """The snapshot that would be taken, if it is another one."""
        pinned = snapshot.pinned(self._places.name)
        asked = config.section_digest(self._project, ["sources"])
        then = str(pinned["as_of"]) if pinned else ""
        wanted = moment_text(self._as_of) if self._as_of else then
        if pinned and wanted == then and pinned["asked"] == asked:
            return None
        return Change("data", then, wanted or "a first snapshot", "data")

    def _steps(self, data: Change | None) -> list[Step]:
        done: list[Step] = []
        moved = {str(self._places.data)} if data is not None else set()
        if data is not None or not self._places.data.is_dir():
            why = f"as of {data.now}" if data is not None else f"{self._places.data} is not here"
            done.append(self._step("ingest", why))
        for stage in stages(self._places):
            if why := self._why(stage, moved):
                moved |= set(stage.writes)
                done.append(self._step(stage.name, why))
        if done and any(step.name == "package" for step in done):
            done += [self._step(name, why) for name, why in self._acts()]
        return done

    def _step(self, name: str, why: str) -> Step:
        return Step(name, why, *self._took.get(name, (None, None)))

    def _why(self, stage: Stage, moved: set[str]) -> str:
        """Why a stage must run again; empty where it need not."""
        if stage.name == "compose":
            return ""  # it is no work
        given = self._given.get(stage.name)
        if given is None:
            return "it has not run here before"
        sections = [name for name in stage.sections if given.get(name) != self._now.get(name)]
        inputs = [path for path in stage.reads if path in moved]
        gone = [path for path in stage.writes if not Path(path).exists()]
        told = [f"changed: {listed([*sections, *inputs], _SHOWN)}"] if sections or inputs else []
        return "; ".join([*told, *([f"not here: {listed(gone, _SHOWN)}"] if gone else [])])

    def _acts(self) -> list[tuple[str, str]]:
        if self._project.ranks():
            return [("index", "a new release, and the items of today")]
        return [("score", "readers see what the champion says")] if self._project.serving.kind == "batch" else []

    def _stale(self, data_moves: bool) -> Stale:
        """What of the history no longer holds, on the tables of the last run."""
        if self._project.ranks() or not (self._places.history / "history.json").is_file():
            return Stale()
        import polars as pl

        files = {name: self._places.checked / f"{name}.parquet" for name in self._project.sources}
        if not all(path.is_file() for path in files.values()):
            return stale(self._places, {}, all_of_it=True)
        schemas = {name: list(pl.read_parquet_schema(path)) for name, path in files.items()}
        prints = history.fingerprints(compile_plan(self._project, schemas))
        of_now = history.shelf(self._places, backfill.dataset_of(files)) is not None
        return stale(self._places, prints, data_moves or not of_now)

    def _backfill(self, found: Stale) -> Step:
        seconds = backfill.expected_s(self._places, found.values())
        spent = Spent(cpu_s=seconds * backfill.threads(self._project))
        why = f"{found.partitions} partitions of the history no longer hold"
        cost = money(self._project.cost, Entry(datetime.min, self._places.name, "backfill", spent))
        return Step("backfill", why, round(seconds, 1), cost)

    def _touched(self, steps: set[str]) -> list[str]:
        state, name = rollout.read(self._places), self._places.name
        if "package" not in steps:
            return []
        numbers = {entry.release: entry.name for entry in releases.entries(self._places)}
        champion = numbers.get(state.champion, state.champion)
        if not champion or self._project.refresh.promote == "gate":
            told = [f"a new release becomes the champion, after {champion or 'none'}, if the gate lets it pass"]
        else:
            told = [f"a new release becomes the challenger of {champion}, if the gate lets it pass"]
        if state.traffic.mode != "off":
            told.append(f"{numbers.get(state.challenger, state.challenger)} stays on trial; the new one waits")
        if "score" in steps:
            told.append(f"the scores in the view of {name} are published anew: mlctl rollback scores {name} goes back")
        if self._project.serving.kind == "http":
            told.append(f"servers of {name} take it between two requests, once it answers")
        return told


def _took(places: Places, prices: Cost) -> dict[str, tuple[float, float]]:
    """What each act took lately, by the ledger: the medians of the seconds and of the money of its last lines."""
    lines: dict[str, list[Entry]] = {}
    for entry in ledger.read(places):
        if entry.outcome == "done":
            lines.setdefault(entry.act, []).append(entry)
    return {act: _medians(found[-_RECENT:], prices) for act, found in lines.items()}


def _medians(entries: Sequence[Entry], prices: Cost) -> tuple[float, float]:
    return round(median(one.spent.wall_s for one in entries), 1), median(money(prices, one) for one in entries)
