"""A batch scored where an engine runs: features and decisions part by part, by the same plan and the same release.

The engine computes the features of one moment as it computes a history, and decides about each part with the release,
opened and verified where it works. This process holds the scores, and the features to be watched.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, kinds
from mlctl.errors import ConfigError
from mlctl.files import lock
from mlctl.graphs.runtime import BATCH_ROWS
from mlctl.history import tiles
from mlctl.history.bucket import Block, Job
from mlctl.plan import compile_plan
from mlctl.release import Release, open_release
from mlctl.release.contributions import NAME
from mlctl.serving.batch import decide, labelled, must_know_somebody
from mlctl.spec import Project
from mlctl.workspace import STATE, Places

if TYPE_CHECKING:
    import polars as pl

_COLUMNS: Final = {"score": "double", "decision": "string", "reason": "string", "confidence": "double"}
_AGAIN: Final = "dvc checkout, or mlctl run"


@dataclass(frozen=True)
class Work:
    """What an engine is given.

    Attributes:
        engine: The engine's options.
        folder: The release's folder, where the workers see it.
        files: Each source's checked table, as a Parquet file.
    """

    engine: Any
    folder: Path
    files: Mapping[str, Path]


def score_everybody(
    release: Release, places: Places, work: Work, when: tuple[datetime, datetime], hear: Callable[[pl.DataFrame], None]
) -> pl.DataFrame:
    """The scores table, as `mlctl.serving.batch.score_everybody` makes it, to the bit.

    Args:
        release: The release of `work.folder`.
        places: The project's paths.
        work: What the engine is given.
        when: The moment of the features, and the present.
        hear: Is told the features, in the order of the scores.

    Raises:
        DataError: As there.
        IntegrityError: The release is not whole where the engine works.
        ConflictError: Another command scores this project now.
        ExternalError: The disk, or the engine.
    """
    import polars as pl

    as_of, now = when
    engine, folder = kinds.load("engines", work.engine.kind), places.state / "scoring"
    with lock(STATE / "locks" / f"{places.name}.scoring.lock", f"the scoring of {places.name}"):
        shutil.rmtree(folder, ignore_errors=True)
        job = _job(release, work, folder, as_of)
        parts = list(range(job.buckets))
        for _ in engine.run(work.engine, job, parts):
            pass
        made = [pl.read_parquet([job.spine(part), job.path(part)][which]) for which in (0, 1) for part in parts]
        spine, features = pl.concat(made[: len(parts)]), pl.concat(made[len(parts) :])
        must_know_somebody(spine, as_of)
        key = release.project.entity.key
        hear(pl.concat([spine, features], how="horizontal").sort(key))
        columns = {key: "string", **_COLUMNS}
        if release.project.serving.reasons:
            columns[NAME] = "string"
        todo = partial(_decided, str(work.folder.resolve()), job)
        decided = pl.concat(engine.each(work.engine, todo, parts, columns)).sort(key)
        shutil.rmtree(folder, ignore_errors=True)
    return labelled(release, decided, as_of, now)


def with_engine(places: Places, overrides: Sequence[str]) -> Project:
    """The project as it was composed, with the engine that overrides name, such as `engine=spark`.

    Raises:
        ConfigError: An override says something else: what a sealed release does is settled.
    """
    project = config.read_params(places)
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] != "engine":
            why = f"a sealed release scores; only its engine can be chosen (mlctl run {places.name} {override})"
            raise ConfigError.bad_override(override, why)
    if not overrides:
        return project
    return project.model_copy(update={"engine": config.compose(places, overrides).project.engine})


def _job(release: Release, work: Work, folder: Path, as_of: datetime) -> Job:
    """The features of everybody at one moment, in parts of about as many rows as are scored at once."""
    import polars as pl

    scans = {name: pl.scan_parquet(path) for name, path in work.files.items()}
    schemas = {name: tuple(scan.collect_schema().names()) for name, scan in scans.items()}
    plan = compile_plan(release.project, schemas)
    people = tiles.people_of(plan, scans, 1).height
    moment_us = (as_of - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return Job(
        project=release.project.mapping(),
        schemas=schemas,
        block=Block("scoring", tuple(plan.names), moment_us, 1, 1),
        buckets=max(1, -(-people // BATCH_ROWS)),
        folder=str(folder.resolve()),
        tables={name: str(path) for name, path in work.files.items()},
        tiles=str(folder / "tiles"),
        dataset="scoring",
    )


def _decided(folder: str, job: Job, part: int) -> pl.DataFrame:
    """What the release decides about one part; runs where the engine works."""
    import polars as pl

    release = _opened(folder)
    rows = pl.concat([pl.read_parquet(job.spine(part)), pl.read_parquet(job.path(part))], how="horizontal")
    return pl.concat([rows.select(release.project.entity.key), decide(release, rows)], how="horizontal")


@cache
def _opened(folder: str) -> Release:
    return open_release(Path(folder), _AGAIN)
