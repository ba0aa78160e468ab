"""The weekly-windows workload, computed by the declarative engine: python w1.py USERS EVENTS.parquet FOLDER [STEP_DAYS]

Events are (user_id, ts, amount, category); 14 features over 7, 30 and 90 days for every user at 104 weekly moments (or at
730 daily ones). Prints one line of JSON. The time covers reading the events, dividing them, computing and writing.
"""

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path

import polars as pl

from mlctl import kinds, validation
from mlctl.engines import local
from mlctl.partition import Block, Job
from mlctl.times import moment

WINDOWS = ["7d", "30d", "90d"]
DAY_US = 86_400_000_000
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


def backfill(users: int, events: Path, folder: Path, step_days: int = 7) -> dict[str, object]:
    """Computes the history and returns the figures."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pl.DataFrame({"user_id": pl.Series(range(users), dtype=pl.Int32)}).write_parquet(folder / "users.parquet")
    project, faults = validation.read(PROJECT)
    assert not faults, faults
    count = 104 if step_days == 7 else 728
    first = int(moment("2024-01-01").timestamp()) * 1_000_000 + step_days * DAY_US
    schemas = {"users": ("user_id",), "events": ("user_id", "ts", "amount", "category")}
    partitions = max(1, round(users * count / 400_000))
    names = [f"{name}_{window}" for name in ("n", "sum", "mean", "max") for window in WINDOWS] + [
        "days_since",
        "ncat_90",
    ]
    block = Block("w1", tuple(names), first, step_days * DAY_US, count)
    tables = {"users": str(folder / "users.parquet"), "events": str(events)}
    job = Job(project.mapping(), schemas, block, partitions, str(folder / "history"), tables, str(folder / "tiles"), "")
    job.plan()  # imports what the kinds need, as other forms have before their clock starts
    began = time.perf_counter()
    options = kinds.options("engines", {"kind": "local"})
    receipts = list(local.run(options, job, range(partitions)))
    seconds = time.perf_counter() - began
    rows = sum(receipt.rows for receipt in receipts)
    return {
        "form": "mlctl",
        "users": users,
        "s": round(seconds, 3),
        "rows": rows,
        "rows_per_s": round(rows / seconds),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    users, events, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    print("RESULT", json.dumps(backfill(users, events, folder, int(sys.argv[4]) if len(sys.argv) > 4 else 7)))
    for index, file in enumerate(sorted(folder.glob("history/part-*/w1.parquet"))):
        os.link(file, folder / f"part{index:04d}.parquet")
