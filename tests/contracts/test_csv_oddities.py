"""CSV files as they are found: each is read right by saying how it is written, or refused, and never silently wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlctl import kinds
from mlctl.errors import DataError
from mlctl.sources import Window

ALL = Window(None, datetime(2100, 1, 1, tzinfo=UTC))


def read(path: Path, **options: Any) -> pl.DataFrame:
    module = kinds.load("sources", "csv")
    table: pl.DataFrame = module.scan(module.Options(kind="csv", name="odd", path=str(path), **options), ALL).collect()
    return table


@pytest.mark.parametrize(
    ("data", "options", "rows"),
    [
        ("a,b\r1,2\r3,4\r", {}, [(1, 2), (3, 4)]),
        ("a,b\r\n1,2\r\n", {}, [(1, 2)]),
        ("﻿a,b\n1,ʤ\n", {}, [(1, "ʤ")]),
        ("a,b\n007,01\n8,0.5\n", {}, [("007", "01"), ("8", "0.5")]),
        ('a,b\n"x\ny","say ""no"""\n', {}, [("x\ny", 'say "no"')]),
        ("a;b\n1,7;200.000.000\n", {"delimiter": ";", "decimal": ",", "thousands": "."}, [(1.7, 200000000)]),
        ("a;b\n1,7;1.5\n", {"delimiter": ";", "decimal": ","}, [(1.7, "1.5")]),
        ("a,b\n'1,5',2\n", {"quote": "'"}, [("1,5", 2)]),
        ('a|b\n5" pipe|2\n', {"delimiter": "|", "quote": ""}, [('5" pipe', 2)]),
        ("1,2\n3,4\n", {"names": ["a", "b"]}, [(1, 2), (3, 4)]),
        ("A title,\n\na,b\n1,2\n", {"skip": 2}, [(1, 2)]),
        ("State,,\nx,1,2\n", {"skip": 1, "names": ["state", "n", "m"]}, [("x", 1, 2)]),
        ("a,b\n1,N/A\n2,-\n3,4\n", {"missing": ["N/A", "-"]}, [(1, None), (2, None), (3, 4)]),
        ("a\n1.234567\n", {}, [(1.234567,)]),
    ],
)
def test_said_how_it_is_written_it_is_read_right(
    data: str, options: dict[str, Any], rows: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(data.encode())

    assert read(path, **options).rows() == rows


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_refused_until_it_is_said(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    mark = "" if encoding == "latin-1" else "\ufeff"
    path.write_bytes(f"{mark}a,b\n1,©\n".encode(encoding))

    with pytest.raises(DataError, match="set encoding"):
        read(path)
    assert read(path, encoding=encoding.removesuffix("-le").removesuffix("-be")).rows() == [(1, "©")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("1,2,3\n4,5,6\n", "it looks like data; give names"),
        ("a,,c\n1,2,3\n", "column 2 of the header has no name; skip the line and give names"),
        ("a,b\n1,2,3\n", "line 2 has 3 values, the header has 2"),
        ("a,b,c\n1,2\n", "line 2 has 2 values, the header has 3"),
        ("a,b,c\n1,2,3\n\n4,5\n", "line 4 has 2 values"),
        ("a,b\n1,\x002\n", "NUL character"),
        ("\n", "it has no header"),
        ("a,a\n1,2\n", "twice"),
        ('a,b\n1,"2\n', "the record that begins on line 2"),
    ],
)
def test_what_is_not_certain_is_refused(data: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(data.encode())

    with pytest.raises(DataError) as told:
        read(path)

    assert why in str(told.value)


def test_daily_files_whose_types_differ_get_the_type_that_all_their_values_have(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.csv").write_text("id,n,code\n1,1,7\n")
    (tmp_path / "2026-01-02.csv").write_text("n,id,code\n1.5,2,008\n")
    (tmp_path / "2026-01-03.csv").write_text("id,n,code\n3,,9\n")

    found = read(tmp_path)

    assert found.rows() == [(1, 1.0, "7"), (2, 1.5, "008"), (3, None, "9")]
    assert found.dtypes == [pl.Int64, pl.Float64, pl.String]
