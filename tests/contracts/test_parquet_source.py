"""Parquet: types as they are, damaged files refused."""

import random
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl.errors import DataError
from mlctl.sources import parquet
from tests.sources import ALL, orders, read, written


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


def folder_of(folder: Path, *columns: pl.Series) -> pl.Series:
    """The column `n` of a folder whose files hold these columns."""
    for number, column in enumerate(columns):
        pl.DataFrame({"n": column}).write_parquet(folder / f"{number}.parquet")
    return read("parquet", path=str(folder))["n"]


@pytest.mark.parametrize(
    ("one", "other", "wider"),
    [
        (pl.Series([1], dtype=pl.Int32), pl.Series([2**40]), pl.Int64()),
        (pl.Series([1], dtype=pl.UInt8), pl.Series([-1], dtype=pl.Int16), pl.Int64()),
        (pl.Series([2**53]), pl.Series([0.5]), pl.Float64()),
        (pl.Series([0.5], dtype=pl.Float32), pl.Series([0.1]), pl.Float64()),
        (pl.Series([None]), pl.Series(["x"]), pl.String()),
        (pl.Series(["x"], dtype=pl.Categorical), pl.Series(["y"]), pl.String()),
        (
            pl.Series([datetime(2025, 1, 1)], dtype=pl.Datetime("ms")),
            pl.Series([datetime(2025, 1, 1, 1)], dtype=pl.Datetime("ns")),
            pl.Datetime("ns"),
        ),
    ],
)
def test_types_that_lose_nothing_become_the_wider(
    one: pl.Series, other: pl.Series, wider: pl.DataType, tmp_path: Path
) -> None:
    found = folder_of(tmp_path, one, other)
    assert found.dtype == wider
    assert found.to_list() == [*one.to_list(), *other.to_list()]


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (pl.Series([date(2025, 1, 1)]), pl.Series([datetime(2025, 1, 1)]), "column n is Datetime"),
        (pl.Series([1]), pl.Series(["1"]), "column n is String here and Int64 in 0.parquet"),
        (pl.Series([True]), pl.Series([1]), "column n is Int64 here and Boolean in 0.parquet"),
        (pl.Series([2**53 + 1]), pl.Series([0.5]), "column n is Float64 in other files, and 9007199254740993 would"),
        (
            pl.Series([2**63], dtype=pl.UInt64),
            pl.Series([-1]),
            "column n is Int64 in other files, and 9223372036854775808",
        ),
    ],
)
def test_types_that_would_change_a_value_are_refused(
    one: pl.Series, other: pl.Series, why: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        folder_of(tmp_path, one, other)
    assert why in caught.value.why


def test_the_rows_that_the_footers_count_are_told(tmp_path: Path) -> None:
    folder_of(tmp_path, pl.Series([1]), pl.Series([2, 3]))
    assert parquet.take(parquet.Options(name="orders", path=str(tmp_path)), ALL).told == "3 rows counted in 2 files"
