"""Tables in a database: exact types, the window, the count, and nothing written; PostgreSQL and SQLite for real."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from mlctl.database import server_url
from mlctl.errors import ConfigError, DataError, ExternalError
from mlctl.sources import Earlier, Taken, Window, sql
from mlctl.sources._sql_opening import opened
from tests.sources import ALL

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def postgres(connection: psycopg.Connection, postgres_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs statements in an empty PostgreSQL that the environment names."""
    monkeypatch.setenv("SHOP_DSN", server_url(postgres_root))
    return connection.execute


def take(
    window: Window = ALL, earlier: Earlier | None = None, dsn: str = "${oc.env:SHOP_DSN}", **options: Any
) -> Taken:
    return sql.take(sql.Options(name="orders", dsn=dsn, **options), window, earlier)


def read(window: Window = ALL, **options: Any) -> pl.DataFrame:
    return take(window, **options).rows.collect()


def sqlite_file(folder: Path, *statements: str, rows: list[tuple[Any, ...]] = []) -> str:  # noqa: B006
    path = folder / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
        if rows:
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return f"sqlite:///{path}"


# PostgreSQL


def test_types_of_postgres_come_exactly(postgres: Any) -> None:
    postgres(
        "CREATE TABLE t (a int8, b int2, c float8, d boolean, e text, f varchar(9), g numeric(12,2), h timestamptz, i date,"
        " j bytea, k uuid, l jsonb, m interval, n int[], o char(3))"
    )
    postgres(
        "INSERT INTO t VALUES (9223372036854775807, 7, 0.1, true, '007', E'K\\u00f6ln', 1234567890.10,"
        " '2025-06-01 14:00+02', '2025-06-01', '\\x00ff', '00000000-0000-0000-0000-000000000001', '{\"a\": 1}', '1 day 2:00', '{1,2}', 'ab')"
    )
    row = read(table="t").row(0, named=True)
    assert row == {
        **{"a": 2**63 - 1, "b": 7, "c": 0.1, "d": True, "e": "007", "f": "Köln", "g": 1234567890.1, "h": NOON},
        **{"i": date(2025, 6, 1), "j": b"\x00\xff", "k": "00000000-0000-0000-0000-000000000001", "l": '{"a": 1}'},
        **{"m": "P1DT2H", "n": "{1,2}", "o": "ab "},
    }
    assert read(table="t", decimals="text")["g"].to_list() == ["1234567890.10"]


def test_a_numeric_that_a_float_would_change_is_refused_until_it_is_text(postgres: Any) -> None:
    chance = random.Random(3)
    texts = [
        f"{chance.choice(['', '-'])}{chance.randrange(10 ** chance.randint(1, 13))}.{chance.randrange(100):02d}"
        for _ in range(500)
    ]
    postgres("CREATE TABLE t (n numeric)")
    for text in texts:
        postgres("INSERT INTO t VALUES (%s::numeric)", [text])
    assert sorted(Decimal(repr(value)) for value in read(table="t")["n"]) == sorted(map(Decimal, texts))
    for large in ("1234567890123456.7", "NaN"):
        postgres("INSERT INTO t VALUES (%s::numeric)", [large])
        with pytest.raises(
            DataError, match=f"column n: a float would change 1 numbers, such as {large}; set decimals: text"
        ):
            read(table="t")
        assert large in read(table="t", decimals="text")["n"]
        postgres("DELETE FROM t WHERE n::text = %s", [large])


def test_the_window_is_asked_of_the_database_and_exact_in_any_zone(postgres: Any) -> None:
    postgres("CREATE TABLE t (id int, at timestamptz, local timestamp, day date)")
    postgres("INSERT INTO t SELECT i, m, m AT TIME ZONE 'Europe/Berlin', (m AT TIME ZONE 'Europe/Berlin')::date FROM"
             " (SELECT i, timestamptz '2025-03-20 00:00Z' + i * interval '6 hours' AS m FROM generate_series(0, 79) i) AS s")  # fmt: skip
    postgres("INSERT INTO t VALUES (99, NULL, NULL, NULL)")
    window = Window(datetime(2025, 3, 25, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    expected = [*range(20, 48), 99]

    taken = take(window, table="t", time="at")
    assert taken.rows.collect()["id"].sort().to_list() == expected
    assert taken.told == "29 rows counted by the database"
    local = take(window, table="t", time="local", time_zone="Europe/Berlin")
    assert local.rows.collect()["id"].sort().to_list() == expected
    assert local.told == "37 rows counted by the database"
    days = read(window, table="t", time="day", time_zone="UTC")
    assert days["day"].drop_nulls().unique().sort().to_list() == [window.start + timedelta(days=i) for i in range(7)]
    with pytest.raises(DataError, match=r"has no time zone and sources.orders declares none"):
        read(window, table="t", time="local")


def test_rows_that_come_while_it_is_read_are_neither_counted_nor_read(postgres: Any, postgres_root: Path) -> None:
    postgres("CREATE TABLE t (id int)")
    postgres("INSERT INTO t VALUES (1)")
    with opened(sql.Options(name="orders", dsn="x", table="t"), server_url(postgres_root)) as asking:
        before = asking.count("true")
        postgres("INSERT INTO t VALUES (2)")
        assert (before, asking.rows("true").rows()) == (1, [(1,)])


def test_an_infinite_moment_is_refused_with_its_count(postgres: Any) -> None:
    postgres("CREATE TABLE t (id int, until timestamptz)")
    postgres("INSERT INTO t VALUES (1, 'infinity'), (2, now())")
    with pytest.raises(DataError, match="column until: 1 values are infinity"):
        read(table="t")
    assert read(query="SELECT id, nullif(until, 'infinity') AS until FROM t")["until"].null_count() == 1


def test_a_query_is_one_select_and_writes_nothing(postgres: Any) -> None:
    postgres("CREATE TABLE t (id int)")
    postgres("CREATE FUNCTION grow() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING id'")
    assert read(query="WITH a AS (SELECT 1 AS id) SELECT id, ';' AS s FROM a -- the only one;").rows() == [(1, ";")]
    for query in ("DELETE FROM t", "SELECT 1; SELECT 2", "", "EXPLAIN SELECT 1"):
        with pytest.raises(ValidationError, match="must be one SELECT"):
            read(query=query)
    with pytest.raises(DataError, match="read-only transaction"):
        read(query="SELECT grow() AS id")
    with pytest.raises(DataError, match="'orders' asks what the database does not have"):
        read(query="WITH a AS (INSERT INTO t VALUES (1) RETURNING id) SELECT id FROM a")
    with pytest.raises(DataError, match=r"multiple commands|syntax error"):
        sql.take(sql.Options.model_construct(name="orders", dsn="${oc.env:SHOP_DSN}", table=None, query="SELECT 1) AS q; DELETE FROM t; --", time=None, knowledge_time=None, watermark=None, timeout_s=5, decimals="number"), ALL)  # fmt: skip
    assert postgres("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_missing_table_or_column_and_a_missing_database_are_told_apart(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres("CREATE TABLE t (id int, amount int)")
    with pytest.raises(DataError, match=r'relation "nowhere" does not exist'):
        read(table="nowhere")
    with pytest.raises(DataError, match=r"no column 'amuont'\nwhere: sources.orders.time\nwhy: did you mean 'amount'"):
        read(table="t", time="amuont")
    with pytest.raises(DataError, match="two columns have the same name"):
        read(query="SELECT id, id FROM t")
    monkeypatch.setenv("SHOP_DSN", "postgresql://ann:s3cret@127.0.0.1:1/shop")
    with pytest.raises(ExternalError, match="Connection refused") as caught:
        read(table="t")
    assert "s3cret" not in str(caught.value)
    monkeypatch.delenv("SHOP_DSN")
    with pytest.raises(ConfigError, match="SHOP_DSN is not set"):
        read(table="t")


@pytest.mark.parametrize(
    "options",
    [
        {"dsn": "postgresql://ann:s3cret@db/shop", "table": "t"},
        {"dsn": "x", "table": "t", "query": "SELECT 1"},
        {"dsn": "x"},
        {"dsn": "x", "table": "t; drop"},
        {"dsn": "x", "table": "t", "watermark": "id"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        sql.Options(**options)


def test_a_schema_and_names_of_any_letters_are_read(postgres: Any) -> None:
    postgres('CREATE SCHEMA sales; CREATE TABLE sales."Orders" ("the ""id""" int)')
    postgres('INSERT INTO sales."Orders" VALUES (1)')
    assert read(table="sales.Orders").to_dict(as_series=False) == {'the "id"': [1]}


# SQLite


def test_types_of_sqlite_belong_to_all_values(tmp_path: Path) -> None:
    rows = [(2**63 - 1, 1, "007", b"\x00", None, 1.5, "2025-06-01 12:00:00"), (-1, 2.5, "8", None, None, 2.0, None)]
    dsn = sqlite_file(tmp_path, "CREATE TABLE t (a, b, c TEXT, d BLOB, e, f NUMERIC, g TIMESTAMP)", rows=rows)
    table = read(dsn=dsn, table="t", time="g", time_zone="UTC")
    assert table.sort("b").rows() == [
        (2**63 - 1, 1.0, "007", b"\x00", None, 1.5, NOON),
        (-1, 2.5, "8", None, None, 2.0, None),
    ]
    assert [str(dtype) for dtype in table.dtypes[:6]] == ["Int64", "Float64", "String", "Binary", "String", "Float64"]


def test_a_type_that_changes_after_a_hundred_thousand_rows_is_not_lost(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(i, i, None) for i in range(100_000)]
    dsn = sqlite_file(tmp_path, "CREATE TABLE t (id, v, late)", rows=[*rows, (100_000, 0.5, "x"), (100_001, 7, "007")])
    table = read(dsn=dsn, table="t").sort("id")
    assert table.rows()[-3:] == [(99_999, 99_999.0, None), (100_000, 0.5, "x"), (100_001, 7.0, "007")]
    assert table["v"].sum() == sum(range(100_000)) + 7.5
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection, connection:
        connection.execute("INSERT INTO t VALUES (100002, 'seven', NULL)")
    with pytest.raises(DataError, match=r"100,001 of type integer and 1 of type real and 1 of type text\), such as"):
        read(dsn=dsn, table="t")
    assert read(dsn=dsn, query="SELECT id, CAST(v AS TEXT) AS v FROM t").sort("id")["v"].to_list()[-3:] == [
        "0.5",
        "7",
        "seven",
    ]


def test_whole_numbers_beyond_a_float_are_not_put_beside_fractions(tmp_path: Path) -> None:
    dsn = sqlite_file(tmp_path, "CREATE TABLE t (v)", rows=[(2**53 + 1,), (0.5,)])
    with pytest.raises(DataError, match="column v: 1 whole numbers beside fractions are too large for a float"):
        read(dsn=dsn, table="t")


def test_sqlite_is_opened_to_be_read_alone_and_a_missing_or_foreign_file_is_told(tmp_path: Path) -> None:
    dsn = sqlite_file(tmp_path, "CREATE TABLE t (id)", rows=[(1,)])
    path = tmp_path / "shop.sqlite"
    before = path.read_bytes()
    assert read(dsn=dsn, table="t").rows() == [(1,)]
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["shop.sqlite"]
    with pytest.raises(DataError, match="no such table: nowhere"):
        read(dsn=dsn, table="nowhere")
    with pytest.raises(DataError, match="does not exist"):
        read(dsn=f"sqlite:///{tmp_path}/nothing.sqlite", table="t")
    path.write_bytes(b"id\n" * 3000)
    with pytest.raises(DataError, match="not a database"):
        read(dsn=dsn, table="t")
    assert not (tmp_path / "nothing.sqlite").exists()


def test_sqlite_is_held_still_between_the_count_and_the_rows(tmp_path: Path) -> None:
    dsn = sqlite_file(tmp_path, "CREATE TABLE t (id)", rows=[(1,)])
    with opened(sql.Options(name="orders", dsn=dsn, table="t"), dsn) as asking:
        before = asking.count("1")
        # in a process of its own: two copies of SQLite in one process do not see each other's locks
        program = (
            "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).executescript(\"INSERT INTO t VALUES ('x')\")"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "shop.sqlite")]
        writer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "database is locked" in writer.stderr
        assert (before, asking.rows("1").rows()) == (1, [(1,)])


def test_a_relative_sqlite_file_is_found_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_file(tmp_path, "CREATE TABLE t (id)", rows=[(1,)])
    monkeypatch.chdir(tmp_path)
    assert read(dsn="sqlite:///shop.sqlite", table="t").height == 1
    assert os.listdir() == ["shop.sqlite"]


# the watermark


def snapshot(end: datetime, **options: Any) -> Earlier:
    """What `mlctl ingest` keeps of a source."""
    return Earlier(read(Window(None, end), **options), end)


def alike(window: Window, earlier: Earlier, **options: Any) -> str:
    """Proves that a read since the last snapshot is the full one, and gives what it told."""
    taken, full = take(window, earlier, **options), take(window, **options)
    assert_frame_equal(taken.rows.collect(), full.rows.collect())
    return taken.told


def test_a_later_snapshot_reads_what_is_new_and_is_the_full_one(postgres: Any) -> None:
    postgres("CREATE TABLE t (id int, at timestamptz, changed timestamptz, state text)")
    postgres(
        "INSERT INTO t SELECT i, m, m, 'new' FROM (SELECT i, timestamptz '2025-01-01Z' + i * interval '1 hour' AS m FROM generate_series(1, 1000) i) s"
    )
    options = {"table": "t", "time": "at", "key": ["id"], "watermark": "changed"}
    end, later = datetime(2025, 2, 1, tzinfo=UTC), Window(None, datetime(2025, 2, 3, tzinfo=UTC))
    earlier = snapshot(end, **options)
    assert earlier.rows.height == 743

    assert alike(later, earlier, **options) == "791 rows counted by the database, 258 read since the last snapshot"
    postgres("UPDATE t SET state = 'paid', changed = '2025-03-01Z' WHERE id IN (3, 5, 760)")
    assert alike(later, earlier, **options).endswith(
        "791 rows counted by the database, 260 read since the last snapshot"
    )
    postgres("UPDATE t SET at = '2025-06-01Z', changed = '2025-03-01Z' WHERE id = 7")
    assert alike(later, earlier, **options).startswith("790 rows")
    postgres("DELETE FROM t WHERE id IN (10, 11)")
    assert alike(later, earlier, **options).endswith("261 read since the last snapshot, 2 gone")
    postgres("UPDATE t SET changed = '2024-12-01Z', state = 'old' WHERE id = 20")
    told = "read in full: the database changed rows without a later watermark"
    assert alike(later, earlier, **options).endswith(told)
    postgres("DELETE FROM t WHERE id = 20")
    postgres("INSERT INTO t VALUES (2000, '2025-01-05Z', '2025-01-05Z', 'late')")
    assert alike(later, earlier, **options).endswith(told)
    postgres("ALTER TABLE t ADD COLUMN coupon text")
    assert alike(later, earlier, **options).endswith("read in full: the columns are not those of the last snapshot")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_to_a_table_a_read_since_the_last_snapshot_is_the_full_one(postgres: Any, seed: int) -> None:
    chance = random.Random(seed)
    kind, zone = chance.choice([("timestamptz", None), ("timestamp", "Europe/Berlin"), ("date", "Asia/Tokyo")])
    postgres(f"CREATE TABLE t (id int, at {kind}, changed {kind}, n numeric)")
    options = {
        "table": "t",
        "time": "at",
        "time_zone": zone,
        "key": ["id"],
        "watermark": chance.choice(["changed", "at"]),
    }

    def day(low: int, high: int) -> str:
        return (datetime(2025, 10, 1) + timedelta(hours=chance.randint(low * 24, high * 24))).isoformat()

    def write(count: int, low: int, high: int) -> None:
        for _ in range(count):
            number, at, changed = chance.randrange(300), day(low, high), day(low, high)
            postgres("DELETE FROM t WHERE id = %s", [number])
            postgres("INSERT INTO t VALUES (%s, %s, %s, 1.5)", [number, chance.choice([at, at, None]), changed])

    write(120, 0, 30)
    earlier = snapshot(datetime(2025, 10, 26, 1, tzinfo=UTC), **options)
    write(40, chance.choice([20, 28]), 60)
    if chance.random() < 0.3:
        postgres("DELETE FROM t WHERE id %% 17 = 0", [])
    alike(Window(None, datetime(2025, 11, 10, tzinfo=UTC)), earlier, **options)


def test_sqlite_goes_on_from_a_whole_number_or_a_text(tmp_path: Path) -> None:
    rows = [(i, f"2025-01-{i // 10 + 1:02d}", i * 2, f"v{i:04d}") for i in range(200)]
    for watermark in ("version", "mark"):
        dsn = sqlite_file(tmp_path, "DROP TABLE IF EXISTS t", "CREATE TABLE t (id, at, version, mark)", rows=rows)
        options = {"dsn": dsn, "table": "t", "key": ["id"], "watermark": watermark}
        earlier = snapshot(NOON, **options)
        with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection, connection:
            connection.execute("UPDATE t SET version = version + 1000, mark = 'w' || mark WHERE id = 5")
            connection.execute(
                "INSERT OR IGNORE INTO t SELECT max(id) + 1, '2025-02-01', max(version) + 1, 'x' || max(mark) FROM t"
            )
        assert alike(Window(None, NOON), earlier, **options).endswith("3 read since the last snapshot")
    options |= {"watermark": "at", "time": "at", "time_zone": "UTC"}
    assert alike(Window(None, NOON), snapshot(NOON, **options), **options).endswith("has no watermark to go on from")
