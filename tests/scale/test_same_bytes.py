"""Twenty runs of one project, each in other surroundings, end in the same bytes.

Varied: threads of Polars and OpenMP, cores, time zone, language, hash seed, folder (with blanks and letters that are no
ASCII), umask, and the order of the rows in the source files. Compared: features, models, evaluation, metrics, release.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import world

pytestmark = pytest.mark.scale

RUNS = 20
PROJECT = """\
name: shop
entity: {key: customer_id, source: customers}
sources:
  customers: {kind: csv, path: customers.csv, key: [customer_id]}
  orders: {kind: csv, path: orders.csv, time: ordered_at, time_zone: UTC, key: [order_id]}
checks:
  orders_once: {kind: unique, source: orders, columns: [order_id], severity: quarantine}
features:
  orders: {kind: count, source: orders, windows: [30d, 90d]}
  spend: {kind: sum, source: orders, column: amount, windows: [90d]}
  basket: {kind: std, source: orders, column: amount, windows: [90d]}
  recency: {kind: days_since, source: orders}
  plan: {kind: lookup, source: customers, column: plan}
label: {kind: count, source: orders, horizon: 60d, is: 0}
model: {kind: xgboost, trees: 40, rule: recency > 30, calibration: isotonic, adopt: always}
gate: {ranks: {metric: roc_auc, min: 0.5, by: value}}
refresh: {as_of: 2026-07-01}
"""


def tables(folder: Path, seed: int) -> None:
    """The same rows, in another order for each seed."""
    draw, shuffle = np.random.default_rng(1), np.random.default_rng(seed)
    people, count = 400, 6000
    keys = np.array([f"c{number:04d}" for number in range(people)])
    rate = draw.gamma(1.0, 1.0, people)
    who = draw.choice(people, count, p=rate / rate.sum())
    days = draw.integers(0, 540, count)
    orders = pl.DataFrame(
        {
            "order_id": [f"o{number:05d}" for number in range(count)],
            "customer_id": keys[who].tolist(),
            "ordered_at": (np.datetime64("2025-01-01") + days).astype(str).tolist(),
            "amount": draw.gamma(2.0, 20.0, count).round(2),
        }
    )
    plans = draw.choice(["none", "monthly", "année"], people).tolist()
    customers = pl.DataFrame({"customer_id": keys.tolist(), "plan": plans})
    orders[shuffle.permutation(count)].write_csv(folder / "orders.csv")
    customers[shuffle.permutation(people)].write_csv(folder / "customers.csv")


def digests(folder: Path) -> dict[str, str]:
    places = [folder / ".mlctl/shop" / name for name in ("checked", "features", "frozen", "model", "evaluation")]
    places += [folder / "projects/shop/metrics", folder / "projects/shop/plots"]
    files = [path for place in places for path in place.iterdir()]
    files += [path for path in (folder / ".mlctl/shop/release").iterdir() if path.name != "manifest.json"]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


def test_twenty_runs_in_other_surroundings_end_in_the_same_bytes(tmp_path: Path) -> None:
    first: dict[str, str] = {}
    for run in range(RUNS):
        chance = random.Random(run)
        folder = world.make_workspace(tmp_path / chance.choice(["plain", "with a blank", "größe"]) / str(run), PROJECT)
        tables(folder, run)
        cores = chance.choice(["0", "1", "0,1"]) if (os.cpu_count() or 1) > 1 else "0"
        surroundings = world.surroundings(
            OMP_NUM_THREADS=chance.choice(["1", "2", "7"]),
            POLARS_MAX_THREADS=chance.choice(["1", "2", "5"]),
            TZ=chance.choice(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
            LANG=chance.choice(["C", "C.UTF-8", "de_DE.UTF-8"]),
            PYTHONHASHSEED=str(chance.randrange(1000)),
        )
        command = ["taskset", "-c", cores, str(world.MLCTL), "run", "shop"]
        umask = chance.choice([0o022, 0o077, 0o002])
        done = subprocess.run(
            command, cwd=folder, env=surroundings, umask=umask, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        made = digests(folder)
        first = first or made
        assert len(made) > 25
        assert {name for name in first if made.get(name) != first[name]} == set(), (run, command, surroundings["TZ"])
