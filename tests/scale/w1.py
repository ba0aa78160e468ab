"""The weekly-windows workload, computed by the declarative engine: python w1.py USERS EVENTS.parquet FOLDER [STEP_DAYS]

Events are (user_id, ts, amount, category); 14 features over 7, 30 and 90 days for every user at 104 weekly moments (or at
730 daily ones). Prints one line of JSON. The time covers reading the events, dividing them, computing and writing; then
the times of adding a window of one sum to that history, the median of three.
"""

import json
import os
import re
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np  # noqa: F401  (imported before the clock starts)
import polars as pl

from mlctl import kinds
from mlctl.config import validation
from mlctl.engines import local
from mlctl.history.backfill import partitions_for
from mlctl.history.bucket import Block, Job
from mlctl.times import moment

WINDOWS = ["7d", "30d", "90d"]
DAYS = 730
DAY_US = 86_400_000_000
START_US = int(moment("2024-01-01").timestamp()) * 1_000_000
FEATURES: dict[str, dict[str, Any]] = {
    "n": {"kind": "count", "source": "events", "windows": WINDOWS},
    "sum": {"kind": "sum", "source": "events", "column": "amount", "windows": WINDOWS},
    "mean": {"kind": "mean", "source": "events", "column": "amount", "windows": WINDOWS},
    "max": {"kind": "max", "source": "events", "column": "amount", "windows": WINDOWS},
    "days_since": {"kind": "days_since", "source": "events"},
    "ncat_90": {"kind": "n_unique", "source": "events", "column": "category", "windows": ["90d"]},
}
PROJECT = {
    "name": "w1",
    "entity": {"key": "user_id", "source": "users"},
    "sources": {
        "users": {"kind": "parquet", "path": "users.parquet"},
        "events": {"kind": "parquet", "path": "events.parquet", "time": "ts", "time_zone": "UTC"},
    },
    "features": FEATURES,
    "label": {"kind": "count", "source": "events", "horizon": "30d", "is": 0},
    "model": {"kind": "logistic"},
    "metrics": {"roc_auc": {"kind": "roc_auc"}},
    "gate": {"ranks": {"metric": "roc_auc", "min": 0.5}},
    "serving": {"kind": "batch"},
}


def job_of(users: int, events: Path, folder: Path, step_days: int) -> Job:
    """The workload as a job of the declarative engine."""
    pl.DataFrame({"user_id": pl.Series(range(users), dtype=pl.Int32)}).write_parquet(folder / "users.parquet")
    project, faults = validation.read(PROJECT)
    assert project is not None, faults
    count = DAYS // step_days
    names = [f"{name}_{window}" for name in ("n", "sum", "mean", "max") for window in WINDOWS]
    return Job(
        project=project.mapping(),
        schemas={"users": ("user_id",), "events": ("user_id", "ts", "amount", "category")},
        block=Block("w1", (*names, "days_since", "ncat_90"), START_US + step_days * DAY_US, step_days * DAY_US, count),
        buckets=partitions_for(users * count, users, 800_000) * len(os.sched_getaffinity(0)),
        folder=str(folder / "history"),
        tables={"users": str(folder / "users.parquet"), "events": str(events)},
        tiles=str(folder / "tiles"),
        dataset="",
    )


def _peak_mb() -> int:
    """The most memory this program had; the usage that getrusage tells begins with that of the parent."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) // 1024


def backfill(users: int, events: Path, folder: Path, step_days: int = 7) -> dict[str, object]:
    """Computes the history and returns the figures."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = job_of(users, events, folder, step_days)
    seconds, cpu_s, rows = _timed(job)
    peak_mb = _peak_mb()
    added = [_timed(_with_window(job, window)) for window in ("13d", "14d", "15d")]
    return {
        "form": "mlctl",
        "users": users,
        "s": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "rows": rows,
        "rows_per_s": round(rows / seconds),
        "peak_mb": peak_mb,
        "window_s": round(median(one[0] for one in added), 3),
        "window_cpu_s": round(median(one[1] for one in added), 3),
    }


def _timed(job: Job) -> tuple[float, float, int]:
    """Seconds, CPU seconds and rows of a job."""
    job.plan()  # imports what the kinds need, as other forms have before their clock starts
    began, cpu_began = time.perf_counter(), time.process_time()
    receipts = list(local.run(kinds.options("engines", {"kind": "local"}), job, range(job.buckets)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return seconds, cpu_s, sum(receipt.rows for receipt in receipts)


def _with_window(job: Job, window: str) -> Job:
    """The job of one more window of the sum."""
    told = {**PROJECT, "features": {**FEATURES, "sum": {**FEATURES["sum"], "windows": [*WINDOWS, window]}}}
    project, faults = validation.read(told)
    assert project is not None, faults
    return replace(job, project=project.mapping(), block=replace(job.block, id=window, columns=(f"sum_{window}",)))


if __name__ == "__main__":
    users, events, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    print("RESULT", json.dumps(backfill(users, events, folder, int(sys.argv[4]) if len(sys.argv) > 4 else 7)))
