"""The features of everybody at past moments: only what is missing, resumable, told beforehand."""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import pytest

from tests import world

ASK = ("shop", "--start", "2026-01-05", "--end", "2026-08-03")
SMALL = ("engine.partition_rows=400", "engine.threads=3")


def files(workspace: Path) -> dict[str, bytes]:
    folder = workspace / ".mlctl/shop/history"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(workspace: Path, *words: str) -> dict[str, object]:
    done = world.mlctl(workspace, *words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_plan_says_what_a_backfill_then_does_and_nothing_is_missing_until_the_data_change(workspace: Path) -> None:
    planned = told(workspace, "plan", *ASK)
    assert not (workspace / ".mlctl/shop/history").exists()

    done = told(workspace, "backfill", *ASK)

    assert done["rows"] == planned["rows"] > 1000
    assert planned["moments"] == 30
    before = files(workspace)
    assert told(workspace, "plan", *ASK)["missing"] == []
    assert told(workspace, "backfill", *ASK)["rows"] == 0
    assert files(workspace) == before

    path = workspace / ".mlctl/shop/checked/orders.parquet"
    orders = pl.read_parquet(path)
    orders.head(orders.height - 1).write_parquet(path)
    assert told(workspace, "plan", *ASK)["missing"], "other data begin another history"


def test_a_new_window_is_all_that_is_computed_and_has_the_values_of_a_history_made_at_once(
    workspace: Path, tmp_path: Path
) -> None:
    told(workspace, "backfill", *ASK)
    tiles = {path: path.stat().st_mtime_ns for path in (workspace / ".mlctl/shop/tiles").rglob("*.ipc")}
    world.replace(workspace / "projects/shop/project.yaml", "windows: [90d]", "windows: [60d, 90d]")

    planned = told(workspace, "plan", *ASK)
    new = {name for block in planned["missing"] for name in block["columns"]}  # type: ignore[attr-defined]
    done = told(workspace, "backfill", *ASK, "--out", "grown.parquet")

    assert new
    assert set(done["columns"]) == new  # type: ignore[arg-type]
    assert all("60d" in name or "90d" in name for name in new)
    assert {path: path.stat().st_mtime_ns for path in tiles} == tiles
    other = world.copy_workspace(workspace, tmp_path / "other")
    world.mlctl(other, "db", "stop")
    for path in sorted((other / ".mlctl/shop/history").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    told(other, "backfill", *ASK, "--out", "whole.parquet")
    assert pl.read_parquet(workspace / "grown.parquet").equals(
        pl.read_parquet(other / "whole.parquet"), null_equal=True
    )


def test_later_moments_are_added_to_the_ones_that_are_there(workspace: Path) -> None:
    first = told(workspace, "backfill", "shop", "--start", "2026-01-05", "--end", "2026-06-01")

    planned = told(workspace, "plan", *ASK)

    assert first["rows"]
    assert [block["count"] for block in planned["missing"]] == [9]  # type: ignore[attr-defined]
    told(workspace, "backfill", *ASK, "--out", "all.parquet")
    rows = pl.read_parquet(workspace / "all.parquet")
    assert rows["as_of"].n_unique() == 30
    assert not rows.select(pl.nth(0, 1)).is_duplicated().any()


def test_a_killed_backfill_loses_less_than_a_partition_goes_on_and_ends_in_the_same_bytes(
    workspace: Path, tmp_path: Path
) -> None:
    other = world.copy_workspace(workspace, tmp_path / "other")
    whole = told(other, "backfill", *ASK, *SMALL)
    begun = int(str(whole["buckets"])) // int(str(whole["partitions"]))
    run = world.begin(workspace, "backfill", *ASK, *SMALL)
    parts = workspace / ".mlctl/shop/history"
    for _ in range(30_000):
        if len(list(parts.glob("bucket-*/[0-9a-f]*.parquet"))) >= 3:
            break
        time.sleep(0.001)
    run.kill()
    run.wait()
    left = {int(path.parent.name[-4:]) for path in parts.glob("bucket-*/[0-9a-f]*.parquet")}
    assert 3 <= len(left) < int(str(whole["buckets"]))
    # they are begun in their order: what is not there and lies before the last that is there was in work beside it
    assert len(set(range(max(left))) - left) < begun, "more was lost than the buckets of one partition"

    resumed = told(workspace, "backfill", *ASK, *SMALL)

    assert begun == 3
    assert resumed["resumed"] == len(left)
    assert files(workspace) == files(other)


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("shop", "--start", "2026-01-05", "--end", "2026-01-05"), 2, "no moment lies in"),
        (("shop", "--start", "2026-01-05", "--end", "2099-01-01"), 3, "lies after the snapshot"),
        ((*ASK, "--feature", "spent"), 2, "did you mean 'spend"),
        ((*ASK, "--every", "weekly"), 2, "weekly"),
        (("shop", "--start", "yesterday", "--end", "2026-01-05"), 2, "is not a moment"),
    ],
)
def test_what_cannot_be_computed_is_told_and_nothing_is_begun(
    workspace: Path, words: tuple[str, ...], code: int, what: str
) -> None:
    done = world.mlctl(workspace, "backfill", *words)

    assert done.returncode == code, done.stderr
    assert what in done.stderr
    assert not (workspace / ".mlctl/shop/history").exists()
