"""CSV that is a table and hardly the one that was meant: refused, where every other reader would say nothing."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlctl.errors import DataError
from tests.sources import read, read_csv

DOUBTFUL: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "semicolons": ("a;b\n1;2\n", {}, "its header is the one name 'a;b', which holds ';'; set delimiter"),
    "tabs": ("a\tb\n1\t2\n", {}, r"which holds '\t'; set delimiter"),
    "commas": ("a,b\n1,2\n", {"delimiter": ";"}, "the one name 'a,b', which holds ','"),
    "a spreadsheet's first line": ("sep=;\na;b\n1;2\n", {}, "the one name 'sep=;'"),
    "a header that is said to be none": ("x,y\n1,2\n", {"header": False, "names": ["x", "y"]}, "line 1 is the names, as a header is; set header: true"),
    "files put behind each other": ("id,n\n1,2\n id ,n\n3,4\n", {}, "line 3 is the header again"),
    "the same behind titles, by the strict reader": ("t\nid,n\n1,2\n\nid,n\n3,4\n", {"skip": 1}, "line 5 is the header again"),
    "a renamed header that comes again": ("a,b\n1,2\na,b\n", {"header": True, "names": ["x", "y"]}, "line 3 is the header again"),
    "a mark of UTF-8 inside": ("a,b\n1,2\n\ufeff3,4\n", {}, "line 3 begins with the mark of UTF-8"),
    "no header, and days": ("C1,2025-01-01,1.5\nC2,2025-01-02,2\n", {}, "its header holds 2025-01-01, as do the values below; set names"),
    "no header, and days of another country": ("C1,31.12.2025\nC2,1.1.2026\n", {}, "its header holds 31.12.2025"),
    "two kinds of line ends in one column": ("text\nwhat\rnow\n", {}, "some lines end in CR alone and others in LF"),
    "UTF-16 without its mark": ("a,b\n1,2\n".encode("utf-16-be"), {"encoding": "utf-16"}, "set encoding to utf-16-le or utf-16-be"),
    "UTF-32 without its mark": ("a,b\n1,2\n".encode("utf-32-le"), {"encoding": "UTF_32"}, "does not begin with the mark of UTF_32"),
}  # fmt: skip

CERTAIN: dict[str, tuple[str | bytes, dict[str, Any], list[tuple[Any, ...]]]] = {
    "one column whose name holds a comma": ('"size, in cm"\n5\n', {"header": True, "names": ["size"]}, [(5,)]),
    "a value like the name of its one column": ("word\nword\nof\n", {}, [("word",), ("of",)]),
    "a record that is half a header": ("id,n\nid,5\n", {}, [("id", 5)]),
    "days above amounts": ("id,2025-01-01\nx,7\n", {}, [("x", 7)]),
    "a day above nothing": ("id,2025-01-01\nx,\n", {}, [("x", None)]),
    "the mark of UTF-8 inside a value": ("a,b\nx\ufeffy,1\n", {}, [("x\ufeffy", 1)]),
    "line ends of both kinds inside quotes": ('a\r"x\ny"\r', {}, [("x\ny",)]),
    "line ends of both kinds, and two columns": ("a,b\r1,2\n3,4\r", {}, [(1, 2), (3, 4)]),
    "a name that looks like a packed file": ("x^2,y\n4,1\n", {}, [(4, 1)]),
    "a telephone number": ("a,b\n+491701234567,+5.5\n", {}, [("+491701234567", 5.5)]),
    "more digits than a number has": ("a,b\n1234567890123456.78,1.5\n", {}, [("1234567890123456.78", 1.5)]),
}  # fmt: skip


@pytest.mark.parametrize("doubt", DOUBTFUL)
def test_what_is_hardly_meant_is_refused(doubt: str, tmp_path: Path) -> None:
    data, options, why = DOUBTFUL[doubt]
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, data, **options)
    assert why in caught.value.why


@pytest.mark.parametrize("case", CERTAIN)
def test_what_only_looks_like_it_is_read(case: str, tmp_path: Path) -> None:
    data, options, rows = CERTAIN[case]
    assert read_csv(tmp_path, data, **options).rows() == rows


def test_names_for_headers_that_differ_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a, b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,b\n3,4\n")
    assert read("csv", path=str(tmp_path), header=True, names=["x", "y"]).rows() == [(1, 2), (3, 4)]
    for first in ("b,a", "5,6"):
        (tmp_path / "3.csv").write_text(f"{first}\n7,8\n")
        with pytest.raises(DataError, match=r"3\.csv\nwhy: its first record is .*, that of 1\.csv a, b; names cannot"):
            read("csv", path=str(tmp_path), header=True, names=["x", "y"])


def test_a_file_without_a_header_is_not_taken_for_new_columns(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,n\n1,2\n")
    (tmp_path / "2.csv").write_text("x7,3\nx8,4\n")
    with pytest.raises(DataError, match=r"2\.csv\nwhy: no other file has one of its columns: x7, 3"):
        read("csv", path=str(tmp_path), absent="missing")


# folders


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_of_a_folder_are_found_however_their_ending_is_written(kind: str, tmp_path: Path) -> None:
    for name, value in ((f"1.{kind.upper()}", 1), (f"2.{kind}", 2)):
        table = pl.DataFrame({"n": [value]})
        _write(table, kind, tmp_path / name)
    for name in (f".3.{kind}", f"4.{kind}.part", "README.md", "_temporary"):
        (tmp_path / name).mkdir() if name == "_temporary" else (tmp_path / name).write_text("x")
    _write(pl.DataFrame({"n": [5]}), kind, tmp_path / "_temporary" / f"5.{kind}")
    (tmp_path / "pictures").mkdir()
    assert read(kind, path=str(tmp_path))["n"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("2.csv.gz", "it is packed; unpack it"),
        ("2.CSV.zip", "it is packed; unpack it"),
        ("2025/2.csv", "it is a folder with .csv files"),
        ("2.csv/part-0.csv", "it is a folder with .csv files"),
    ],
)
def test_what_a_folder_would_leave_out_unseen_is_refused(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("n\n1\n")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("n\n2\n")
    with pytest.raises(DataError) as caught:
        read("csv", path=str(tmp_path))
    assert caught.value.why.startswith(why)
    assert str(tmp_path / name.split("/", maxsplit=1)[0]) in str(caught.value)


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("n\n1\n")
    (tmp_path / "2.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="a link that leads nowhere"):
        read("csv", path=str(tmp_path))


def _write(table: pl.DataFrame, kind: str, path: Path) -> None:
    table.write_csv(path) if kind == "csv" else table.write_parquet(path)
