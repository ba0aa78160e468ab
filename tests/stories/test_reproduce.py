"""A release is built again from its lineage, byte by byte; what differs is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests import world


def test_a_release_is_built_again_with_the_same_bytes_and_nothing_is_left_behind(workspace: Path) -> None:
    done = world.mlctl(workspace, "reproduce", "shop", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert told["first"] is None
    assert told["release"] == told["again"]
    assert told["same"] > 20
    assert world.git(workspace, "status", "--porcelain") == ""
    assert len(world.git(workspace, "worktree", "list").splitlines()) == 1
    assert not (workspace / ".mlctl/reproduce/shop").exists()


def test_the_data_comes_from_the_cache_when_the_snapshot_was_taken_anew(workspace: Path) -> None:
    release = workspace / "old"
    shutil.copytree(workspace / ".mlctl/shop/release", release)
    assert world.mlctl(workspace, "ingest", "shop", "--as-of", "2026-11-15").returncode == 0

    done = world.mlctl(workspace, "reproduce", "shop", "--release", "old", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["first"] is None


def test_the_first_file_that_differs_is_named_with_what_differs_in_it(workspace: Path) -> None:
    # a release sealed by hand-made features: its lineage says what everybody can build, and it is not that
    import polars as pl

    path = workspace / ".mlctl/shop/features/test.parquet"
    table = pl.read_parquet(path)
    table.with_columns(pl.col("orders_30d") + 1).write_parquet(path, compression="zstd")
    report = workspace / ".mlctl/shop/features/report.json"
    from mlctl.files import canonical_json, sha256_of_file

    told = json.loads(report.read_text())
    told["test"]["sha256"] = told["frozen"] = sha256_of_file(path)
    report.write_text(canonical_json(told))
    for stage in ("freeze", "train", "evaluate", "gate", "package"):
        assert world.mlctl(workspace, stage, "shop").returncode == 0, stage
    world.commit(workspace, "forged")

    done = world.mlctl(workspace, "reproduce", "shop", "--json")

    assert done.returncode == 6
    found = json.loads(done.stdout)
    assert found["first"] == "features/report.json"
    assert "frozen" in found["why"]


def test_what_was_sealed_with_changes_that_are_nowhere_is_refused(workspace: Path) -> None:
    world.replace(workspace / "projects/shop/project.yaml", "min: 0.7", "min: 0.6")
    world.replace(workspace / "projects/shop/project.yaml", "trees: 30", "trees: 31")
    assert world.mlctl(workspace, "run", "shop").returncode == 0

    done = world.mlctl(workspace, "reproduce", "shop")

    assert done.returncode == 6
    assert "changes that commit" in done.stderr
