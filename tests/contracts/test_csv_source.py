"""CSV: every value of every record, or a refusal with the line."""

import csv
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlctl.errors import DataError
from tests.sources import read, read_csv


def test_csv_line_ends_quoted_newlines_and_commas_make_the_rows_they_should(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        text = end.join([' id ,"note"', '1,"a, b"', f'2,"two{end}lines ""so"""', "", "3,"])
        table = read_csv(tmp_path, "\ufeff" + text)
        assert table.to_dict(as_series=False) == {"id": [1, 2, 3], "note": ["a, b", f'two{end}lines "so"', None]}


def test_csv_gives_back_every_record_that_a_second_reader_counts(tmp_path: Path) -> None:
    chance = random.Random(5)
    pieces = ["a", "007", "1.5", " ", ",", '"', "\n", "\r\n", "é", "x y", "\u2028", "\x0b", "-3"]
    records = [["".join(chance.choices(pieces, k=chance.randint(0, 4))) for _ in range(3)] for _ in range(120_000)]
    path = tmp_path / "orders.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *records])

    table = read("csv", path=str(path))

    expected = [tuple(value if value.strip() else None for value in record) for record in records]
    assert table.rows() == expected


def test_csv_types_come_from_all_values_and_not_from_the_first(tmp_path: Path) -> None:
    rows = [["1"] * 7] * 5000 + [["007", "2.5", "x", " ", "-9223372036854775808", "9223372036854775808", "1e999"]]
    text = "\n".join(",".join(row) for row in [list("abcdefg"), *rows])

    table = read_csv(tmp_path, text)

    assert table.row(-1) == ("007", 2.5, "x", None, -(2**63), "9223372036854775808", "1e999")
    assert [str(dtype) for dtype in table.dtypes] == [
        "String",
        "Float64",
        "String",
        "Int64",
        "Int64",
        "String",
        "String",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["20.5", " ", ""], [20.5, None, None]),
        ([" 20.5", "1."], [20.5, 1.0]),
        (["+1.5e3", ".5", "-0"], [1500.0, 0.5, 0.0]),
        (["0", "-3", " 4 "], [0, -3, 4]),
        (["007", "8"], ["007", "8"]),
        (["007", "8.5"], ["007", "8.5"]),
        (["12345678901234567890", "1.5"], ["12345678901234567890", "1.5"]),
        (["TRUE", "false", ""], [True, False, None]),
        (["true", "1"], ["true", "1"]),
        (["yes", "no"], ["yes", "no"]),
        (["nan", "1.5"], ["nan", "1.5"]),
        (["inf"], ["inf"]),
        (["1_000", "1"], ["1_000", "1"]),
        (["٣"], ["٣"]),
        (["", " "], [None, None]),
        (["NA", "1"], ["NA", "1"]),
    ],
)
def test_csv_values_are_typed_without_losing_what_was_written(
    values: list[str], expected: list[Any], tmp_path: Path
) -> None:
    table = read_csv(tmp_path, "k,v\n" + "".join(f"k,{value}\n" for value in values))
    assert table["v"].to_list() == expected


def test_csv_declared_types_hold_or_tell_the_line(tmp_path: Path) -> None:
    text = 'id,note,n\n1,"two\nlines",5\n02,,+7\n'
    types = {"id": "text", "n": "number"}
    assert read_csv(tmp_path, text, types=types).rows() == [("1", "two\nlines", 5.0), ("02", None, 7.0)]
    assert read_csv(tmp_path, text, types={"id": "integer"})["id"].to_list() == [1, 2]
    with pytest.raises(DataError, match=r"column n: 1 values are no boolean, such as 'x' on line 4 of orders.csv"):
        read_csv(tmp_path, text.replace("5", "true").replace("+7", "x"), types={"n": "boolean"})
    with pytest.raises(DataError, match=r"column n: 2 values are no integer, such as '1.5' on line 2"):
        read_csv(tmp_path, text.replace("5", "1.5").replace("+7", "9" * 19), types={"n": "integer"})
    with pytest.raises(DataError, match=r"no column 'm'\nwhere: sources.orders.types"):
        read_csv(tmp_path, text, types={"m": "text"})


def test_csv_a_wrong_value_in_a_folder_is_told_with_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    (tmp_path / "b.csv").write_text("n\n3\nx\n")
    with pytest.raises(DataError, match=r"'x' on line 3 of b\.csv"):
        read("csv", path=str(tmp_path), types={"n": "integer"})


def test_csv_of_a_header_alone_has_no_rows_and_its_declared_types(tmp_path: Path) -> None:
    table = read_csv(tmp_path, "id,n,at", types={"n": "integer"}, time="at")
    assert (table.height, table.schema["n"], table.schema["at"]) == (0, pl.Int64(), pl.Datetime("us", "UTC"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 values, the header has 2"),
        ('a,b\n"1\n1",2\n1\n', "line 4 has 1 values, the header has 2"),
        ("a,b,a\n1,2,3\n", "the header names a twice"),
        ("a, a\n1,2\n", "the header names a twice"),
        ("a,\n1,2\n", "column 2 of the header has no name"),
        ('a,b\n1,2\n1,"2\n1,2\n', "the record that begins on line 3"),
        ('a,b\n1,"2"3\n', "the record that begins on line 2"),
        ("\ufeff", "it has no header"),
        ("\n\n", "it has no header"),
        ("a\n1\n\n2\n", "line 3 is empty"),
        ("a,b\n1,\0\n", "NUL character at position 6"),
    ],
)
def test_csv_that_is_not_whole_is_refused_with_the_place(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, text)
    assert why in caught.value.why


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_csv_is_read_in_its_encoding(encoding: str, tmp_path: Path) -> None:
    table = read_csv(tmp_path, "stadt;n\nKöln;1\n".encode(encoding), encoding=encoding, delimiter=";")
    assert table.rows() == [("Köln", 1)]


def test_csv_of_another_encoding_is_refused_with_the_byte(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 0xf6 at position 7 is not utf-8"):
        read_csv(tmp_path, "stadt\nKöln\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"byte 0xf6 at position 10 is not utf-8"):
        read_csv(tmp_path, b"\xef\xbb\xbf" + "stadt\nKöln\n".encode("latin-1"))
    with pytest.raises(DataError, match="mark of UTF-8"):
        read_csv(tmp_path, "stadt\nKöln\n".encode("utf-8-sig"), encoding="latin-1")
    with pytest.raises(DataError, match="NUL"):
        read_csv(tmp_path, "stadt\nKöln\n".encode("utf-16"), encoding="latin-1")
    with pytest.raises(DataError, match="unknown encoding: utf-9"):
        read_csv(tmp_path, "a\n", encoding="utf-9")
