"""This machine: one thread for each core, one bucket at a time in each, and one partition in all of them together.

Use it as long as a history is made in acceptable time; its memory does not grow with the data. Not where the events do
not fit the disk of one machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from mlctl.engines import ITEM, TIME, USER, EngineOptions
from mlctl.history.bucket import Job, Receipt, compute_bucket
from mlctl.history.tiles import make

if TYPE_CHECKING:
    import polars as pl


# of malloc.h: from how many bytes on memory is the system's again when it is freed
_MMAP_THRESHOLD: Final = (-3, 1 << 25)
_TRIM_THRESHOLD: Final = (-1, 1 << 30)


class Options(EngineOptions):
    """Options of the local engine."""

    kind: Literal["local"] = Field(default="local", description="local")
    threads: int | None = Field(
        default=None, ge=1, le=256, description="buckets of a partition, made side by side; default: the cores"
    )


EXAMPLE = {"kind": "local"}


def run(options: Options, job: Job, pending: Sequence[int]) -> Iterator[Receipt]:
    """Computes buckets in threads; a killed command loses those in work, which together are one partition at most.

    Raises:
        DataError: A feature cannot be computed from the data.
        ExternalError: A file cannot be written.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    _keep_memory()
    plan = job.plan()
    tiles = make(plan, job.scans(), Path(job.tiles), job.buckets, job.dataset)[0]

    def one(bucket: int) -> Receipt:
        people = tiles.people(bucket)
        return compute_bucket(job, plan, bucket, people, tiles.histories(plan, bucket, people[:, 0]))

    most = options.threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(min(most, job.at_once or most)) as pool:
        waiting = [pool.submit(one, bucket) for bucket in pending]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for future in waiting:
                future.cancel()


def _keep_memory() -> None:
    """Lets freed memory stay with the process, where the C library can: each bucket fills as many arrays as the last.

    To get pages from the system anew takes longer than to compute what they hold.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(*_MMAP_THRESHOLD)
        mallopt(*_TRIM_THRESHOLD)


def each(
    options: Options, work: Callable[[int], pl.DataFrame], parts: Sequence[int], columns: Mapping[str, str]
) -> Iterator[pl.DataFrame]:
    """The tables that a function makes of numbers, in threads; in the order of the numbers.

    Raises:
        MlctlError: What the function raised.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(options.threads or len(os.sched_getaffinity(0))) as pool:
        for table in pool.map(work, parts):
            yield table.select(list(columns))


def together(options: Options, events: Path) -> pl.DataFrame:
    """As `Engine.together`: the product of who had what with itself."""
    import numpy as np
    import polars as pl
    from scipy.sparse import csr_array, triu

    pairs = pl.read_parquet(events, columns=[USER, ITEM]).unique()
    users, items = pairs[USER].rank("dense").to_numpy() - 1, pairs[ITEM].to_numpy()
    had = csr_array((np.ones(len(users), np.int64), (users.astype(np.int64), items)))
    both = triu(had.T @ had, format="coo")
    found = pl.DataFrame({"one": both.row, "other": both.col, "users": both.data})
    return found.cast({"one": pl.Int32, "other": pl.Int32, "users": pl.Int64}).sort("one", "other")


def histories(options: Options, events: Path, longest: int, before: datetime | None = None) -> pl.DataFrame:
    """As `Engine.histories`."""
    import polars as pl

    rows = pl.read_parquet(events, columns=[USER, ITEM, TIME])
    rows = (rows if before is None else rows.filter(pl.col(TIME) < before)).sort(USER, TIME, ITEM)
    grouped = rows.group_by(USER, maintain_order=True).agg(pl.col(ITEM).tail(longest).alias("history"))
    return grouped.cast({"history": pl.List(pl.Int32)})
