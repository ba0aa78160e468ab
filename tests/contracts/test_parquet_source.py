"""Parquet: types as they are, damaged files refused."""

import random
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl.errors import DataError
from tests.sources import orders, read, written


def test_parquet_keeps_types_and_gives_categories_as_text(tmp_path: Path) -> None:
    table = orders().with_columns(
        pl.col("order_id").cast(pl.Categorical).alias("category"),
        pl.lit("a").cast(pl.Enum(["a", "b"])).alias("level"),
        pl.lit(date(2025, 1, 1)).alias("day"),
    )
    found = read("parquet", path=written(table, "parquet", tmp_path), time="ordered_at")
    assert_frame_equal(found, table.with_columns(pl.col("category", "level").cast(pl.String)))


def test_parquet_in_a_folder_named_like_a_partition_gets_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "day=1"
    folder.mkdir()
    assert read("parquet", path=written(orders(), "parquet", folder)).columns == orders().columns


def test_parquet_with_other_types_in_one_file_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"n": ["x"]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"2\.parquet\nwhy: column n is String here and Int64 in 1\.parquet"):
        read("parquet", path=str(tmp_path))


def test_parquet_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    data = Path(written(orders(), "parquet", tmp_path)).read_bytes()
    path = tmp_path / "cut"
    for length in range(1, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match="not readable as parquet"):
            read("parquet", path=str(path))


def test_parquet_with_a_damaged_footer_loses_no_row_and_is_never_a_crash(tmp_path: Path) -> None:
    data = Path(written(orders(), "parquet", tmp_path)).read_bytes()
    chance, path, refused = random.Random(3), tmp_path / "damaged", 0
    for _ in range(150):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data) - 400, len(data))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            assert read("parquet", path=str(path)).height == 50
        except DataError:
            refused += 1
    assert refused > 20
