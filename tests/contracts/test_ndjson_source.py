"""NDJSON: every value of every line in a type that all have, or a refusal with file and line."""

import json
import math
import random
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlctl.errors import DataError
from mlctl.sources import ndjson
from tests.sources import ALL, read


def rows_of(folder: Path, text: str | bytes, **options: Any) -> pl.DataFrame:
    path = folder / "orders.ndjson"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read("ndjson", path=str(path), **options)


@pytest.mark.parametrize(
    ("values", "expected", "dtype"),
    [
        (["1", "2.5"], [1.0, 2.5], "Float64"),
        (['"1"', '"007"'], ["1", "007"], "String"),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)], "Int64"),
        (["true", "null"], [True, None], "Boolean"),
        (["null", "null"], [None, None], "String"),
        (["[1, 2.5]", "[]"], [[1.0, 2.5], []], "List(Float64)"),
        (['{"a": 1}', '{"b": ["x"]}'], [{"a": 1, "b": None}, {"a": None, "b": ["x"]}], "Struct({'a': Int64, 'b': List(String)})"),
        (['"\\ud83d\\ude00"', '"K\u00f6ln\u2028"'], ["\U0001f600", "Köln\u2028"], "String"),
    ],
)  # fmt: skip
def test_a_column_has_the_type_of_all_its_values(
    values: list[str], expected: list[Any], dtype: str, tmp_path: Path
) -> None:
    table = rows_of(tmp_path, "".join(f'{{"k": 1, "v": {value}}}\n' for value in values))
    assert table["v"].to_list() == expected
    assert str(table["v"].dtype) == dtype


def test_the_type_of_the_last_of_many_rows_counts_and_ids_keep_their_letters(tmp_path: Path) -> None:
    lines = [f'{{"id": "{i:06d}", "n": {i}}}' for i in range(120_000)]
    table = rows_of(tmp_path, "\ufeff" + "\r\n".join([*lines, "", '{"n": 0.5, "late": "x", "id": "1e5"}']))
    assert table.height == 120_001
    assert table.row(7) == ("000007", 7.0, None)
    assert table.row(-1) == ("1e5", 0.5, "x")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1}\n{"a": 1, "a": 2}\n', "line 2: the key 'a' comes twice"),
        ('{"a": {"b": 1, "b": 2}}\n', "line 1: the key 'b' comes twice"),
        ('{"a": 1,}\n', "line 1 is no JSON at character"),
        ('{"a": NaN}\n', "line 1: NaN is no JSON; write null"),
        ('{"a": -Infinity}\n', "line 1: -Infinity is no JSON"),
        ('{"a": 1e999}\n', "line 1: 1e999 is too large for a number"),
        ('{"a": 1}\n[1]\n', "line 2 is a list and no object"),
        ('[{"a": 1}]\n', "line 1 is a list and no object"),
        ('{"a": 9223372036854775808}\n', "line 1: 9223372036854775808 does not fit into 64 bits"),
        ('{"a": ' + "9" * 5000 + "}\n", "does not fit into 64 bits"),
        ('{"a": 1}\n\n{"a": 2, "b": "x', "line 3 is no JSON at character 15: unterminated string starting at (the last line: was the file cut off?)"),
        ('{"a": 1}\n{"a": 2} {"a": 3}\n', "line 2 is no JSON at character 10: extra data"),
        ('{"a": "\\ud800"}\n', "line 1 is not UTF-8"),
        (b'{"a": 1}\n{"a": "\xf6"}\n', "line 2 is not UTF-8"),
        ('{"a": 0.5}\n{"a": 12345678901234567.0}\n', "line 2: 12345678901234567.0 has more digits than a number holds"),
        ('{"a": -1e-400}\n', "line 1: -1e-400 is too small for a number"),
        ("{}\n{}\n", "no line has an object with a key"),
        ("\n \n", "no line has an object with a key"),
        ('{"": 1}\n', "line 1: a key is empty"),
        ('{"a": {}}\n', "a holds objects without a single key"),
        ('{"a": 1}\n{"a": null}\n{"a": "1"}\n', "a is a text ('1') on line 3, and does not go together with a number (1) on line 1 of orders.ndjson"),
        ('{"a": 0.5}\n{"a": 9007199254740993}\n', "a is a number (9007199254740993) on line 2, and does not go together with a number (0.5) on line 1"),
        ('{"a": true}\n{"a": 1}\n', "a is a number (1) on line 2"),
        ('{"a": {"b": 1}}\n{"a": {"b": "x"}}\n', "a is an object on line 2"),
        ("[" * 100_000 + "\n", "line 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_line(text: str | bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'orders' is not readable as ndjson\nwhere: .*orders\.ndjson") as caught:
        rows_of(tmp_path, text)
    assert why in caught.value.why


def test_daily_files_with_other_types_have_the_widest_and_a_fault_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "1.ndjson").write_text('{"id": 1, "n": 1}\n' * 3)
    (tmp_path / "2.ndjson").write_text('{"n": 2.5, "id": 2}\n')
    assert read("ndjson", path=str(tmp_path)).rows() == [(1, 1.0)] * 3 + [(2, 2.5)]
    (tmp_path / "3.ndjson").write_text('{"id": 3, "n": 1, "coupon": "X"}\n')
    with pytest.raises(DataError, match=r"3\.ndjson\nwhy: its columns are not those of 1\.ndjson: coupon"):
        read("ndjson", path=str(tmp_path))
    assert read("ndjson", path=str(tmp_path), absent="missing")["coupon"].to_list() == [None] * 4 + ["X"]
    (tmp_path / "4.ndjson").write_text('{"id": 4, "n": "none"}\n')
    with pytest.raises(DataError, match=r"4\.ndjson\nwhy: n is a text \('none'\) on line 1.* on line 1 of 2\.ndjson"):
        read("ndjson", path=str(tmp_path), absent="missing")


def test_times_of_objects_are_placed_and_a_wrong_one_is_told_with_its_line(tmp_path: Path) -> None:
    text = '{"at": "2025-01-01T00:00:00+01:00"}\n\n{"at": null}\n{"at": "soon"}\n'
    with pytest.raises(DataError, match=r"such as 'soon' on line 4 of orders\.ndjson"):
        rows_of(tmp_path, text, time="at")
    table = rows_of(
        tmp_path, text.replace("soon", "2025-01-02Z").replace("02Z", "02T00Z").replace("T00Z", "T00:00Z"), time="at"
    )
    assert table["at"].to_list() == [datetime(2024, 12, 31, 23, tzinfo=UTC), None, datetime(2025, 1, 2, tzinfo=UTC)]
    seconds = rows_of(tmp_path, '{"at": 1704067200}\n', time="at", time_format="%s")
    assert seconds["at"].to_list() == [datetime(2024, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("seed", range(30))
def test_what_was_written_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)

    def value(depth: int) -> Any:
        made = [None, True, 7, -(2**62), 0.1, 1e300, "007", 'é"\n,', "", []]
        if depth:
            made += [[value(depth - 1)], {"x": value(depth - 1), "y": 1}]
        return chance.choice(made)

    fixed = {f"c{i}": value(1) for i in range(4)}
    written = [{name: item for name, item in fixed.items() if chance.random() < 0.8} for _ in range(50)]
    table = rows_of(tmp_path, "".join(json.dumps(row) + "\n" for row in written))
    names = dict.fromkeys(name for row in written for name in row)
    assert table.rows(named=True) == [{name: row.get(name) for name in names} for row in written]


def test_numbers_that_floats_write_come_back_as_they_were(tmp_path: Path) -> None:
    chance = random.Random(7)
    numbers = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(3000)]
    numbers = [number for number in numbers if math.isfinite(number)] + [5e-324, 1.7976931348623157e308, 2.0**60, -0.0]
    found = rows_of(tmp_path, "".join(json.dumps({"n": number}) + "\n" for number in numbers))["n"].to_list()
    assert [number.hex() for number in found] == [number.hex() for number in numbers]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_file_that_was_cut_off_anywhere_in_its_last_line_is_refused(cut: int, tmp_path: Path) -> None:
    last = '{"id": "\u00fcber", "n": 1234}'.encode()
    with pytest.raises(DataError, match="line 2"):
        rows_of(tmp_path, b'{"id": "a", "n": 1}\n' + last[:-cut])


def test_what_editors_and_other_systems_do_to_lines_changes_no_value(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbf{"id": "a\\u2028b", "n": 1}\r\n \t\r\n{"id": "\xc3\xa9\xe2\x80\xa8", "n": 2}'
    assert rows_of(tmp_path, text).rows() == [("a\u2028b", 1), ("\u00e9\u2028", 2)]


def test_the_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "1.ndjson").write_text('{"a": 1}\n\n{"a": 2}')
    assert ndjson.take(ndjson.Options(name="orders", path=str(tmp_path)), ALL).told == "2 lines counted in 1 file"
