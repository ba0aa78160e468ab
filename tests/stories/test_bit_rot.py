"""A bit of DVC's cache is lost: DVC gives the rotten file back, and mlctl does not use it."""

from __future__ import annotations

from pathlib import Path

from tests import world


def rotten(folder: Path, name: str) -> Path:
    """Flips a bit of the cache's copy of a table, as a disk does: nothing else changes, and DVC is not told."""
    table = folder / ".mlctl/shop" / name
    data = table.read_bytes()
    for path in (folder / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            path.chmod(0o644)
            path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
            path.chmod(0o444)
            return path.relative_to(folder)
    raise AssertionError(f"{name} is not in the cache")


def test_a_rotten_table_of_the_cache_is_refused_and_the_way_out_works(workspace: Path) -> None:
    good = (workspace / ".mlctl/shop/features/train.parquet").read_bytes()
    rot = rotten(workspace, "features/train.parquet")
    (workspace / ".mlctl/shop/features/train.parquet").unlink()

    done = world.mlctl(workspace, "run", "shop")

    assert done.returncode == 6, done.stderr
    assert ".mlctl/shop/features/train.parquet is not what was recorded" in done.stderr
    way_out = f"rm -f .mlctl/shop/features/train.parquet {rot}; then mlctl run projects/shop"
    assert way_out in " ".join(done.stderr.split())
    (workspace / ".mlctl/shop/features/train.parquet").unlink()
    (workspace / rot).unlink()
    again = world.mlctl(workspace, "run", "shop")
    assert again.returncode == 0, again.stderr
    assert (workspace / ".mlctl/shop/features/train.parquet").read_bytes() == good
    assert world.git(workspace, "status", "--porcelain") == ""
