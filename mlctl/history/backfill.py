"""Backfill: the features of everybody at many moments, partition by partition, resumable.

`preflight` says what is missing and what it will cost; `run` computes it with the project's engine. What is in work at
a time is one partition, of which each thread has a bucket, and a bucket is written in one piece. So a kill loses one
partition at most, and the same command goes on with the buckets that are not there, and ends in the same bytes. What
was computed before and did not change is not computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from mlctl import history, kinds, snapshot
from mlctl.errors import ConfigError, DataError, IntegrityError, did_you_mean, listed
from mlctl.files import canonical_json, lock, read_json, sha256_of, sha256_of_file, write_json, write_with
from mlctl.history import Asked, Shelf, tiles
from mlctl.history.bucket import Block, Job
from mlctl.plan import Plan, compile_plan, narrowed
from mlctl.spec import Project
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

Advance = Callable[[int, int, int, float], None]
"""Hears how many buckets are done, of how many, with how many rows, in how many seconds."""

_MICROSECOND: Final = timedelta(microseconds=1)
_PARTITIONS_MOST: Final = 4096
# measured on two cores with the weekly-windows workload; the ledger's own figure takes its place after the first run
_VALUES_PER_S: Final = 20_000_000.0
_BASE_MB: Final = 250
_COPIES: Final = 4
_LEDGER_MOST: Final = 20


@dataclass(frozen=True)
class Request:
    """What the command line asked for.

    Attributes:
        start: The first moment.
        end: Moments lie before it.
        every: From one moment to the next.
        features: Features or columns by name; empty for all.
    """

    start: datetime
    end: datetime
    every: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Preflight:
    """What a backfill would do.

    Attributes:
        columns: The asked columns.
        moments: How many moments are asked.
        entities: How many entities there are.
        missing: The blocks to compute, as columns and stretches of moments.
        rows: Rows to write.
        seconds: Estimated wall time.
        memory_mb: Estimated peak memory.
        partitions: Into how many parts the entities are divided; one is in work at a time.
        buckets: The files of a block; those of a partition are made side by side.
        done: Buckets of the missing blocks that a stopped run left whole.
        measured: Whether the estimate rests on earlier runs here.
        error_share: How far earlier estimates were off (median), or None.
    """

    columns: tuple[str, ...]
    moments: int
    entities: int
    missing: tuple[Block, ...]
    rows: int
    seconds: float
    memory_mb: int
    partitions: int
    buckets: int
    done: int
    measured: bool
    error_share: float | None

    def record(self) -> dict[str, Any]:
        """The plan as JSON-ready data."""
        return {"format_version": "1.1", **asdict(self), "missing": [asdict(block) for block in self.missing]}


@dataclass(frozen=True)
class Done:
    """What a backfill did: where the history is, its new rows and columns, seconds, and rows a second."""

    folder: str
    blocks: int
    partitions: int
    buckets: int
    resumed: int
    rows: int
    columns: tuple[str, ...]
    seconds: float

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.1", **asdict(self)}


@dataclass(frozen=True)
class _Work:
    """A request held against what is there."""

    project: Project
    plan: Plan
    asked: Asked
    prints: dict[str, str]
    dataset: str
    files: dict[str, Path]
    shelf: Shelf | None

    def scans(self) -> dict[str, pl.LazyFrame]:
        import polars as pl

        return {name: pl.scan_parquet(path) for name, path in self.files.items()}

    def missing(self) -> list[Block]:
        there = self.shelf or Shelf(Path(), 0, 0, ())
        return there.missing(self.asked, self.prints)


def preflight(places: Places, project: Project, request: Request) -> Preflight:
    """What is missing of the asked history, and what it will cost. Nothing is written.

    Raises:
        ConfigError: A feature does not exist, or no moment lies between start and end.
        DataError: The moments lie beyond the snapshot.
        IntegrityError: The checked tables are missing.
    """
    return _preflight(places, _work(places, project, request))


def _preflight(places: Places, work: _Work) -> Preflight:
    people = tiles.people_of(work.plan, work.scans(), 1)
    missing = work.missing()
    shelf = work.shelf or _planned(work.project, people.height * work.asked.count, people.height)
    rows = [_rows(people, block) for block in missing]
    paths = [shelf.path(block.id, bucket) for block in missing for bucket in range(shelf.buckets) if work.shelf]
    done = sum(path.is_file() for path in paths)
    ledger = _ledger(places)
    wanted = sum(count * len(block.columns) for count, block in zip(rows, missing, strict=True))
    share_left = 1 - done / (shelf.buckets * len(missing)) if missing else 0.0
    errors = [abs(entry["seconds"] / entry["estimated"] - 1) for entry in ledger if entry["estimated"]]
    cells = [count // shelf.partitions * (len(block.columns) + 2) for count, block in zip(rows, missing, strict=True)]
    return Preflight(
        columns=work.asked.columns,
        moments=work.asked.count,
        entities=people.height,
        missing=tuple(missing),
        rows=sum(rows),
        seconds=round(expected_s(places, wanted) * share_left, 1),
        memory_mb=_BASE_MB + _COPIES * 8 * max(cells, default=0) // 1_000_000,
        partitions=shelf.partitions,
        buckets=shelf.buckets,
        done=done,
        measured=bool(ledger),
        error_share=round(median(errors), 2) if errors else None,
    )


def expected_s(places: Places, values: int) -> float:
    """Seconds that so many numbers will take, by what earlier backfills here took."""
    ledger = _ledger(places)
    rate = median(entry["values"] / entry["seconds"] for entry in ledger) if ledger else _VALUES_PER_S
    return values / rate


def dataset_of(files: Mapping[str, Path]) -> str:
    """The name of the data that a history was computed from: of its checked tables.

    Raises:
        IntegrityError: A table is missing.
    """
    return sha256_of(canonical_json({name: sha256_of_file(path) for name, path in files.items()}))[:16]


def run(places: Places, project: Project, request: Request, advance: Advance) -> Done:
    """Computes what is missing of the asked history.

    Raises:
        ConfigError: As `preflight`.
        DataError: As `preflight`, or a feature cannot be computed.
        ExternalError: The disk, or the engine.
        ConflictError: Another command works on the project.
    """
    began = time.monotonic()
    with lock(places.lock, f"projects/{places.name}"):
        work = _work(places, project, request)
        expected = _preflight(places, work)
        at_once = expected.buckets // expected.partitions
        shelf = history.begin(places, work.dataset, expected.partitions, at_once)
        rows = values = 0
        for block in expected.missing:
            made = _compute(places, work, shelf, block, advance)
            rows, values = rows + made, values + made * len(block.columns)
            history.finish(places, block, work.prints)
        seconds = time.monotonic() - began
        if values:
            entry = {"values": values, "seconds": round(seconds, 3), "estimated": expected.seconds}
            write_json(_ledger_path(places), [*_ledger(places), entry][-_LEDGER_MOST:])
    return Done(
        folder=str(places.history),
        blocks=len(expected.missing),
        partitions=expected.partitions * len(expected.missing),
        buckets=expected.buckets * len(expected.missing),
        resumed=expected.done,
        rows=rows,
        columns=tuple(dict.fromkeys(name for block in expected.missing for name in block.columns)),
        seconds=round(seconds, 2),
    )


def rows(places: Places, project: Project, request: Request) -> pl.LazyFrame:
    """The asked history, read from what backfills left.

    Grain: one row per (entity, as_of): key as text, `as_of`, then the asked columns. Time: `as_of`.

    Raises:
        IntegrityError: A part of it is missing.
    """
    work = _work(places, project, request)
    if work.shelf is None:
        raise IntegrityError.missing(str(places.history), f"mlctl backfill projects/{places.name}")
    return work.shelf.rows(work.asked, work.prints)


def export(places: Places, project: Project, request: Request, path: str) -> None:
    """Writes the asked history into one Parquet file.

    Raises:
        IntegrityError: A part of it is missing.
        ExternalError: The file cannot be written.
    """
    found = rows(places, project, request)
    write_with(Path(path), found.sink_parquet)


def _compute(places: Places, work: _Work, shelf: Shelf, block: Block, advance: Advance) -> int:
    """Computes the buckets of a block that are not there; rows that were written."""
    options: Any = work.project.engine
    engine = kinds.load("engines", options.kind)
    schemas = {name: tuple(scan.collect_schema().names()) for name, scan in work.scans().items()}
    job = Job(
        project=work.project.mapping(),
        schemas=schemas,
        block=block,
        buckets=shelf.buckets,
        folder=str(shelf.folder),
        tables={name: str(path) for name, path in work.files.items()},
        tiles=str(places.state / "tiles"),
        dataset=work.dataset,
        at_once=shelf.at_once,
    )
    pending = [bucket for bucket in range(shelf.buckets) if not shelf.path(block.id, bucket).is_file()]
    began, written = time.monotonic(), 0
    done = shelf.buckets - len(pending)
    advance(done, shelf.buckets, 0, 0.0)
    for receipt in engine.run(options, job, pending):
        done, written = done + 1, written + receipt.rows
        advance(done, shelf.buckets, written, time.monotonic() - began)
    return written


def _work(places: Places, project: Project, request: Request) -> _Work:
    if project.ranks():
        raise ConfigError.no_features("a history of features", places.name)
    files = {name: places.checked / f"{name}.parquet" for name in project.sources}
    for path in files.values():
        if not path.is_file():
            raise IntegrityError.missing(str(path), f"mlctl run projects/{places.name}")
    import polars as pl

    schemas = {name: pl.read_parquet_schema(path) for name, path in files.items()}
    plan = compile_plan(project, {name: list(schema) for name, schema in schemas.items()})
    columns = _columns(plan, request.features)
    asked = _asked(places, request, columns)
    dataset = dataset_of(files)
    wanted = narrowed(plan, columns)
    return _Work(project, wanted, asked, history.fingerprints(wanted), dataset, files, history.shelf(places, dataset))


def _columns(plan: Plan, features: Sequence[str]) -> tuple[str, ...]:
    known = {*plan.names, *(column.feature for column in plan.columns)}
    for name in features:
        if name not in known:
            why = did_you_mean(name, known) or f"known: {listed(sorted(known))}"
            raise ConfigError.bad_override(f"--feature {name}", why)
    return tuple(
        column.name for column in plan.columns if not features or column.name in features or column.feature in features
    )


def _asked(places: Places, request: Request, columns: tuple[str, ...]) -> Asked:
    taken = snapshot.read(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data), f"mlctl run projects/{places.name}")
    every = duration(request.every)
    count = -(-(request.end - request.start) // every)
    if count < 1:
        why = f"no moment lies in [{moment_text(request.start)}, {moment_text(request.end)})"
        raise ConfigError.bad_override("--start and --end", why)
    last = request.start + (count - 1) * every
    if last > taken.as_of:
        raise DataError.beyond_snapshot(moment_text(last), moment_text(taken.as_of), places.name)
    first_us = (request.start - datetime.fromtimestamp(0, request.start.tzinfo)) // _MICROSECOND
    return Asked(columns, first_us, every // _MICROSECOND, count)


def _rows(people: pl.DataFrame, block: Block) -> int:
    """Rows of a block: one for each entity and moment after the entity became known."""
    import numpy as np

    from mlctl.history.bucket import FIRST_US

    first = np.sort(people[FIRST_US].to_numpy())
    return int(np.searchsorted(first, block.moments(), side="left").sum())


def partitions_for(rows: int, entities: int, partition_rows: int) -> int:
    """Into how many partitions so many rows of so many entities are divided.

    >>> partitions_for(1_040_000, 10_000, 800_000), partitions_for(52_000_000, 500_000, 800_000)
    (1, 65)
    """
    return max(1, min(_PARTITIONS_MOST, entities, round(rows / partition_rows)))


def _planned(project: Project, rows: int, entities: int) -> Shelf:
    """A history that is not begun: each thread of this machine has a bucket of the partition that is in work."""
    partitions = partitions_for(rows, entities, int(project.engine.partition_rows))
    return Shelf(Path(), partitions, min(threads(project), max(1, entities)), ())


def threads(project: Project) -> int:
    """How many processors a backfill of the project keeps at work on this machine."""
    import os

    return getattr(project.engine, "threads", None) or len(os.sched_getaffinity(0))


def _ledger_path(places: Places) -> Path:
    return places.state / "backfills.json"


def _ledger(places: Places) -> list[dict[str, float]]:
    path = _ledger_path(places)
    return list(read_json(path)) if path.is_file() else []
