"""Every source kind: its rows in a half-open window, in a stable order, none lost; the traps of files and clocks."""

import csv
import gzip
import json
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlctl import kinds
from mlctl.errors import DataError
from mlctl.files import sha256_of
from mlctl.sources import Window

END = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Window(None, datetime(2030, 1, 1, tzinfo=UTC))
PROGRAM = """
import json, sys
from datetime import UTC, datetime
from mlctl import kinds
from mlctl.sources import Window
options = json.loads(sys.argv[1])
module = kinds.load("sources", options["kind"])
rows = module.scan(module.Options(**options), Window(None, datetime(2026, 1, 1, tzinfo=UTC))).collect()
sys.stdout.buffer.write(rows.write_json().encode())
"""
FILES = [kind for kind in kinds.names("sources") if "path" in kinds.load("sources", kind).Options.model_fields]


def read(kind: str, window: Window = ALL, **options: Any) -> pl.DataFrame:
    module = kinds.load("sources", kind)
    table: pl.DataFrame = module.scan(module.Options(kind=kind, name="orders", **options), window).collect()
    return table


def read_csv(folder: Path, data: str | bytes, **options: Any) -> pl.DataFrame:
    path = folder / "orders.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read("csv", path=str(path), **options)


def written(table: pl.DataFrame, kind: str, folder: Path) -> str:
    """The path of a file of that kind that holds the table."""
    path = folder / f"orders.{kind}"
    if kind == "csv":
        table.write_csv(path)
    elif kind == "ndjson":
        table.write_ndjson(path)
    else:
        table.write_parquet(path)
    return str(path)


def orders() -> pl.DataFrame:
    """Fifty orders, some at the same moment, not in the order of their times."""
    moments = [datetime(2025, 12, 1, tzinfo=UTC) + timedelta(days=(i * 7) % 25) for i in range(50)]
    return pl.DataFrame({"order_id": [f"o{i}" for i in range(50)], "ordered_at": moments, "amount": range(50)})


def options_of(kind: str, folder: Path) -> dict[str, Any]:
    """Options of that kind that give some rows before END."""
    if kind in FILES:
        written_as = (
            orders() if kind == "parquet" else orders().with_columns(pl.col("ordered_at").dt.to_string("iso:strict"))
        )
        return {"path": written(written_as, kind, folder), "time": "ordered_at"}
    if kind == "sql":
        with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
            connection.execute("create table if not exists orders (order_id text, ordered_at text, amount integer)")
            connection.execute("delete from orders")
            rows = orders().with_columns(pl.col("ordered_at").dt.to_string("iso:strict")).rows()
            connection.executemany("insert into orders values (?, ?, ?)", rows)
        return {"dsn": f"sqlite:///{folder}/shop.db", "table": "orders", "time": "ordered_at"}
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
    if kind == "ndjson":
        # a line says its own columns; what it does not say is missing
        assert read(kind, path=str(tmp_path)).rows()[-1] == ("d", None, 4)
        return
    with pytest.raises(DataError, match=rf"3\.{kind}\nwhy: its columns are not those of 1\.{kind}: m, n"):
        read(kind, path=str(tmp_path))


# csv


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


# parquet


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


# times


def times(folder: Path, column: pl.Series, **options: Any) -> list[str]:
    """The moments that a Parquet file's time column comes out as."""
    path = written(pl.DataFrame({"at": column}), "parquet", folder)
    table = read("parquet", path=path, time="at", **options)
    return [moment.strftime("%Y-%m-%dT%H:%M:%S.%f").removesuffix(".000000") for moment in table["at"]]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-01T10:00:00Z", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00:00+02:00", "2025-03-01T08:00:00"),
        ("2025-03-01T10:00:00-0330", "2025-03-01T13:30:00"),
        ("2025-03-01 10:00:00.25+02", "2025-03-01T08:00:00.250000"),
        ("2025-03-01 10:00:00 UTC", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00Z", "2025-03-01T10:00:00"),
        ("2025-03-01T10:00-05:00", "2025-03-01T15:00:00"),
        ("2025-03-01t10:00:00,5z", "2025-03-01T10:00:00.500000"),
        (" 2025-03-01T10:00:00.123456789Z ", "2025-03-01T10:00:00.123456"),
        ("2025-03-01T10:00:00", "2025-03-01T09:00:00"),
        ("2025-03-01 10:00", "2025-03-01T09:00:00"),
        ("2025-03-01", "2025-02-28T23:00:00"),
        ("2025-07-01", "2025-06-30T22:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
    ],
)
def test_iso_texts_are_placed_on_the_utc_line(text: str, moment: str, tmp_path: Path) -> None:
    found = times(tmp_path, pl.Series([text]), time_zone="Europe/Berlin")
    assert [found[0].rjust(len(moment), "0")] == [moment]


def test_offsets_zones_and_dates_may_stand_in_one_column(tmp_path: Path) -> None:
    texts = pl.Series(["2025-03-01T10:00:00+02:00", "2025-03-01T10:00:00Z", "2025-03-01T10:00:00", "2025-03-01"])
    found = times(tmp_path, texts, time_zone="America/New_York")
    assert found == ["2025-03-01T08:00:00", "2025-03-01T10:00:00", "2025-03-01T15:00:00", "2025-03-01T05:00:00"]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["2025-03-01T10:00:00"]),
        pl.Series(["2025-03-01"]),
        pl.Series([datetime(2025, 3, 1)]),
        pl.Series([date(2025, 3, 1)]),
    ],
)
def test_a_time_without_a_zone_is_refused_until_the_source_declares_one(column: pl.Series, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no time zone(.|\n)*set sources.orders.time_zone"):
        times(tmp_path, column)
    assert len(times(tmp_path, column, time_zone="UTC")) == 1


def test_typed_times_are_placed_on_the_utc_line(tmp_path: Path) -> None:
    local = pl.Series([datetime(2025, 7, 1, 10)])
    assert times(tmp_path, local, time_zone="Europe/Berlin") == ["2025-07-01T08:00:00"]
    assert times(tmp_path, local.cast(pl.Datetime("ns")), time_zone="UTC") == ["2025-07-01T10:00:00"]
    assert times(tmp_path, local.dt.replace_time_zone("Asia/Tokyo")) == ["2025-07-01T01:00:00"]
    assert times(tmp_path, pl.Series([date(2025, 7, 1)]), time_zone="Asia/Tokyo") == ["2025-06-30T15:00:00"]


def test_the_hour_that_autumn_repeats_is_the_earlier_and_the_one_that_spring_skips_is_refused(tmp_path: Path) -> None:
    autumn, spring = pl.Series([datetime(2025, 10, 26, 2, 30)]), pl.Series([datetime(2025, 3, 30, 2, 30)])
    assert times(tmp_path, autumn, time_zone="Europe/Berlin") == ["2025-10-26T00:30:00"]
    with pytest.raises(DataError, match=r"1 values do not exist in Europe/Berlin.*2025-03-30 02:30:00"):
        times(tmp_path, spring, time_zone="Europe/Berlin")


def test_integers_are_times_by_their_format_alone(tmp_path: Path) -> None:
    days = pl.Series([19970102, 19981231])
    found = times(tmp_path, days, time_format="%Y%m%d", time_zone="UTC")
    assert found == ["1997-01-02T00:00:00", "1998-12-31T00:00:00"]
    assert times(tmp_path, pl.Series([1704067200]), time_format="%s") == ["2024-01-01T00:00:00"]
    with pytest.raises(DataError, match="type Int64; give time_format"):
        times(tmp_path, days, time_zone="UTC")
    with pytest.raises(DataError, match=r"1 values are not of the form %Y%m%d, such as '1997012'"):
        times(tmp_path, pl.Series([19970102, 1997012]), time_format="%Y%m%d", time_zone="UTC")


def test_csv_integers_are_times_by_their_format(tmp_path: Path) -> None:
    options = {"time": "day", "time_format": "%Y%m%d", "time_zone": "UTC"}
    table = read_csv(tmp_path, "id,day\n1,19970102\n2,\n", **options)
    assert table["day"].to_list() == [datetime(1997, 1, 2, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("5/1/2024", "%d/%m/%Y", "2024-01-05T00:00:00"),
        ("05.01.2024 13:30", "%d.%m.%Y %H:%M", "2024-01-05T13:30:00"),
        ("01/05/2024 01:30 PM", "%m/%d/%Y %I:%M %p", "2024-01-05T13:30:00"),
        ("2024-01-05 23:30 -0500", "%Y-%m-%d %H:%M %z", "2024-01-06T04:30:00"),
        ("20240105093000", "%Y%m%d%H%M%S", "2024-01-05T09:30:00"),
    ],
)
def test_texts_of_a_declared_form_are_placed_on_the_utc_line(text: str, form: str, moment: str, tmp_path: Path) -> None:
    assert times(tmp_path, pl.Series([text]), time_format=form, time_zone="UTC") == [moment]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-02-30", None),
        ("24-01-05", None),
        ("2025-1-5", None),
        ("yesterday", None),
        ("2025-03-01T25:00:00Z", None),
        ("2025-03-01T10:00:00+0", None),
        ("1/5/24", "%d/%m/%Y"),
        ("2024-01-05T00:00:00Z", "%Y-%m-%d"),
    ],
)
def test_what_is_no_time_is_refused_with_its_count(text: str, form: str | None, tmp_path: Path) -> None:
    column = pl.Series([text, "2025-01-01" if form != "%d/%m/%Y" else "1/1/2025", None, text])
    with pytest.raises(DataError, match=r"2 values are not of the form .*, such as ") as caught:
        times(tmp_path, column, time_format=form, time_zone="UTC")
    assert repr(text) in caught.value.why


def test_a_zone_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'Mars/Olympus' is not an IANA time zone"):
        times(tmp_path, pl.Series(["2025-01-01"]), time_zone="Mars/Olympus")


# demo


TABLES = {
    "customers": "a347c63f0fbbba42b7f46378ee5c54697c187c234578110129d6e70ce9a94435",
    "orders": "8a78ff77cb9b19728664de3571801e9645fe1f65e003673caedcb7ba7d1efd16",
    "items": "acef8218d68e61c69de9962af06c027c1e17e2be74678b28382b3a04bdb45423",
    "messages": "66ab0b3311d0e5ef58e2a8b3cc5d1ac85cd73d405f66b892d150bbda9605a082",
    "labels": "fb0eddd24840805ec9d02341a84b2bf2f558d3fc058ea7f8e841fd4cc27c22cf",
}
REFERENCE = datetime(2026, 11, 1, tzinfo=UTC)
NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def company(table: str, end: datetime = REFERENCE, customers: int = 2000, seed: int = 7) -> pl.DataFrame:
    return read("demo", Window(None, end), table=table, customers=customers, seed=seed)


def real_orders(end: datetime = REFERENCE) -> pl.DataFrame:
    """Each order once, without those whose clock was wrong."""
    return company("orders", end).filter(pl.col("ordered_at") > NO_CLOCK).unique(maintain_order=True)


@pytest.mark.parametrize("table", TABLES)
def test_the_demo_company_has_not_changed_unnoticed(table: str) -> None:
    # who changes it on purpose pins the new hash, and every snapshot of it has to be taken again
    assert sha256_of(company(table, customers=200).write_csv()) == TABLES[table]


@pytest.mark.parametrize(("threads", "hash_seed"), [("1", "1"), ("4", "77")])
def test_every_table_of_the_demo_company_is_the_same_in_any_process(threads: str, hash_seed: str) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from mlctl.files import sha256_of\n"
        "from mlctl.sources import Window, demo\n"
        "for name in sys.argv[1:]:\n"
        "    options = demo.Options(table=name, customers=200)\n"
        "    rows = demo.scan(options, Window(None, datetime(2026, 11, 1, tzinfo=UTC))).collect()\n"
        "    sys.stdout.write(name + ' ' + sha256_of(rows.write_csv()) + '\\n')"
    )
    machine = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo"}
    other = subprocess.run(
        [sys.executable, "-c", program, *TABLES], env=machine, capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in other.stdout.splitlines()) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_later_moment_only_adds_rows_to_the_demo_company(table: str) -> None:
    later = company(table)
    time = pl.col(kinds.load("sources", "demo").Options(table=table).time_column())
    between = later.select(time).to_series()[later.height // 2] + timedelta(microseconds=1)
    for end in (datetime(2026, 3, 15, tzinfo=UTC), between):
        earlier = company(table, end)
        known = time > NO_CLOCK
        assert 0 < earlier.height < later.height
        assert_frame_equal(earlier.filter(known), later.filter(known & (time < end)))
        assert earlier.filter(~known).join(later, on=earlier.columns, how="anti", nulls_equal=True).height == 0


def test_the_demo_company_has_its_customers_by_the_reference_moment_and_goes_on_at_that_pace() -> None:
    days = (REFERENCE - datetime(2024, 1, 1, tzinfo=UTC)).days
    for customers in (100, 2000):
        assert company("customers", customers=customers)["customer_id"].n_unique() == customers
    later = company("customers", REFERENCE + timedelta(days=days))
    assert later["customer_id"].n_unique() == pytest.approx(4000, abs=1)
    assert company("orders", REFERENCE + timedelta(days=90)).height > company("orders").height
    twice = company("orders", customers=4000).height / company("orders").height
    assert twice == pytest.approx(2, rel=0.1)
    assert not company("customers", seed=8).equals(company("customers"))


def test_the_first_row_of_every_demo_customer_is_the_signup_and_later_rows_tell_changes() -> None:
    rows = company("customers")
    first = rows.group_by("customer_id").agg(pl.all().sort_by("changed_at").first())
    assert (first["changed_at"] == first["signed_up_at"]).all()
    assert 1.2 < rows.height / first.height < 2
    assert rows.group_by("customer_id").agg(pl.col("plan").n_unique())["plan"].max() == 2
    assert first.select((pl.col("plan") == "annual").mean()).item() == pytest.approx(0.18, abs=0.03)


def test_demo_orders_come_twice_lack_amounts_and_have_lost_their_clock_as_often_as_told() -> None:
    orders = company("orders")
    assert orders.height - orders["order_id"].n_unique() == orders.height - orders.unique().height
    assert (orders.height - orders.unique().height) / orders.height == pytest.approx(0.003, abs=0.001)
    assert orders["amount_eur"].null_count() / orders.height == pytest.approx(0.002, abs=0.001)
    assert 1 <= orders.filter(pl.col("ordered_at") == NO_CLOCK).height <= 10
    assert (real_orders()["ordered_at"] > datetime(2024, 1, 1, tzinfo=UTC)).all()


def test_demo_coupons_and_the_app_begin_on_the_first_of_september_2025() -> None:
    change = datetime(2025, 9, 1, tzinfo=UTC)
    orders = real_orders()
    before, after = orders.filter(pl.col("ordered_at") < change), orders.filter(pl.col("ordered_at") >= change)
    assert before["coupon"].null_count() == before.height
    assert set(before["channel"]) == {"web", "store", "phone"}
    assert after.select(pl.col("coupon").is_not_null().mean()).item() == pytest.approx(0.15, abs=0.02)
    assert set(after["channel"]) == {"web", "store", "phone", "app"}
    first_day = after.filter(pl.col("ordered_at") < change + timedelta(days=1))
    assert "app" in first_day["channel"]
    assert "SAVE10" in first_day["coupon"]


def test_the_unit_of_demo_amounts_is_wrong_in_stores_on_one_day_and_nowhere_else() -> None:
    wrong = (pl.col("ordered_at").dt.date() == date(2026, 3, 14)) & (pl.col("channel") == "store")
    cents = (pl.col("price_eur") * 100).round().cast(pl.Int64).sum().alias("cents")
    lines = company("items").group_by("order_id").agg(cents)
    orders = real_orders().filter(pl.col("amount_eur").is_not_null()).join(lines, on="order_id")
    factor = (pl.col("amount_eur") * 100).round().cast(pl.Int64) / pl.col("cents")
    assert orders.height == real_orders()["amount_eur"].drop_nulls().len()
    assert orders.filter(wrong).select(factor.unique()).to_series().to_list() == [100]
    assert orders.filter(~wrong).select(factor.unique()).to_series().to_list() == [1]


def test_the_local_texts_of_demo_orders_name_the_same_moments_with_mixed_offsets(tmp_path: Path) -> None:
    orders = real_orders()
    stores = pl.col("channel") == "store"
    assert set(orders.filter(stores)["ordered_local"].str.slice(-6)) == {"+01:00", "+02:00"}
    assert orders.filter(~stores)["ordered_local"].str.ends_with("Z").all()
    table = read("csv", path=written(orders.select("ordered_local"), "csv", tmp_path), time="ordered_local")
    assert table["ordered_local"].to_list() == orders["ordered_at"].to_list()


def test_demo_texts_and_cities_hold_some_damage_and_facts_are_missing_as_often_as_told() -> None:
    customers, messages = company("customers", customers=20_000), company("messages", customers=20_000)
    for texts, share in ((customers["city"], 0.012), (messages["text"], 1 / 60)):
        accented = texts.filter(texts.str.contains(r"[^\x00-\x7f]"))
        assert accented.str.contains("Ã").mean() == pytest.approx(share, rel=0.2)
    assert messages["text"].str.contains("fÃ¼r|Ã©").any()
    assert not messages["text"].str.contains("{n}", literal=True).any()
    assert customers["country"].null_count() / customers.height == pytest.approx(0.02, abs=0.003)
    assert customers["birth_year"].null_count() / customers.height == pytest.approx(0.15, abs=0.01)


def test_demo_labels_arrive_half_a_day_to_twenty_days_behind_their_message() -> None:
    both = company("labels").join(company("messages"), on="message_id", how="left")
    waits = both["labelled_at"] - both["sent_at"]
    assert both["sent_at"].null_count() == 0
    assert waits.is_between(timedelta(hours=12), timedelta(days=20)).all()
    unlabelled = company("messages").join(company("labels"), on="message_id", how="anti")
    assert 0 < unlabelled.height < 200
    assert (unlabelled["sent_at"] >= REFERENCE - timedelta(days=20)).all()
    assert set(both["team"]) == {"billing", "delivery", "returns", "account", "product"}


def test_who_will_stop_buying_can_be_learnt_from_the_past_of_the_demo_company() -> None:
    as_of = REFERENCE - timedelta(days=90)
    past = real_orders(as_of).group_by("customer_id").agg(last=pl.col("ordered_at").max())
    future = real_orders().filter(pl.col("ordered_at") >= as_of)["customer_id"].unique()
    plans = company("customers", as_of).group_by("customer_id").agg(pl.col("plan").last())
    people = plans.join(past, on="customer_id").with_columns(
        churned=~pl.col("customer_id").is_in(future.implode()), silent=as_of - pl.col("last")
    )
    churned = int(people["churned"].sum())
    ranks = float(people["silent"].rank("average").filter(people["churned"]).sum())
    area = (ranks - churned * (churned + 1) / 2) / (churned * (people.height - churned))

    assert 0.3 < churned / people.height < 0.6
    assert 0.7 < area < 0.95
    quiet = people.filter(pl.col("silent") > timedelta(days=60))
    gone = dict(quiet.group_by("plan").agg(pl.col("churned").mean()).rows())
    assert gone["annual"] < gone["none"] - 0.15


def test_demo_orders_peak_at_the_end_of_the_year() -> None:
    months = dict(real_orders().group_by(pl.col("ordered_at").dt.strftime("%Y-%m")).len().rows())
    assert months["2025-12"] > 1.2 * months["2025-10"]
    assert months["2025-12"] > 1.2 * months["2026-02"]
