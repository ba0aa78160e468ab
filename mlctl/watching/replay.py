"""`mlctl monitor --replay`: how many days sooner a planted decay is caught than by waiting for all labels.

The past is made again: what the release would have scored on every day, and when each label became known. Then, from
one day on, part of the labels is drawn anew from the labels of the same day, so that they hang on nothing the model
knows, and the performance monitor looks at every day with what was known by its end. The same monitor that waits until
all labels are in is the measure. The replay is repeated with other draws, and without a decay, when it must stay quiet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds, outcomes
from mlctl.errors import ConfigError, Fault
from mlctl.monitors import Window
from mlctl.outcomes import KNOWN_AT, LABEL
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute, population
from mlctl.release import BASELINE, Release, open_release
from mlctl.sketches import Baseline, shelf
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.stages._rows import part
from mlctl.stages.features import checked_tables
from mlctl.times import duration
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

REPEATS: Final = 10
SHARE: Final = 0.5
_DAYS: Final = 120
_MOST_ENTITIES: Final = 2000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Replay:
    """What the replays found; days count from the day of the plant.

    Attributes:
        planted_on: From which day on labels were drawn anew.
        share: Which part of them.
        rows_a_day: Predictions of a usual day.
        caught: For each replay the days until the alarm; None where none came.
        waited: The same for the monitor that waits for all labels.
        false_alarms: Alarms before the plant, and in as many replays without one.
        quiet: Replays without a decay.
    """

    planted_on: date
    share: float
    rows_a_day: float
    caught: tuple[int | None, ...]
    waited: tuple[int | None, ...]
    false_alarms: int
    quiet: int

    @property
    def sooner(self) -> int | None:
        """The median of the days gained over the replays in which both caught it."""
        gained = sorted(w - c for c, w in zip(self.caught, self.waited, strict=True) if c is not None and w is not None)
        return gained[len(gained) // 2] if gained else None

    @property
    def proved(self) -> bool:
        """Whether every planted decay was caught, and nothing else was."""
        return None not in self.caught and not self.false_alarms

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        told = {**asdict(self), "planted_on": self.planted_on.isoformat(), "sooner": self.sooner, "proved": self.proved}
        return {"format_version": "1.0", **told}


def replay(places: Places, project: Project, tell: Tell) -> Replay:
    """Replays the past of a project with its sealed release.

    Raises:
        ConfigError: Nothing in the project hangs on time, or the past is too short.
        IntegrityError: Release or tables are missing or damaged.
    """
    tell("replay", "")
    again = f"mlctl run projects/{places.name}"
    release = open_release(places.release, again)
    baseline = shelf.sealed(places.release / BASELINE)
    if baseline is None:
        raise ConfigError("the release holds no baseline to replay against", next_step=again)
    as_of, tables = checked_tables(places, project)
    rows = _past(places, release, tables, as_of)
    joined = outcomes.joined(project, rows, tables, as_of)
    options = next((o for o in project.monitors.values() if o.kind == "performance"), None)
    options = options or kinds.load("monitors", "performance").Options()
    return replayed(joined, baseline, options, tell=tell)


def replayed(
    joined: pl.DataFrame,
    baseline: Baseline,
    options: Any,
    *,
    repeats: int = REPEATS,
    tell: Tell = lambda stage, line: None,
) -> Replay:
    """Replays predictions whose labels are known with the moment at which each was.

    Args:
        joined: Key, as_of, score, decision, reason, label, known_at.
        baseline: Holds what was promised, and by which metric.
        options: The performance monitor's.
        repeats: How many decays are planted, and how many replays go without one.
        tell: Hears of each.

    Raises:
        ConfigError: The past is too short.
    """
    import polars as pl

    known = joined.filter(pl.col(LABEL).is_not_null()).sort(AS_OF)
    first, last, end = known[AS_OF].min(), known[AS_OF].max(), known[KNOWN_AT].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime) or not isinstance(end, datetime):
        raise _too_short("no prediction of the past has a label")
    planted = first + (last - first) * 0.6
    day = datetime.combine(planted.date(), datetime.min.time(), planted.tzinfo)
    started = day - (day - first) / 3
    caught, waited, false = [], [], 0
    ends = [day + step * _DAY for step in range(1, (end - day).days + 2)]
    before = [started + step * _DAY for step in range((day - started).days)]
    for seed in range(repeats):
        world = _planted(joined, day, seed)
        false += _first_alarm(world, baseline, options, before) is not None
        caught.append(_first_alarm(world, baseline, options, ends))
        waited.append(_first_alarm(world, baseline, _waiting(options), ends))
        tell("replay", f"decay {seed + 1} of {repeats}: caught after {_told(caught[-1])}, waiting {_told(waited[-1])}")
    false += _first_alarm(joined, baseline, options, [*before, *ends]) is not None
    a_day = known.height / max((last - first).days, 1)
    return Replay(day.date(), SHARE, round(a_day, 1), tuple(caught), tuple(waited), false, 1)


def _waiting(options: Any) -> Any:
    """The same monitor, waiting for all labels."""
    return options.model_copy(update={"mature": 1.0})


def _told(days: int | None) -> str:
    return "never" if days is None else f"{days} days"


def _first_alarm(joined: pl.DataFrame, baseline: Baseline, options: Any, ends: list[datetime]) -> int | None:
    """After how many of the days the monitor alarms; None where it never does."""
    kind = kinds.load("monitors", options.kind)
    for place, end in enumerate(ends, 1):
        window = Window(day=(end - _DAY).date(), now=end, joined=lambda: joined)
        if any(finding.severity == "alarm" for finding in kind.observe(options, window, baseline)):
            return place
    return None


def _planted(joined: pl.DataFrame, day: datetime, seed: int) -> pl.DataFrame:
    """The predictions with part of the labels since a day drawn anew among those of the same day."""
    import numpy as np
    import polars as pl

    draw = np.random.Generator(np.random.PCG64(seed))
    of_day = joined[AS_OF].dt.date().to_numpy()
    chosen = (joined[AS_OF] >= day).to_numpy() & (draw.random(joined.height) < SHARE)
    source = np.arange(joined.height)
    for one in np.unique(of_day[chosen]):
        places = np.flatnonzero(chosen & (of_day == one))
        source[places] = draw.permutation(places)
    drawn = pl.Series(source.astype(np.uint32))
    return joined.with_columns(joined[LABEL].gather(drawn), joined[KNOWN_AT].gather(drawn))


def _past(places: Places, release: Release, tables: dict[str, pl.DataFrame], as_of: datetime) -> pl.DataFrame:
    """What the release would have scored on the days of the past."""
    import polars as pl

    project = release.project
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    key = project.entity.key
    if not project.split.over_time():
        return _judged(places, release, tables)
    horizon = duration(project.label.horizon) if project.label.horizon else timedelta()
    frames = []
    for step in range(_DAYS):
        moment = as_of - horizon - step * _DAY
        spine = population(plan, tables, moment)
        if not spine.height:
            break
        some = spine.gather_every(max(1, spine.height // _MOST_ENTITIES))
        features = compute(plan, tables, some)
        decided = release.decide(features.select(plan.names)).select("score", "decision", "reason")
        frames.append(pl.concat([some.select(key, AS_OF), decided], how="horizontal"))
    if not frames:
        raise _too_short("nobody was known before the label's horizon")
    return pl.concat(frames)


def _judged(places: Places, release: Release, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows that judged the release, each at the time at which its entity came."""
    import polars as pl

    project = release.project
    source, key = project.entity.source, project.entity.key
    time = None if source is None else project.sources[source].time_column()
    if source is None or time is None:
        raise _too_short("neither features nor entities have a time")
    rows, columns = part(places, "test")
    scores = pl.read_parquet(places.evaluation / "scores.parquet")[release.manifest["model"]].to_numpy()
    decided = release.decider()(rows.select(columns), scores).select("score", "decision", "reason")
    came = tables[source].group_by(pl.col(key).cast(pl.String)).agg(pl.col(time).min().alias(AS_OF))
    keys = rows.select(pl.col(key).cast(pl.String)).join(came, on=key, how="left", maintain_order="left")
    return pl.concat([keys, decided], how="horizontal").drop_nulls(AS_OF)


def _too_short(why: str) -> ConfigError:
    return ConfigError.of_project("monitor --replay", [Fault("monitors", f"there is no past to replay: {why}")])
