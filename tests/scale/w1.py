"""The weekly-windows workload, computed by the declarative engine: python w1.py USERS EVENTS.parquet FOLDER [STEP_DAYS]

Events are (user_id, ts, amount, category); 14 features over 7, 30 and 90 days for every user at 104 weekly moments (or at
730 daily ones). Prints one line of JSON. The time covers reading the events, dividing them, computing and writing.
"""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

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
PROJECT = {
    "name": "w1",
    "entity": {"key": "user_id", "source": "users"},
    "sources": {
        "users": {"kind": "parquet", "path": "users.parquet"},
        "events": {"kind": "parquet", "path": "events.parquet", "time": "ts", "time_zone": "UTC"},
    },
    "features": {
        "n": {"kind": "count", "source": "events", "windows": WINDOWS},
        "sum": {"kind": "sum", "source": "events", "column": "amount", "windows": WINDOWS},
        "mean": {"kind": "mean", "source": "events", "column": "amount", "windows": WINDOWS},
        "max": {"kind": "max", "source": "events", "column": "amount", "windows": WINDOWS},
        "days_since": {"kind": "days_since", "source": "events"},
        "ncat_90": {"kind": "n_unique", "source": "events", "column": "category", "windows": ["90d"]},
    },
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
    job.plan()  # imports what the kinds need, as other forms have before their clock starts
    began = time.perf_counter()
    receipts = list(local.run(kinds.options("engines", {"kind": "local"}), job, range(job.buckets)))
    seconds = time.perf_counter() - began
    rows = sum(receipt.rows for receipt in receipts)
    return {
        "form": "mlctl",
        "users": users,
        "s": round(seconds, 3),
        "rows": rows,
        "rows_per_s": round(rows / seconds),
        "peak_mb": _peak_mb(),
    }


if __name__ == "__main__":
    users, events, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    print("RESULT", json.dumps(backfill(users, events, folder, int(sys.argv[4]) if len(sys.argv) > 4 else 7)))
