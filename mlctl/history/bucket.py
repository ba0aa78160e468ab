"""One bucket of a backfill: the features of some entities at all moments of a block, from their events to a file.

A *block* is a rectangle of the history: feature columns at evenly spaced moments. Its *buckets* are the entities
whose key's CRC-32 leaves the same remainder. A *partition* is as many buckets as are in work at a time. Every engine
computes a bucket by `compute_bucket`, so that all of them write the same bytes.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.config import validation
from mlctl.files import write_with
from mlctl.plan import AS_OF, Plan, compile_plan, narrowed
from mlctl.plan.compute import values
from mlctl.plan.events import Events, events_of
from mlctl.plan.windows import Spine
from mlctl.spec import Project

if TYPE_CHECKING:
    import polars as pl

    from mlctl.features import Array

FIRST_US: Final = "/first"
"""Column of a population that holds the microsecond at which an entity became known."""


def file_of(folder: Path, bucket: int, name: str) -> Path:
    """The file of one bucket of a block, or of a stretch of rows."""
    return folder / f"bucket-{bucket:04d}" / f"{name}.parquet"


@dataclass(frozen=True)
class Block:
    """Columns at moments, for all entities.

    Attributes:
        id: Hash of the columns, what they are computed from, and the moments.
        columns: Names of the feature columns.
        first_us: The first moment, microseconds since 1970.
        step_us: From one moment to the next.
        count: How many moments.
    """

    id: str
    columns: tuple[str, ...]
    first_us: int
    step_us: int
    count: int

    @property
    def stretch(self) -> str:
        """The moments as a name: blocks of one stretch have the same rows, which stand once beside them."""
        return f"spine-{self.first_us}-{self.step_us}-{self.count}"

    def moments(self) -> Array:
        """[count] the moments in microseconds since 1970."""
        import numpy as np

        return np.asarray(self.first_us + self.step_us * np.arange(self.count, dtype=np.int64))


@dataclass(frozen=True)
class Job:
    """A block to be computed: what an engine is given. All of it is plain data, so that it can be sent elsewhere.

    Attributes:
        project: The project as `Project.mapping` gives it.
        schemas: Column names of each source's table.
        block: What is to be computed.
        buckets: Into how many parts the entities are divided.
        folder: Where the buckets' files go.
        tables: Each source's checked table, as a Parquet file.
        tiles: Where tiles lie, or are to lie.
        dataset: The version of the tables.
        at_once: Buckets that are in work at a time, at most; None where nothing is kept that a kill could lose.
    """

    project: Mapping[str, Any]
    schemas: Mapping[str, tuple[str, ...]]
    block: Block
    buckets: int
    folder: str
    tables: Mapping[str, str]
    tiles: str
    dataset: str
    at_once: int | None = None

    def plan(self) -> Plan:
        """The plan of the block's columns and of what they are derived from."""
        return narrowed(compile_plan(self._project(), self.schemas), self.block.columns)

    def _project(self) -> Project:
        project, _ = validation.read(self.project)
        if project is None:
            raise ValueError("the project of a job is valid")
        return project

    def needed(self, plan: Plan) -> dict[str, list[str]]:
        """The sources that the plan reads or that know the entities, and the columns that are needed of each."""
        needed = {source: set(columns) for source, columns in plan.sources().items()}
        key = plan.entity.key
        for source in [plan.entity.source] if plan.entity.source else self.schemas:
            place = plan.places[source]
            if key in self.schemas[source]:
                needed.setdefault(source, set()).update({key, *filter(None, (place.time, place.known))})
        return {source: sorted(columns) for source, columns in needed.items()}

    def scans(self) -> dict[str, pl.LazyFrame]:
        """The tables."""
        import polars as pl

        return {source: pl.scan_parquet(path) for source, path in self.tables.items()}

    def empty(self, columns: Mapping[str, Sequence[str]]) -> dict[str, pl.DataFrame]:
        """The tables without a row."""
        scans = self.scans()
        return {source: scans[source].select(names).clear().collect() for source, names in columns.items()}

    def spine(self, bucket: int) -> Path:
        """The file of one bucket's rows: key and `as_of`."""
        return file_of(Path(self.folder), bucket, self.block.stretch)

    def path(self, bucket: int) -> Path:
        """The file of one bucket's columns, in the order of its rows."""
        return file_of(Path(self.folder), bucket, self.block.id)


@dataclass(frozen=True)
class Receipt:
    """That a bucket was written: its number, rows and seconds."""

    bucket: int
    rows: int
    seconds: float


def buckets_of(keys: Iterable[str], count: int) -> list[int]:
    """The bucket of each key: the same on every machine and in Spark's `crc32`.

    >>> buckets_of(["c000001", "c000002"], 8)
    [5, 7]
    """
    return [zlib.crc32(key.encode()) % count for key in keys]


def compute_bucket(job: Job, plan: Plan, bucket: int, people: pl.DataFrame, histories: Mapping[str, Events]) -> Receipt:
    """Computes one bucket and writes its file in one piece.

    Args:
        job: What is computed.
        plan: `job.plan()`, made once for many buckets.
        bucket: Which bucket.
        people: Grain: one entity, sorted by key: the key as text, and `FIRST_US`.
        histories: The events of these entities; their place in `people` is their entity.

    Raises:
        DataError: As `mlctl.plan.compute.compute`.
        ExternalError: The file cannot be written.
    """
    import numpy as np
    import polars as pl

    began = time.monotonic()
    moments = job.block.moments()
    rows = values(plan, histories, Spine.grid(people.height, moments)).select(job.block.columns)
    first = people[FIRST_US].to_numpy()
    known = None
    if people.height and first.max() >= moments[0]:
        # nobody has features at moments at which nobody knew him
        known = pl.Series(np.repeat(first, len(moments)) < np.tile(moments, people.height))
        rows = rows.filter(known)
    if not job.spine(bucket).is_file():
        keys = people[people.columns[0]].gather(np.repeat(np.arange(people.height, dtype=np.uint32), len(moments)))
        as_of = pl.Series(AS_OF, np.tile(moments, people.height)).cast(pl.Datetime("us", "UTC"))
        spine = pl.DataFrame([keys, as_of])
        _write(job.spine(bucket), spine if known is None else spine.filter(known))
    # written last: a block's file that is there is whole, and so is its spine
    _write(job.path(bucket), rows)
    return Receipt(bucket, rows.height, time.monotonic() - began)


def _write(path: Path, rows: pl.DataFrame) -> None:
    write_with(path, lambda temporary: rows.write_parquet(temporary, compression="lz4"))


def compute_from_tables(
    job: Job, plan: Plan, bucket: int, people: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> Receipt:
    """As `compute_bucket`, from the tables of the bucket's entities with their keys.

    Raises:
        DataError: As `mlctl.plan.compute.compute`.
        ExternalError: The file cannot be written.
    """
    keys = people[people.columns[0]]
    histories = {source: events_of(source, tables[source], plan.places[source], keys) for source in plan.sources()}
    return compute_bucket(job, plan, bucket, people, histories)
