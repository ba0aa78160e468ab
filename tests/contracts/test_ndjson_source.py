"""Lines of JSON: every value counts for its column's type, and a line that is not certain is refused with its number."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl import kinds
from mlctl.errors import DataError
from tests.sources import ALL, read


def lines(folder: Path, *text: str) -> str:
    path = folder / "orders.ndjson"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return str(path)


def test_lines_keep_ids_texts_and_large_numbers_as_they_are(tmp_path: Path) -> None:
    first = '{"id": "007", "n": 9007199254740993, "share": 1}'
    found = read("ndjson", path=lines(tmp_path, first, "", '{"share": 0.5, "id": "8", "n": null, "ok": true}'))

    assert found.rows() == [("007", 9007199254740993, 1.0, None), ("8", None, 0.5, True)]
    assert found.dtypes == [pl.String, pl.Int64, pl.Float64, pl.Boolean]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"n": "x"}', "line 3: column n holds a text where it held a whole number before"),
        ('{"n": true}', "line 3: column n holds a boolean"),
        ('{"n": 18446744073709551616}', "beyond 64 bits"),
        ('{"n": {"a": 1}}', "column n holds an object"),
        ('{"n": [1]}', "column n holds a list"),
        ('{"n": 1, "n": 2}', "the key 'n' stands twice"),
        ('{"n": NaN}', "NaN is no JSON"),
        ('{"n": 1e999}', "beyond what 64 bits tell"),
        ('{"n": 1,}', "line 3 is no JSON object"),
        ('{"n": 1', "line 3 is no JSON object"),
        ("[1, 2]", "no JSON object but a list"),
        ('{"m": "\\ud800"}', "half of a character"),
        ('{"m": "a\\u0000b"}', "NUL"),
    ],
)
def test_a_line_that_is_not_certain_is_refused_with_its_number(line: str, why: str, tmp_path: Path) -> None:
    path = lines(tmp_path, '{"n": 1}', '{"n": 2}', line)

    with pytest.raises(DataError) as told:
        read("ndjson", path=path)

    assert why in str(told.value)
    assert path in str(told.value)


def test_what_editors_and_windows_do_to_lines_changes_no_value(tmp_path: Path) -> None:
    path = tmp_path / "orders.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a\\u2028b", "n": 1}\r\n \t\r\n{"id": "\xc3\xa9\xe2\x80\xa8", "n": 2}')
    assert read("ndjson", path=str(path)).rows() == [("a\u2028b", 1), ("\u00e9\u2028", 2)]
    path.write_bytes(b'\xef\xbb\xbf\n{"id": "a"}\n')
    assert read("ndjson", path=str(path)).rows() == [("a",)]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_file_that_was_cut_off_anywhere_in_its_last_line_is_refused(cut: int, tmp_path: Path) -> None:
    path, last = tmp_path / "orders.ndjson", '{"id": "\u00fcber", "n": 1234}'.encode()
    path.write_bytes(b'{"id": "a", "n": 1}\n' + last[:-cut])
    with pytest.raises(DataError, match="line 2"):
        read("ndjson", path=str(path))


def test_bytes_of_another_encoding_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "orders.ndjson"
    path.write_bytes('{"id": "a"}\n{"id": "\u00fc"}\n'.encode("latin-1"))
    with pytest.raises(DataError, match="line 2: byte 0xfc at position 20 is not UTF-8"):
        read("ndjson", path=str(path))


def test_a_type_that_changes_in_the_last_of_many_lines_or_in_another_file_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "1.ndjson").write_text("".join(f'{{"n": {i}}}\n' for i in range(120_000)), encoding="utf-8")
    (tmp_path / "2.ndjson").write_text('{"n": 5}\n{"n": "N/A"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"2\.ndjson\nwhy: line 2: column n holds a text where it held a whole number"):
        read("ndjson", path=str(tmp_path))
    (tmp_path / "2.ndjson").write_text('{"n": 0.5}\n', encoding="utf-8")
    found = read("ndjson", path=str(tmp_path))
    assert (found.height, found["n"].sum()) == (120_001, 119_999 * 60_000 + 0.5)


def test_a_time_that_does_not_exist_is_told_with_its_line(tmp_path: Path) -> None:
    path = lines(tmp_path, "", '{"at": "2026-03-29T01:30"}', "", '{"at": "2026-03-29T02:30"}')
    with pytest.raises(DataError, match=r"do not exist in Europe/Berlin(.|\n)*on line 4 of orders\.ndjson"):
        read("ndjson", path=path, time="at", time_zone="Europe/Berlin")


def test_the_lines_that_were_counted_are_told(tmp_path: Path) -> None:
    module = kinds.load("sources", "ndjson")
    path = lines(tmp_path, '{"n": 1}', "", '{"n": 2}')
    assert module.take(module.Options(name="orders", path=path), ALL).told == "2 lines counted in 1 file"


def test_knowledge_time_is_placed_on_the_same_line_as_time(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        '{"at": "2026-07-01T10:00", "loaded": "2026-07-02T10:00"}',
        '{"at": "2026-07-01T11:00", "loaded": null}',
    )

    found = read("ndjson", path=path, time="at", knowledge_time="loaded", time_zone="Europe/Berlin")

    assert found["loaded"].to_list() == [datetime(2026, 7, 2, 8, tzinfo=UTC), None]
    assert found["at"][0] == datetime(2026, 7, 1, 8, tzinfo=UTC)
    with pytest.raises(DataError, match="no column 'arrived'"):
        read("ndjson", path=path, time="at", knowledge_time="arrived", time_zone="UTC")
