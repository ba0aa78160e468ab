"""What was scored is watched: quiet while days are like training's, loud and in words on the day that they are not."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl.sketches import shelf
from mlctl.workspace import Places
from tests import served, world

DAY = date(2026, 11, 1)


def plant(workspace: Path, monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Lets the day after the last batch be scored with one feature in another unit."""
    monkeypatch.chdir(workspace)
    places = Places("shop")
    known = shelf.sealed(places.release / "baseline.json")
    assert known is not None
    rows = served.rows_of(workspace).with_columns(pl.col("spend") * times)
    outputs = {"score": pl.lit(0.5), "decision": pl.lit("no"), "reason": pl.lit("model"), "variant": pl.lit("champion")}
    told = {
        "day": DAY,
        "origin": "batch",
        "name": "planted",
        "release": "r",
        "scored_at": datetime(2026, 11, 2, tzinfo=UTC),
    }
    shelf.keep(places, known, known.sheet(rows.with_columns(**outputs)), told)


def test_the_last_batch_is_quiet_and_says_what_was_watched(workspace: Path) -> None:
    done = world.mlctl(workspace, "monitor", "shop", "--json")
    record = json.loads(done.stdout)
    (day,) = record["days"]

    assert done.returncode == 0, done.stderr
    assert (record["format_version"], day["day"], day["rows"]) == ("1.0", "2026-10-31", 600)
    assert day["monitors"]["inputs"] == {"kind": "three_sigma", "verdict": "ok", "runbook": "", "findings": []}
    (mean,) = [s for s in record["series"] if (s["monitor"], s["what"], s["where"]) == ("inputs", "mean", "spend")]
    (point,) = mean["points"]
    assert point["low"] <= point["value"] <= point["high"]
    assert json.loads((workspace / ".mlctl/shop/watched/2026-10-31.json").read_text())["verdict"] == day["verdict"]


def test_another_unit_is_found_on_its_day_with_what_coincides(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(workspace, monkeypatch, 100.0)
    done = world.mlctl(workspace, "monitor", "shop", "--dry-run")

    assert done.returncode == 9
    assert "2026-11-01  416 rows scored by r" in done.stdout
    assert "ALARM  inputs.spend." in done.stdout
    assert "why: release r scores since this day" in done.stdout or "; release r scores since this day" in done.stdout


def test_a_damaged_sketch_is_refused_by_its_name(workspace: Path) -> None:
    (sketch,) = (workspace / ".mlctl/shop/sketches").glob("*.batch.*.json")
    sketch.write_bytes(sketch.read_bytes()[:100])
    done = world.mlctl(workspace, "monitor", "shop")

    assert done.returncode == 6
    assert sketch.name in done.stderr


def test_rows_that_a_killed_server_answered_count_once_and_leave_no_raw_values_behind(workspace: Path) -> None:
    rows = served.rows_of(workspace).to_dicts()
    with served.serve(workspace) as server:
        for row in rows[:40]:
            server.post("/predict", row)
        living = json.loads(world.mlctl(workspace, "monitor", "shop", "--json", "--dry-run").stdout)
        os.kill(server.process.pid, signal.SIGKILL)
    dead = [json.loads(world.mlctl(workspace, "monitor", "shop", "--json", "--dry-run").stdout) for _ in range(2)]

    assert [record["days"][0]["rows"] for record in (living, *dead)] == [40, 40, 40]
    assert list((workspace / ".mlctl/shop/predictions/inputs").iterdir()) == []
