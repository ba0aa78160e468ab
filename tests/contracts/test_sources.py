"""Every source kind: its rows in a half-open window, in a stable order, none lost; the traps of files and clocks."""

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl import kinds
from mlctl.errors import DataError
from mlctl.sources import Window
from tests.sources import END, orders, read, written, written_sqlite

PROGRAM = """
import json, sys
from datetime import UTC, datetime
from mlctl import kinds
from mlctl.sources import Window
from tests.sources import END, orders, read, written, written_sqlite
options = json.loads(sys.argv[1])
module = kinds.load("sources", options["kind"])
rows = module.scan(module.Options(**options), Window(None, datetime(2026, 1, 1, tzinfo=UTC))).collect()
sys.stdout.buffer.write(rows.write_json().encode())
"""
FILES = [kind for kind in kinds.names("sources") if "path" in kinds.load("sources", kind).Options.model_fields]


def options_of(kind: str, folder: Path) -> dict[str, Any]:
    """Options of that kind that give some rows before END."""
    texts = orders().with_columns(pl.col("ordered_at").dt.to_string("iso:strict"))
    if kind in FILES:
        return {"path": written(orders() if kind == "parquet" else texts, kind, folder), "time": "ordered_at"}
    if kind == "sql":
        return {"dsn": written_sqlite(texts, folder), "table": "orders", "time": "ordered_at"}
    example = dict(kinds.load("sources", kind).EXAMPLE)
    del example["kind"]
    return example | ({"customers": 60} if kind == "demo" else {})


# every kind


@pytest.mark.parametrize("kind", kinds.names("sources"))
def test_the_window_holds_its_start_and_not_its_end(kind: str, tmp_path: Path) -> None:
    options = options_of(kind, tmp_path)
    time = kinds.load("sources", kind).Options(kind=kind, **options).time_column()
    whole = read(kind, Window(None, END), **options)
    moment = whole[time].drop_nulls().sort()[whole.height // 2]

    before = read(kind, Window(None, moment), **options)
    after = read(kind, Window(moment, END), **options)

    assert whole.schema[time] == pl.Datetime("us", "UTC")
    assert before[time].max() < moment
    assert after[time].min() == moment
    assert_frame_equal(pl.concat([before, after]).sort(whole.columns), whole.sort(whole.columns))


@pytest.mark.parametrize("kind", kinds.names("sources"))
def test_the_same_rows_come_in_the_same_order_whatever_the_machine(kind: str, tmp_path: Path) -> None:
    options = options_of(kind, tmp_path)
    machine = {**os.environ, "POLARS_MAX_THREADS": "1", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "3", "LC_ALL": "C"}
    command = [sys.executable, "-c", PROGRAM, json.dumps({"kind": kind, **options})]
    other = subprocess.run(command, env=machine, capture_output=True, encoding="utf-8", check=True)

    assert other.stdout == read(kind, Window(None, END), **options).write_json()


@pytest.mark.parametrize("kind", kinds.names("sources"))
def test_a_window_before_the_first_row_keeps_the_columns(kind: str, tmp_path: Path) -> None:
    options = options_of(kind, tmp_path)
    whole = read(kind, Window(None, END), **options)

    nothing = read(kind, Window(None, datetime(1960, 1, 1, tzinfo=UTC)), **options)

    assert nothing.height == 0
    assert nothing.columns == whole.columns


@pytest.mark.parametrize("table", ["customers", "orders", "items", "messages", "labels"])
def test_every_table_of_the_demo_company_splits_at_any_moment_without_a_loss(table: str) -> None:
    options = {"table": table, "customers": 60}
    middle = datetime(2025, 3, 1, 12, tzinfo=UTC)
    whole = read("demo", Window(None, END), **options)
    parts = [read("demo", window, **options) for window in (Window(None, middle), Window(middle, END))]
    assert_frame_equal(pl.concat(parts), whole)
    assert min(part.height for part in parts) > 0


# every kind of file


@pytest.mark.parametrize("kind", FILES)
def test_an_absent_path_and_an_empty_folder_are_told(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist(.|\n)*nowhere"):
        read(kind, path=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=rf"does not exist(.|\n)*\*\.{kind}"):
        read(kind, path=str(tmp_path))


@pytest.mark.parametrize("kind", FILES)
def test_bytes_of_another_kind_are_refused(kind: str, tmp_path: Path) -> None:
    parquet = Path(written(orders(), "parquet", tmp_path)).read_bytes()
    wrong = {
        "nothing": b"",
        "zip": b"PK\x03\x04" + bytes(30),
        "gzip": gzip.compress(b"a,b\n1,2\n"),
        "nul": b"a,b\n1,\x002\n",
    }
    wrong |= {"parquet": parquet} if kind != "parquet" else {"text": b"a,b\n1,2\n", "cut": parquet[:-20]}
    for name, data in wrong.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"'orders' is not readable as {kind}"):
            read(kind, path=str(path))


@pytest.mark.parametrize("kind", FILES)
def test_a_missing_time_column_is_told_with_the_nearest_name(kind: str, tmp_path: Path) -> None:
    path = written(orders().select("order_id", "amount"), kind, tmp_path)
    with pytest.raises(DataError, match=r"no column 'amuont'\nwhere: sources.orders.time\nwhy: did you mean 'amount'"):
        read(kind, path=path, time="amuont")


@pytest.mark.parametrize("kind", FILES)
def test_a_table_without_a_time_column_is_whole_in_any_window(kind: str, tmp_path: Path) -> None:
    path = written(orders().select("order_id", "amount"), kind, tmp_path)
    assert read(kind, Window(None, datetime(1960, 1, 1, tzinfo=UTC)), path=path).height == 50


@pytest.mark.parametrize("kind", FILES)
def test_rows_without_a_time_are_kept_in_every_window(kind: str, tmp_path: Path) -> None:
    texts = pl.DataFrame({"id": ["a", "b", "c"], "at": ["2025-01-01T00:00:00Z", None, "2025-06-01T00:00:00Z"]})
    path = written(texts, kind, tmp_path)
    half = Window(datetime(2025, 3, 1, tzinfo=UTC), END)
    assert read(kind, half, path=path, time="at")["id"].to_list() == ["b", "c"]
    never = written(texts.with_columns(at=pl.lit(None, dtype=pl.String)), kind, tmp_path)
    assert read(kind, half, path=never, time="at").schema["at"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_is_read_by_name_with_the_columns_of_its_first_file(kind: str, tmp_path: Path) -> None:
    for name, table in {
        f"2.{kind}": pl.DataFrame({"n": [3], "id": ["c"]}),
        f"1.{kind}": pl.DataFrame({"id": ["a", "b"], "n": [1, 2]}),
        f".hidden.{kind}": pl.DataFrame({"other": [1]}),
        "notes.txt": pl.DataFrame({"other": [1]}),
    }.items():
        Path(written(table, kind, tmp_path)).rename(tmp_path / name)
    assert read(kind, path=str(tmp_path)).rows() == [("a", 1), ("b", 2), ("c", 3)]

    Path(written(pl.DataFrame({"id": ["d"], "m": [4]}), kind, tmp_path)).rename(tmp_path / f"3.{kind}")
    with pytest.raises(DataError, match=rf"3\.{kind}\nwhy: its columns are not those of 1\.{kind}: m, n"):
        read(kind, path=str(tmp_path))
