"""The history's figures: rows a second, memory, growth and the Spark engine beside, on events of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.engines import spark
from mlctl.history.bucket import Job
from tests.scale import w1

pytestmark = [pytest.mark.scale, pytest.mark.usefixtures("java")]
DAYS = 730


def events_of(users: int, path: Path) -> Path:
    """An event each five days and user for two years, in the order of time."""
    draw = np.random.default_rng(3)
    count = users * DAYS // 5
    at = np.sort(draw.integers(0, DAYS * w1.DAY_US, count)) + w1.START_US
    columns = {
        "user_id": draw.integers(0, users, count, dtype=np.int32),
        "ts": pl.Series(at).cast(pl.Datetime("us")),
        "amount": np.round(draw.gamma(2.0, 12.0, count), 2),
        "category": pl.Series([f"cat_{index:02d}" for index in range(20)]).gather(draw.integers(0, 20, count)),
    }
    pl.DataFrame(columns).write_parquet(path, row_group_size=1_000_000)
    return path


def measured(users: int, folder: Path, step_days: int = 7) -> dict[str, Any]:
    """One run in a process of its own, so that its peak memory is its own."""
    events = events_of(users, folder / "events.parquet")
    program = [sys.executable, str(Path(w1.__file__)), str(users), str(events), str(folder / "made"), str(step_days)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    figures = dict(json.loads(done.stdout.partition("RESULT ")[2]))
    print(f"\n{figures}")
    return figures


def test_weekly_snapshots_grow_with_the_users_and_stay_in_memory(tmp_path: Path) -> None:
    small, large = (measured(users, tmp_path) for users in (20_000, 200_000))

    assert large["rows_per_s"] >= 0.7 * small["rows_per_s"], "the cost is not linear"
    assert large["rows_per_s"] >= 1_000_000
    assert large["peak_mb"] <= 1536


def test_one_more_window_takes_less_than_a_tenth_of_the_history(tmp_path: Path) -> None:
    figures = measured(100_000, tmp_path)

    assert figures["window_cpu_s"] < 0.1 * figures["cpu_s"]


def test_daily_snapshots_pass_a_million_user_days_a_second(tmp_path: Path) -> None:
    assert measured(50_000, tmp_path, 1)["rows_per_s"] >= 1_000_000


def test_the_local_engine_is_five_times_as_fast_as_spark_on_this_machine(tmp_path: Path) -> None:
    here = measured(20_000, tmp_path)
    job: Job = w1.job_of(20_000, tmp_path / "events.parquet", tmp_path / "made", 7)
    job = Job(**{**vars(job), "folder": str(tmp_path / "by_spark")})
    began = time.perf_counter()

    list(spark.run(kinds.options("engines", {"kind": "spark", "master": "local[2]"}), job, range(job.buckets)))

    seconds = time.perf_counter() - began
    print(f"\nspark: {seconds:.1f} s with its start, local: {here['s']:.1f} s")
    assert seconds >= 5 * float(here["s"])
