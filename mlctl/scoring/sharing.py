"""A batch while a challenger is tried: everybody is scored by both releases, and gets the one that falls to them.

An entity falls to the release that a server would let answer it (`mlctl/rollout/buckets.py`). What both say is kept
beside, for the comparison on labels; in the shadow nobody gets the challenger's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import rollout
from mlctl.decide import FAILED
from mlctl.errors import DataError, first_line
from mlctl.features import fulfils
from mlctl.files import write_with
from mlctl.plan import AS_OF
from mlctl.release import Release, open_release, read_manifest
from mlctl.release.sealed import must_be_of
from mlctl.rollout import Traffic, buckets
from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.scoring import distributed
from mlctl.serving.batch import score_everybody
from mlctl.spec import Guards, Project
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

When = tuple[datetime, datetime]
_Way = Callable[[Release, Path, Callable[["pl.DataFrame"], None]], "pl.DataFrame"]
_TOLD: Final = ("score", "decision", "reason")
_FEWEST: Final = 20
"""Rows below which a share says nothing."""


@dataclass(frozen=True)
class Sharers:
    """Who scores a batch: the folders of releases, and the rollout that names them.

    Attributes:
        champion: The id of who scores everybody, or all who do not fall to the challenger.
        folder: Its folder.
        challenger: The folder of who is tried; None: nobody.
        traffic: Which release answers whom.
        waiting: The id of a release that was sealed since and is not the champion; empty when there is none.
    """

    champion: str
    folder: Path
    challenger: Path | None
    traffic: Traffic
    waiting: str = ""

    @property
    def identity(self) -> Any:
        """What makes the scores of the same rows other scores."""
        if self.challenger is None:
            return self.champion
        return [self.champion, self.traffic.challenger, self.traffic.mode, self.traffic.weight]

    def alone(self) -> Sharers:
        """The champion without whom is tried."""
        return replace(self, challenger=None)


@dataclass(frozen=True)
class Scored:
    """A batch.

    Attributes:
        champion: The champion, opened.
        scores: The scores table (`score_everybody`), each row by the release that it falls to.
        features: The features, in the order of `scores`.
        pairs: What both releases said, a row an entity; None where nobody is tried.
        fault: Why the challenger got nobody after all; empty when it did what it should.
        tried: The challenger's own features of the rows of `scores` that it decided, in their order; None where none.
    """

    champion: Release
    scores: pl.DataFrame
    features: pl.DataFrame
    pairs: pl.DataFrame | None = None
    fault: str = ""
    tried: pl.DataFrame | None = None


def sharers(places: Places) -> Sharers:
    """Who scores now: the champion, or the sealed release while none was promoted; and who is tried.

    Raises:
        IntegrityError: A release is missing or damaged, or the rollout cannot be read.
    """
    traffic = rollout.read(places).traffic
    if not traffic.champion:
        sealed: str = read_manifest(places.release, f"mlctl run projects/{places.name}")["id"]
        return Sharers(sealed, places.release, None, traffic)
    tried = None if traffic.mode == "off" else places.releases / traffic.challenger
    sealed = ""
    if (places.release / "manifest.json").is_file():
        sealed = read_manifest(places.release, _again(places, places.release))["id"]
    waiting = "" if sealed == traffic.champion else sealed
    return Sharers(traffic.champion, places.releases / traffic.champion, tried, traffic, waiting)


def score(who: Sharers, places: Places, project: Project, files: Mapping[str, Path], when: When) -> Scored:
    """Scores everybody, in this process or where the project's engine runs.

    Args:
        who: Who scores.
        places: The project's paths.
        project: The project: its engine, and what the challenger may not do.
        files: Each source's checked table, as a Parquet file.
        when: The moment of the features, and the present.

    Raises:
        DataError: The champion cannot score; of the challenger it is told as a fault.
        IntegrityError: A release is missing or damaged.
    """
    features: list[pl.DataFrame] = []
    champion = champion_of(who, places)
    by = _way(places, project, files, when)
    scores = by(champion, who.folder, features.append)
    if who.challenger is None:
        return Scored(champion, scores, features[0])
    challenger = _opened(who.challenger, places)
    try:
        tried = by(challenger, who.challenger, features.append)
    except DataError as error:
        return Scored(champion, scores, features[0], None, f"it cannot score: {first_line(error)}")
    pairs = _pairs(who.traffic, scores, tried, _cohorts(champion, features[0]))
    fault = _fault(champion, pairs, project.rollout.guards)
    if fault or who.traffic.mode != "split":
        return Scored(champion, scores, features[0], pairs, fault)
    scores, key = _shared(who.traffic, places.name, scores, tried), scores.columns[0]
    fell = scores.filter(scores["variant"] == CHALLENGER)[key]
    return Scored(champion, scores, features[0], pairs, tried=features[1].filter(tried[key].is_in(fell.implode())))


def champion_of(who: Sharers, places: Places) -> Release:
    """The champion, opened.

    Raises:
        IntegrityError: It is missing, damaged or of another lineage.
    """
    return _opened(who.folder, places)


def _opened(folder: Path, places: Places) -> Release:
    release = open_release(folder, _again(places, folder))
    must_be_of(places.name, release.manifest, folder)
    return release


def _way(places: Places, project: Project, files: Mapping[str, Path], when: When) -> _Way:
    """How everybody is scored: from a release, its folder, and who hears the features, to the scores table."""
    import polars as pl

    if project.engine.kind == "local":
        tables = {name: pl.read_parquet(path) for name, path in files.items()}
        return lambda release, _, hear: score_everybody(release, tables, *when, hear=hear)

    def by_engine(release: Release, folder: Path, hear: Callable[[pl.DataFrame], None]) -> pl.DataFrame:
        work = distributed.Work(project.engine, folder, files)
        return distributed.score_everybody(release, places, work, when, hear)

    return by_engine


def keep(places: Places, run_id: str, pairs: pl.DataFrame) -> None:
    """Keeps what both releases said until the labels are known; the same run again writes the same file.

    Raises:
        ExternalError: The disk.
    """
    write_with(places.trial / f"{run_id}.parquet", lambda temporary: pairs.write_parquet(temporary, compression="zstd"))


def _shared(traffic: Traffic, name: str, scores: pl.DataFrame, tried: pl.DataFrame) -> pl.DataFrame:
    """Each entity's row by the release that it falls to; whom the challenger does not know is the champion's."""
    import polars as pl

    key = scores.columns[0]
    falls = pl.Series(buckets.to_challenger(name, traffic, tried[key].to_list()))
    by_challenger = tried.filter(falls).join(scores.select(key), on=key, how="semi")
    by_challenger = by_challenger.with_columns(pl.lit(CHALLENGER).alias("variant"))
    by_champion = scores.join(by_challenger.select(key), on=key, how="anti")
    return pl.concat([by_champion, by_challenger], how="diagonal").select(scores.columns).sort(key)


def _pairs(traffic: Traffic, scores: pl.DataFrame, tried: pl.DataFrame, cohorts: pl.Series) -> pl.DataFrame:
    """What both releases said.

    Grain: one row an entity that both know: its key, as_of, mode, cohorts, and by release its id, score, decision and
    reason, such as `champion_score`. Time: `as_of`.
    """
    import polars as pl

    key = scores.columns[0]
    own = scores.select(key, AS_OF, pl.lit(traffic.mode).alias("mode"), cohorts, *_of(CHAMPION))
    return own.join(tried.select(key, *_of(CHALLENGER)), on=key, how="inner", maintain_order="left")


def _of(variant: str) -> list[pl.Expr]:
    import polars as pl

    return [pl.col("release").alias(variant), *(pl.col(name).alias(f"{variant}_{name}") for name in _TOLD)]


def _cohorts(release: Release, features: pl.DataFrame) -> pl.Series:
    """The names of the declared cohorts that each row is in."""
    import polars as pl

    declared = release.project.cohorts
    members = {name: fulfils(features, text, f"cohorts.{name}") for name, text in declared.items()}
    inside = [[name for name in members if members[name][row]] for row in range(features.height)]
    return pl.Series("cohorts", inside, dtype=pl.List(pl.String))


def _fault(champion: Release, pairs: pl.DataFrame, guards: Guards) -> str:
    """Why the challenger must not score anybody; empty when it may."""
    import polars as pl

    if pairs.height < _FEWEST:
        return ""
    own, other = pl.col(f"{CHAMPION}_score"), pl.col(f"{CHALLENGER}_score")
    task = champion.project.label.task
    unit = champion.manifest["evaluation"]["deviation_of_score"] if task == "regression" else 1.0
    far = (own - other).abs() > guards.moved_by * unit
    if task == "multiclass":
        far = pl.col(f"{CHAMPION}_decision") != pl.col(f"{CHALLENGER}_decision")
    failed = _failed(CHALLENGER) & ~_failed(CHAMPION)
    shares = pairs.select(failed.mean().alias("failed"), (far & ~failed).fill_null(False).mean().alias("far")).row(0)
    if shares[0] > guards.errors:
        return f"it gives no score for {shares[0]:.1%} of the rows"
    return f"{shares[1]:.0%} of its answers lie far from the champion's" if shares[1] > guards.moved else ""


def _failed(variant: str) -> pl.Expr:
    """Where a release gave no score of its own."""
    import polars as pl

    no_number = ~pl.col(f"{variant}_score").is_finite().fill_null(False)
    return no_number | pl.col(f"{variant}_reason").is_in(FAILED)


def _again(places: Places, folder: Path) -> str:
    return f"mlctl run projects/{places.name}" if folder == places.release else f"dvc checkout {folder}.dvc"
