"""A million rows x 50 columns, reference and current: pytest -m scale tests/scale/test_drift_speed.py -s.

Everything is measured in one run, from Parquet files to the finished report, the best of three, in seconds of
processors, which a shared machine disturbs least. The limit is one Polars pass for mean, deviation, min, max and null share over each file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds, sketches
from mlctl.monitors import Window
from mlctl.sketches import Shape, shelf
from mlctl.sketches.counting import sketched
from mlctl.sketches.statistics import Scale, distances, statistics
from mlctl.workspace import Places
from tests import drift

pytestmark = pytest.mark.scale

ROWS = int(os.environ.get("DRIFT_ROWS", "1000000"))
NUMBERS = [f"f{place}" for place in range(40)]
TOGETHER = 10
CATEGORIES = [f"c{place}" for place in range(10)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("w3")
    found = []
    for name, seed in (("reference", 1), ("current", 2)):
        draw = np.random.default_rng(seed)
        columns: dict[str, pl.Series] = {}
        for place, column in enumerate(NUMBERS):
            values = draw.normal(place, 1 + place % 5, ROWS) if place % 2 else draw.lognormal(0, 1, ROWS)
            values = values * 10 if name == "current" and place % 10 == 0 else values
            values[draw.random(ROWS) < 0.02] = np.nan
            columns[column] = pl.Series(values).fill_nan(None)
        columns |= {column: pl.Series(draw.integers(0, 20, ROWS)).cast(pl.String) for column in CATEGORIES}
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")
        found.append(folder / f"{name}.parquet")
    return found


def polars_pass(files: list[Path]) -> Any:
    def of(path: Path) -> pl.LazyFrame:
        told = [
            expression
            for name in NUMBERS
            for expression in (
                pl.col(name).mean().alias(f"{name} mean"),
                pl.col(name).std().alias(f"{name} std"),
                pl.col(name).min().alias(f"{name} min"),
                pl.col(name).max().alias(f"{name} max"),
                (pl.col(name).null_count() / pl.len()).alias(f"{name} null"),
            )
        ]
        return pl.scan_parquet(path).select(*told, *(pl.col(name).null_count() for name in CATEGORIES))

    return pl.collect_all([of(path) for path in files])


def shapes_of(files: list[Path], bins: bool) -> dict[str, Shape]:
    """Fixed at training, so that this is no part of a check."""
    sample = pl.read_parquet(files[0], n_rows=50_000)
    learnt = sketches.learn(sample, {}, sketches.Learnt({}, (), {}, {})).shapes
    if bins:
        return learnt
    return {name: shape.model_copy(update={"edges": (), "categories": ()}) for name, shape in learnt.items()}


def counted(files: list[Path], shapes: dict[str, Shape]) -> list[dict[str, sketches.Sketch]]:
    found = []
    for path in files:
        sketches_of = {}
        for place in range(0, len(shapes), TOGETHER):
            # some columns at a time: memory that was just used is there again without the system clearing it first
            some = list(shapes)[place : place + TOGETHER]
            table = pl.read_parquet(path, columns=some)
            told = {name: shapes[name] for name in some}
            sketches_of |= sketched({name: table[name] for name in some}, told, table.height)
        found.append(sketches_of)
    return found


def five_statistics(files: list[Path], shapes: dict[str, Shape]) -> Any:
    before, now = counted(files, shapes)
    return {name: statistics(now[name], shape, Scale.of(before[name], shape)) for name, shape in shapes.items()}


def with_psi_and_ks(files: list[Path], shapes: dict[str, Shape]) -> Any:
    before, now = counted(files, shapes)
    five = {name: statistics(now[name], shape, Scale.of(before[name], shape)) for name, shape in shapes.items()}
    return five, {name: distances(now[name], before[name], shape) for name, shape in shapes.items()}


def best(work: Callable[[], Any]) -> float:
    took = []
    for _ in range(3):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def test_a_million_rows_of_fifty_columns(files: list[Path]) -> None:
    moments, whole = shapes_of(files, False), shapes_of(files, True)
    limit = best(lambda: polars_pass(files))
    reading = best(lambda: [pl.read_parquet(path).height for path in files])
    five = best(lambda: five_statistics(files, moments))
    full = best(lambda: with_psi_and_ks(files, whole))
    recheck = best(lambda: counted(files[1:], whole))
    _, found = with_psi_and_ks(files, whole)
    print(
        f"{ROWS:,} rows: Polars pass {limit:.2f} s (reading alone {reading:.2f} s); five statistics {five:.2f} s"
        f" ({five / limit:.2f} x); with PSI, KS and all other distances {full:.2f} s ({full / limit:.2f} x);"
        f" current alone against stored sketches {recheck:.2f} s; psi f0 {found['f0']['psi']:.3f}"
    )

    assert five <= 1.5 * limit
    assert full <= 5 * limit


def test_a_year_of_daily_sketches_of_fifty_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places, known = Places("shop"), drift.baseline(1, 300, features=50)
    first = date(2026, 1, 1)
    for step in range(365):
        day = first + timedelta(days=step)
        sheet = known.sheet(drift.rows(np.random.default_rng([step, 9]), 300, 50, day.weekday() >= 5))
        told = {"day": day, "origin": "batch", "name": "a", "release": "r", "scored_at": shelf.end_of(day)}
        shelf.keep(places, known, sheet, told)
    kind, options = kinds.load("monitors", "three_sigma"), kinds.options("monitors", {"kind": "three_sigma"})
    kind.observe(options, drift.window(known, first, drift.rows(np.random.default_rng(1), 300, 50)), known)

    def check() -> None:
        # as the command does: baseline and sketches from disk, then every statistic of every day
        read = shelf.baseline(places, known.id)
        for day, watched in shelf.read(places, first, first + timedelta(days=364)).items():
            kind.observe(options, Window(day, shelf.end_of(day), watched.sheet), read)

    took = best(check)
    size = sum(path.stat().st_size for path in places.sketches.glob("*.json"))
    print(f"a year of 50 features from disk ({size / 2**20:.1f} MiB): {took:.2f} s")
    assert took < 0.5
