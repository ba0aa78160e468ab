"""The oddities that CSV files of this world have: each is read right or refused, never silently wrong."""

import csv
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from mlctl.errors import DataError, IntegrityError
from mlctl.sources import csv as csv_source
from mlctl.sources._csv_records import _plainly, _strictly, read_records
from mlctl.sources._csv_shape import shape_of
from mlctl.sources._files import FileOptions, pieces_of, unchanged
from tests.sources import ALL, read, read_csv

TITLES = ',,\r\nBeneficiaries of the year,,\r\nState,Code,TOTAL\r\nALABAMA,01,"19,582"\r\nOHIO,02,5\r\n'

READ: dict[str, tuple[str | bytes, dict[str, Any], dict[str, list[Any]]]] = {
    "lines of titles before the header": (TITLES, {"skip": 2, "thousands": ","}, {"State": ["ALABAMA", "OHIO"], "Code": ["01", "02"], "TOTAL": [19582, 5]}),
    "an empty cell in the header, named": ("a,b,,\n1,,,\n,2,,x\n", {"header": True, "names": ["a", "b", "c", "d"]}, {"a": [1, None], "b": [None, 2], "c": [None, None], "d": [None, "x"]}),
    "empty lines before the header": ("\n\n\na,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "no header": ("1,2,3\n4,5,6\n", {"header": False, "names": ["x", "y", "z"]}, {"x": [1, 4], "y": [2, 5], "z": [3, 6]}),
    "no header, and a line end inside": ('1,"2\n3"\r4,5\r', {"header": False, "names": ["x", "y"]}, {"x": [1, 4], "y": ["2\n3", "5"]}),
    "values that mean missing": (",NA,N/A,NONE,NULL,.\n", {"header": False, "names": list("abcdef"), "missing": ["", "NA", "N/A", "NONE", "NULL", "."]}, {name: [None] for name in "abcdef"}),
    "missing in a column of numbers": ("a,b\n1, NA \n2,3\n", {"missing": ["NA"]}, {"a": [1, 2], "b": [None, 3]}),
    "a blank that means a blank": ('a,b\n1,""\n2,x\n', {"missing": ["NA"]}, {"a": [1, 2], "b": ["", "x"]}),
    "quotes around some values": ('a,b,c\n"1","2","3"\n', {}, {"a": [1], "b": [2], "c": [3]}),
    "quotes that are plain characters": ('a,b\n5" pipe,"x\n', {"quote": None}, {"a": ['5" pipe'], "b": ['"x']}),
    "another quote": ("a,b\n'1,5',\"x\"\n", {"quote": "'"}, {"a": ["1,5"], "b": ['"x"']}),
    "a quote inside a value": ('a,b\n5" pipe,x\n', {}, {"a": ['5" pipe'], "b": ["x"]}),
    "Mac line ends": ('a,b,c\r1,2,3\r"Once upon\ra time",5,6\r', {}, {"a": ["1", "Once upon\ra time"], "b": [2, 5], "c": [3, 6]}),
    "Latin-1": ("a,b\n1,©\n".encode("latin-1"), {"encoding": "latin-1"}, {"a": [1], "b": ["©"]}),
    "UTF-16, big end first": ("\ufeffa,b\n1,ʤ\n".encode("utf-16-be"), {"encoding": "utf-16"}, {"a": [1], "b": ["ʤ"]}),
    "UTF-16, little end first": ("\ufeffa,b\n1,ʤ\n".encode("utf-16-le"), {"encoding": "utf-16"}, {"a": [1], "b": ["ʤ"]}),
    "decimal comma and points between thousands": ('a,b,c\n"1,7","200.000.000",\n"-0,5","1.000",\n', {"decimal": ",", "thousands": "."}, {"a": [1.7, -0.5], "b": [200_000_000, 1000], "c": [None, None]}),
    "a number of another country": ("a;b\n1.5;1.234,5\n2;7\n", {"decimal": ",", "thousands": ".", "delimiter": ";"}, {"a": ["1.5", "2"], "b": [1234.5, 7.0]}),
    "a point where the comma is decimal": ("a;b\n1.5;1\n", {"decimal": ",", "delimiter": ";"}, {"a": ["1.5"], "b": [1]}),
    "a Swiss number": ("a\n1'234.5\n12'34\n", {"thousands": "'"}, {"a": ["1'234.5", "12'34"]}),
    "leading zeros": ("a,b,c\n01,00.11,0.1\n", {}, {"a": ["01"], "b": ["00.11"], "c": [0.1]}),
    "days as text": ("a\n02/01/2014\n31/12/2012\n", {"types": {"a": "time"}, "time_format": "%d/%m/%Y", "time_zone": "UTC"}, {"a": [datetime(2014, 1, 2, tzinfo=UTC), datetime(2012, 12, 31, tzinfo=UTC)]}),
    "days as integers": ("a\n20140102\n20121231\n", {"time": "a", "time_format": "%Y%m%d", "time_zone": "UTC"}, {"a": [datetime(2014, 1, 2, tzinfo=UTC), datetime(2012, 12, 31, tzinfo=UTC)]}),
    "a line end inside a name": ('"\t\n start \t\n end ",b\nd,e\n', {}, {"start end": ["d"], "b": ["e"]}),
    "years beside a name": ("id,2024,2025\n1,2,3\n", {}, {"id": [1], "2024": [2], "2025": [3]}),
}  # fmt: skip

REFUSED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "a row too long": ('a,b,c\n1,27,,"I\'m too long!"\n', {}, "line 2 has 4 values, the header has 3"),
    "a row too short": ("a,b,c\n1,2,3\n,short\n", {}, "line 3 has 2 values, the header has 3"),
    "a row too short behind titles": ("title\n\na,b,c\n1,2,3\n,short\n", {"skip": 2}, "line 5 has 2 values"),
    "more names than values": ("a,b,c,d\n1,2,3\n", {}, "line 2 has 3 values, the header has 4"),
    "nothing but a line end": ("\n", {}, "it has no header"),
    "titles alone": ("title\n", {"skip": 2}, "it has no line after the 2 that `skip` passes over"),
    "an empty cell in the header": ("a,b,\n1,2,\n", {}, "column 3 of the header has no name; set names"),
    "numbers where names should be": ("1,2,3\n4,5,6\n", {}, "its first record is 1, 2, 3, which are no names; set names"),
    "a day and an amount where names should be": ("2025-01-01,1.5\n2025-01-02,2\n", {}, "which are no names"),
    "too few names": ("a,b\n1,2\n", {"header": True, "names": ["a"]}, "its first record has 2 values, and names are 1"),
    "a NUL character": ("a,b\n\0,2\n", {}, "it holds a NUL character at position 4"),
    "Latin-1 as UTF-8": ("a\n©\n".encode("latin-1"), {}, "byte 0xa9 at position 2 is not utf-8"),
    "UTF-16 as UTF-8": ("a\n1\n".encode("utf-16"), {}, "byte 0xff at position 0 is not utf-8"),
    "a number of another country, declared": ("a;b\n1;1.5\n", {"decimal": ",", "delimiter": ";", "types": {"b": "number"}}, "column b: 1 values are no number, such as '1.5' on line 2 of orders.csv"),
}  # fmt: skip


@pytest.mark.parametrize("oddity", READ)
def test_an_oddity_is_read_as_it_is_meant(oddity: str, tmp_path: Path) -> None:
    data, options, expected = READ[oddity]
    assert read_csv(tmp_path, data, **options).to_dict(as_series=False) == expected


@pytest.mark.parametrize("oddity", REFUSED)
def test_what_is_no_table_is_refused_with_its_place(oddity: str, tmp_path: Path) -> None:
    data, options, why = REFUSED[oddity]
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, data, **options)
    assert why in caught.value.why


@pytest.mark.parametrize(
    "options",
    [
        {"header": False},
        {"names": ["a", "b"]},
        {"header": True, "names": ["a", "a"]},
        {"header": False, "names": ["a", " "]},
        {"quote": ","},
        {"decimal": ",", "thousands": ","},
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        csv_source.Options(path="a.csv", **options)


# a folder of daily files


def test_columns_of_daily_files_have_the_type_that_all_their_values_have(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,n,x,code\n" + "1,1,1,1\n" * 500)
    (tmp_path / "2.csv").write_text("x,n,id,code\n2.5,2,2,07\n")
    (tmp_path / "3.csv").write_text("id,n,x,code\n3,none,1e3,8\n")

    table = read("csv", path=str(tmp_path))

    assert dict(zip(table.columns, map(str, table.dtypes), strict=True)) == {
        "id": "Int64",
        "n": "String",
        "x": "Float64",
        "code": "String",
    }
    assert table.rows()[499:] == [(1, "1", 1.0, "1"), (2, "2", 2.5, "07"), (3, "none", 1000.0, "8")]
    assert read("csv", path=str(tmp_path), missing=["", "none"])["n"].to_list() == [1] * 500 + [2, None]


def test_a_column_that_older_files_lack_is_refused_until_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id\n1\n")
    (tmp_path / "2.csv").write_text("id,coupon\n2,X\n")
    (tmp_path / "3.csv").write_text("coupon\nY\n")
    with pytest.raises(DataError, match=r"2\.csv\nwhy: its columns are not those of 1\.csv: coupon"):
        read("csv", path=str(tmp_path))
    assert read("csv", path=str(tmp_path), absent="missing").rows() == [(1, None), (2, "X"), (None, "Y")]


def test_a_wrong_time_in_a_folder_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,at\n1,2025-01-01\n")
    (tmp_path / "2.csv").write_text("id,at\n2,2025-01-01\n3,soon\n")
    with pytest.raises(DataError, match=r"1 values are not of the form ISO 8601, such as 'soon' on line 3 of 2\.csv"):
        read("csv", path=str(tmp_path), time="at", time_zone="UTC")


def test_lines_are_counted_from_the_first_of_the_file_by_either_reader(tmp_path: Path) -> None:
    text = "a title\n\na,b\n1,1\n2,x\n"
    with pytest.raises(DataError, match=r"such as 'x' on line 5 of orders\.csv"):
        read_csv(tmp_path, text, skip=2, types={"b": "integer"})
    with pytest.raises(DataError, match=r"such as 'x' on line 6 of orders\.csv"):
        read_csv(tmp_path, text.replace("\n2", "\n\n2"), skip=2, types={"b": "integer"})


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "1.csv"
    path.write_text("a\n1\n")
    with (
        pytest.raises(IntegrityError, match=r"'orders' changed while it was read(.|\n)*1\.csv"),
        unchanged(FileOptions(kind="csv", name="orders", path=str(path)), ".csv"),
    ):
        path.write_text("a\n1\n2\n")
    with (
        pytest.raises(IntegrityError, match=r"2\.csv"),
        unchanged(FileOptions(kind="csv", name="orders", path=str(tmp_path)), ".csv"),
    ):
        (tmp_path / "2.csv").write_text("a\n3\n")
    with pytest.raises(IntegrityError), unchanged(FileOptions(kind="csv", name="orders", path=str(path)), ".csv"):
        (tmp_path / "2.csv").replace(path)


# two readers


@pytest.mark.parametrize("seed", range(40))
def test_the_fast_reader_gives_the_records_of_the_strict_one_or_leaves_the_file_to_it(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    pieces = ["a", "007", "1.5", " ", ",", '"', '""', "\n", "\r\n", "é", "\u2028", "#", "\\", "'", ";", ""]
    end, quoting = chance.choice(["\n", "\r\n"]), chance.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
    path = tmp_path / "orders.csv"
    width = chance.randint(2, 5)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=quoting, lineterminator=end)
        writer.writerow([f"c{i}" for i in range(width)])
        for _ in range(chance.choice([0, 1, 3, 2000])):
            writer.writerow(["".join(chance.choices(pieces, k=chance.randint(0, 4))) for _ in range(width)])
    if chance.random() < 0.3:
        path.write_bytes(path.read_bytes().removesuffix(end.encode()))
    options = csv_source.Options(name="orders", path=str(path))
    body = path.read_bytes().decode()
    (piece,) = pieces_of(options, ".csv")

    shape = shape_of(body.encode(), ",", '"')
    strict = _strictly(options, piece, body)

    assert shape is not None
    fast = _plainly(options, piece, body.encode(), shape)
    assert fast is not None
    assert fast.texts.rows() == strict.texts.rows()
    assert list(fast.lines) == list(strict.lines)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_come_out_alike_whoever_reads_them(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    text = "".join(
        chance.choices(["a", "b", "1", ",", '"', "\n", "\r\n", "\r", " "], [4, 4, 4, 6, 2, 4, 1, 0.3, 1], k=60)
    )
    path = tmp_path / "orders.csv"
    path.write_text("x,y\n" + text, newline="")
    options = csv_source.Options(name="orders", path=str(path))

    def outcome(strict: bool) -> Any:
        try:
            (piece,) = pieces_of(options, ".csv")
            found = _strictly(options, piece, path.read_bytes().decode()) if strict else read_records(options, piece)
        except DataError as error:
            return error.why
        return found.texts.with_columns(pl.all().replace({"": None, " ": None, "  ": None})).rows(), list(found.lines)

    assert outcome(strict=False) == outcome(strict=True)


def test_every_record_is_told_as_counted(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("n\n1\n2\n")
    taken = csv_source.take(csv_source.Options(name="orders", path=str(tmp_path)), ALL)
    assert taken.told == "4 records counted in 2 files"
