"""`mlctl compare`: the verdict on a challenger, by its loss, what it may not do, and how many labels there are.

An entity counts once, with its first row of the trial: later ones have almost the same outcome.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl import config, outcomes, rollout, snapshot
from mlctl.comparing import lists
from mlctl.comparing.losses import OF_LISTS, losses, metric
from mlctl.comparing.pairs import COHORTS, FAILED, SECONDS, read_pairs
from mlctl.comparing.sequential import Interval, interval, needed
from mlctl.errors import ConfigError, Fault, IntegrityError
from mlctl.files import read_json
from mlctl.outcomes import KNOWN_AT, LABEL
from mlctl.plan import AS_OF
from mlctl.rollout import Traffic
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.spec import Project
from mlctl.stages.features import checked_tables
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

PROMOTE: Final = "promote"
KEEP: Final = "keep"
NOT_YET: Final = "not yet"
_FEWEST_FAILED: Final = 3
_FEWEST_TIMED: Final = 100
Verdict = Literal["promote", "keep", "not yet"]


@dataclass(frozen=True)
class Match:
    """Who is compared, and how.

    Attributes:
        project: The loss, the guards and the cohorts.
        traffic: Champion and challenger.
        unit: Of a number the deviation of its scores, which its distances are counted in.
    """

    project: Project
    traffic: Traffic
    unit: float = 1.0


@dataclass(frozen=True)
class Guard:
    """One of `rollout.guards`: what was found, the limit, and whether it holds; None: nothing was measured."""

    name: str
    found: str
    limit: str
    holds: bool | None


@dataclass(frozen=True)
class Compared:
    """What the comparison says.

    Attributes:
        project: The project.
        champion: Its champion.
        challenger: Its challenger.
        loss: What is compared.
        labels: Entities whose outcome is known.
        waiting: Entities whose outcome is not known yet.
        better_by: How much lower the challenger's loss is, mean and interval, in parts of the loss's range.
        margin: How much better it must be.
        guards: What it may not do.
        verdict: promote, keep (the champion) or not yet.
        why: The verdict in a sentence.
        labels_needed: Labels that are still needed; 0 when the verdict is given, None when no number will do.
        days_needed: Days until there are so many; None where that cannot be told.
    """

    project: str
    champion: str
    challenger: str
    loss: str
    labels: int
    waiting: int
    better_by: Interval
    margin: float
    guards: tuple[Guard, ...]
    verdict: Verdict
    why: str
    labels_needed: int | None
    days_needed: float | None

    def record(self) -> dict[str, Any]:
        """The comparison as JSON-ready data."""
        return {"format_version": "1.0", **asdict(self), "better_by": self.better_by._asdict()}


def compare(places: Places) -> Compared:
    """Compares by what the snapshot's tables say became of everybody.

    Raises:
        ConfigError: There is no challenger.
        IntegrityError: Snapshot, tables or rollout are missing or damaged.
        DataError: A table lacks what the label reads.
    """
    project, traffic = config.read_params(places), rollout.read(places).traffic
    taken = snapshot.read(places)
    if not traffic.challenger:
        why = "there is no challenger to compare with the champion"
        raise ConfigError.bad_argument("compare", why, f"mlctl ramp {places.name} --shadow")
    if project.rollout.metric == "worth" and project.decide.worth is None:
        fault = Fault("rollout.metric", "worth needs decide.worth, which says what each outcome brings")
        raise ConfigError.of_project(places.name, [fault])
    if project.rollout.metric is not None and (project.rollout.metric in OF_LISTS) != project.ranks():
        why = f"{project.rollout.metric} is a loss of {'scores' if project.ranks() else 'lists'}"
        raise ConfigError.of_project(
            places.name, [Fault("rollout.metric", why, hint="leave it out for the task's own")]
        )
    if taken is None:
        raise IntegrityError.missing(str(places.data), f"mlctl run projects/{places.name}")
    _, tables = checked_tables(places, project)
    pairs = read_pairs(places, project.entity.key, traffic)
    if project.ranks():
        joined = lists.joined(project, lists.balanced(pairs), tables, taken.as_of)
    else:
        joined = outcomes.joined(project, pairs, tables, taken.as_of)
    manifest = read_json(places.releases / traffic.champion / "manifest.json", f"dvc checkout {places.releases}/*.dvc")
    unit = manifest["evaluation"].get("deviation_of_score", 1.0)
    return judged(Match(project, traffic, unit), joined, taken.as_of)


def judged(match: Match, pairs: pl.DataFrame, now: datetime) -> Compared:
    """The verdict on pairs with their labels.

    Args:
        match: Who is compared, and how.
        pairs: Grain: one row an entity, as `read_pairs` gives them, with `label` and `known_at`.
        now: The moment by which labels are known.
    """
    import polars as pl

    project, policy = match.project, match.project.rollout
    known = pairs.filter(pl.col(LABEL).is_not_null()).sort(KNOWN_AT, project.entity.key)
    differences = losses(project, known, CHAMPION, match.unit) - losses(project, known, CHALLENGER, match.unit)
    found = interval(differences, policy.error)
    guards = (*_work_guards(project, pairs), *_cohort_guards(project, known, differences))
    waiting = pairs.height - known.height
    more = needed(differences, policy.error, policy.margin)
    verdict, why = _verdict(found, policy.margin, guards)
    labels_needed = 0 if verdict != NOT_YET else None if more is None else max(0, more - found.size)
    days = _days(project, pairs, known, now, labels_needed)
    return Compared(
        project=project.name,
        champion=match.traffic.champion,
        challenger=match.traffic.challenger,
        loss=metric(project),
        labels=known.height,
        waiting=waiting,
        better_by=found,
        margin=policy.margin,
        guards=guards,
        verdict=verdict,
        why=why,
        labels_needed=labels_needed,
        days_needed=days,
    )


def _verdict(found: Interval, margin: float, guards: tuple[Guard, ...]) -> tuple[Verdict, str]:
    broken = [guard for guard in guards if guard.holds is False]
    unknown = [guard.name for guard in guards if guard.holds is None]
    if found.high < margin:
        return KEEP, "its loss is not lower, and more labels will not change that"
    if broken:
        return KEEP, f"{broken[0].name}: {broken[0].found}, allowed is {broken[0].limit}"
    if found.low <= margin:
        return NOT_YET, "the interval holds the margin"
    if unknown:
        return NOT_YET, f"its loss is lower, and nothing was measured of {', '.join(unknown)}"
    return PROMOTE, "its loss is lower, and every guard holds"


def _work_guards(project: Project, pairs: pl.DataFrame) -> list[Guard]:
    """Errors, and where servers answered also seconds."""
    import polars as pl

    guards = project.rollout.guards
    failed = pairs.select((pl.col(f"{CHALLENGER}_{FAILED}") & ~pl.col(f"{CHAMPION}_{FAILED}")).sum()).item()
    share = failed / max(1, pairs.height)
    errors = Guard(
        "errors",
        f"{failed:,} of {pairs.height:,} rows",
        f"at most {guards.errors:.2%}",
        None if not pairs.height else failed < _FEWEST_FAILED or share <= guards.errors,
    )
    timed = pairs.filter(pl.col(f"{CHAMPION}_{SECONDS}") > 0)
    if timed.height < _FEWEST_TIMED:
        return [errors]
    own, other = (float(timed[f"{variant}_{SECONDS}"].sum()) for variant in (CHALLENGER, CHAMPION))
    slow = pl.col(f"{CHALLENGER}_{SECONDS}") > guards.slower * pl.col(f"{CHAMPION}_{SECONDS}")
    often = timed.select(slow.mean()).item()
    return [
        errors,
        Guard("cost", f"{own / other:.2f} times the seconds", f"at most {guards.cost:g}", own <= guards.cost * other),
        Guard(
            "latency",
            f"slow on {often:.1%} of the rows",
            f"at most {guards.slow:.0%}",
            often <= guards.slow,
        ),
    ]


def _cohort_guards(project: Project, known: pl.DataFrame, differences: Any) -> list[Guard]:
    """Of each declared cohort, whether the challenger is clearly worse there; the error is divided among them."""
    import polars as pl

    limit, found = project.rollout.guards.slices, []
    for cohort in project.cohorts:
        members = known.select(pl.col(COHORTS).list.contains(cohort).fill_null(False)).to_series().to_numpy()
        inside = interval(differences[members], project.rollout.error / len(project.cohorts))
        told = f"better by {inside.mean:+.4f} [{inside.low:+.4f}, {inside.high:+.4f}] of {inside.size:,}"
        holds = None if not inside.size else inside.high >= -limit
        found.append(Guard(f"cohort {cohort}", told, f"at least -{limit:g}", holds))
    return found


def _days(project: Project, pairs: pl.DataFrame, known: pl.DataFrame, now: datetime, more: int | None) -> float | None:
    """Days until so many labels more are known, if entities go on coming as they came."""
    import polars as pl

    if more is None or not pairs.height:
        return None
    if more == 0:
        return 0.0
    horizon = timedelta(days=project.horizon_days())
    waiting = pairs.join(known, on=project.entity.key, how="anti")
    due: list[float] = [max(0.0, (moment + horizon - now).total_seconds() / 86_400) for moment in waiting[AS_OF].sort()]
    if more <= len(due):
        return round(due[more - 1], 1)
    span: float = pairs.select((pl.col(AS_OF).max() - pl.col(AS_OF).min()).dt.total_seconds()).item() / 86_400
    rate = pairs.height / max(1.0, span)
    return round(project.horizon_days() + (more - len(due)) / rate, 1)
