"""A million interactions of 100,000 users: trained and evaluated within minutes, and 100,000 items recommended by the index.

The second needs `wrk` and two cores: the server has one, the load the other.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import world
from tests.scale.test_serving_speed import running

pytestmark = pytest.mark.scale

EVENTS, USERS, ITEMS = 1_000_000, 100_000, 20_000
LARGE_ITEMS = 100_000
MOST_S, MOST_P99_MS = 180, 10
PROJECT = """\
name: shop
entity: {key: user_id}
sources:
  views: {kind: parquet, path: views.parquet, time: at}
items: {key: item_id}
label: {kind: interactions, source: views}
split: {kind: time, test_share: 0.15}
refresh: {as_of: 2026-11-01}
"""
LARGE = """\
model: {kind: blend, ladder: [popularity, als]}
"""


def shop_of(folder: Path, project: str, items: int, crowd: int, steep: float) -> Path:
    """A workspace with a million views of crowds of items; `steep` says how fast their popularity falls."""
    made = world.make_workspace(folder / "workspace", project)
    draw = np.random.default_rng(0)
    weight = 1 / np.arange(1, items + 1) ** steep
    item = draw.choice(items, EVENTS, p=weight / weight.sum())
    user = draw.integers(0, USERS, EVENTS)
    # half of what somebody looks at is near to what all of their crowd look at
    item = np.where(draw.random(EVENTS) < 0.5, (item // crowd * crowd + user % crowd) % items, item)
    second = np.sort(draw.integers(0, 300 * 86_400, EVENTS))
    begins = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in user],
            "item_id": [f"i{n}" for n in item],
            "at": pl.from_epoch(pl.Series(second + begins), time_unit="s").dt.replace_time_zone("UTC"),
        }
    ).write_parquet(made / "views.parquet")
    return made


def test_a_million_interactions_within_three_minutes_of_two_cores(tmp_path: Path) -> None:
    folder = shop_of(tmp_path, PROJECT, ITEMS, crowd=40, steep=0.8)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()

    done = world.mlctl(folder, "run", "shop")

    took = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = {"wall_s": round(took, 1), "cpu_s": round(cpu, 1), "peak_mib": after.ru_maxrss // 1024}
    print(
        json.dumps(said),
        *[line for line in done.stderr.splitlines() if "train " in line or "evaluate " in line],
        sep="\n",
    )
    assert done.returncode in (0, 4), done.stderr
    assert took < MOST_S


def test_recommend_answers_by_the_index_within_ten_milliseconds(tmp_path: Path) -> None:
    folder = shop_of(tmp_path, PROJECT + LARGE, LARGE_ITEMS, crowd=200, steep=0.5)
    assert world.mlctl(folder, "run", "shop").returncode == 0
    assert world.mlctl(folder, "index", "shop").returncode == 0
    # started by the server it would have to share the server's core
    assert world.mlctl(folder, "db", "start").returncode == 0
    script = folder / "users.lua"
    script.write_text(
        """local head = {["Content-Type"] = "application/json"}
        request = function() return wrk.format("POST", "/recommend", head, '{"user_id": "u' .. math.random(99999) .. '"}') end
        done = function(s, l, r)
          io.write(string.format("WRK %f %f %d %f %f\\n", s.requests / s.duration * 1e6, s.errors.status + s.errors.read,
            s.errors.timeout, l:percentile(50) / 1e3, l:percentile(99) / 1e3))
        end"""
    )
    url = "http://127.0.0.1:8477"
    serve = [str(world.MLCTL), "serve", "shop", "--port", "8477"]
    with running(serve, folder, f"{url}/v2/health/ready"):
        asked = urllib.request.Request(f"{url}/recommend", json.dumps({"user_id": "u5"}).encode())
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["by"] == "index"
        found = []
        for _ in range(4):
            words = ["taskset", "-c", "1", "wrk", "-t1", "-c8", "-d6s", "-s", str(script), url]
            said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            told = [float(word) for word in re.findall(r"WRK (.*)", said)[0].split()]
            print("{0:,.0f} requests a second, p50 {3:.1f} ms, p99 {4:.1f} ms".format(*told))
            assert told[1:3] == [0, 0]
            found.append(told[4])

    # the first run warms up
    assert sorted(found[1:])[1] < MOST_P99_MS
