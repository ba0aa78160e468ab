"""Sources whose values carry their types: databases and lines of JSON. Nothing is lost, and no type is a guess."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.rows import TupleRow
from pydantic import ValidationError

from mlctl import kinds
from mlctl.errors import ConfigError, DataError, ExternalError
from mlctl.sources import Window


class RangeRequests(SimpleHTTPRequestHandler):
    """A plain web server of one folder that answers the requests for parts that object stores answer."""

    folder: Path

    def do_HEAD(self) -> None:
        self.answer(send=False)

    def do_GET(self) -> None:
        self.answer(send=True)

    def answer(self, send: bool) -> None:
        path = self.folder / self.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        if wanted is not None:
            first = int(wanted[1]) if wanted[1] else max(0, len(data) - int(wanted[2]))
            last = min(int(wanted[2]), last) if wanted[1] and wanted[2] else last
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 10:00:00 GMT")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        if send:
            self.wfile.write(data[first : last + 1])

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


ALL = Window(None, datetime(2100, 1, 1, tzinfo=UTC))


def read(kind: str, **options: Any) -> pl.DataFrame:
    module = kinds.load("sources", kind)
    table: pl.DataFrame = module.scan(module.Options(kind=kind, name="orders", **options), ALL).collect()
    return table


def lines(folder: Path, *text: str) -> str:
    path = folder / "orders.ndjson"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return str(path)


def sqlite(folder: Path, columns: str, rows: Sequence[Sequence[Any]]) -> str:
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute(f"create table orders ({columns})")
        connection.executemany(f"insert into orders values ({', '.join('?' * len(rows[0]))})", rows)
    return f"sqlite:///{folder}/shop.db"


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
        ('{"n": 1, "n": 2}', "a key stands twice"),
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


def test_a_type_that_changes_late_in_a_table_is_not_lost(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(i, i % 7) for i in range(120_000)]
    dsn = sqlite(tmp_path, "id integer, amount", [*rows, (120_000, "N/A")])

    with pytest.raises(DataError, match=r"row 120001: column amount holds a text where it held a whole number before"):
        read("sql", dsn=dsn, table="orders")

    assert read("sql", dsn=dsn, query="select * from orders where id < 120000").height == 120_000


def test_a_query_that_writes_and_a_password_in_yaml_are_refused(tmp_path: Path) -> None:
    dsn = sqlite(tmp_path, "id text", [("007",)])
    assert read("sql", dsn=dsn, table="orders").rows() == [("007",)]
    for query in ("delete from orders", "select 1; drop table orders"):
        with pytest.raises(ValidationError, match="one SELECT"):
            read("sql", dsn=dsn, query=query)
    with pytest.raises(DataError, match="not readable as sql"):
        read("sql", dsn=dsn, query="with x as (select 1) insert into orders select 'y' returning id")
    with pytest.raises(ValidationError, match="holds a password"):
        read("sql", dsn="postgresql://ann:secret@db/shop", table="orders")


def test_postgresql_gives_its_own_types_and_utc(
    connection: psycopg.Connection[TupleRow], postgres_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlctl.database import server_url

    connection.execute("create table orders (id text, at timestamptz, local timestamp, paid numeric(12,2), n bigint)")
    connection.execute(
        "insert into orders values ('007', '2026-03-01 12:00+02', '2026-03-01 12:00', 19.99, 9007199254740993),"
        " ('8', null, null, null, null)"
    )
    connection.commit()
    monkeypatch.setenv("SHOP_DSN", server_url(postgres_root))

    found = read("sql", dsn="${oc.env:SHOP_DSN}", table="public.orders", time="at")

    noon = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found.select("id", "at", "paid", "n").rows() == [
        ("007", noon, 19.99, 9007199254740993),
        ("8", None, None, None),
    ]
    assert found.schema["at"] == pl.Datetime("us", "UTC")
    texts = read("sql", dsn="${oc.env:SHOP_DSN}", query="select paid from orders where id = '007'", decimals="text")
    assert texts.rows() == [("19.99",)]
    with pytest.raises(DataError, match="has no time zone"):
        read("sql", dsn="${oc.env:SHOP_DSN}", table="orders", time="local")
    berlin = read("sql", dsn="${oc.env:SHOP_DSN}", table="orders", time="local", time_zone="Europe/Berlin")
    assert berlin["local"][0] == datetime(2026, 3, 1, 11, tzinfo=UTC)
    strange = "select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u, '{\"a\": 1}'::jsonb as j"
    assert read("sql", dsn="${oc.env:SHOP_DSN}", query=strange)["u"].to_list() == [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    ]
    with pytest.raises(DataError, match="column l holds List"):
        read("sql", dsn="${oc.env:SHOP_DSN}", query="select array[1, 2] as l")
    with pytest.raises(DataError, match="not readable as sql"):
        read(
            "sql",
            dsn="${oc.env:SHOP_DSN}",
            query="with x as (insert into orders values ('9') returning id) select * from x",
        )
    with pytest.raises(DataError, match="does not exist"):
        read("sql", dsn="${oc.env:SHOP_DSN}", table="nothing")


def test_a_database_that_is_away_and_a_variable_that_is_not_set_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", "postgresql://nobody@127.0.0.1:1/shop")
    with pytest.raises(ExternalError):
        read("sql", dsn="${oc.env:SHOP_DSN}", table="orders")
    monkeypatch.delenv("SHOP_DSN")
    with pytest.raises(ConfigError, match="SHOP_DSN is not set"):
        read("sql", dsn="${oc.env:SHOP_DSN}", table="orders")


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


def test_parquet_behind_a_uri_is_read_whole_and_a_missing_one_is_told(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": ["007", "8"], "kind": pl.Series(["a", "b"], dtype=pl.Categorical), "n": [1, 2]})
    table.write_parquet(tmp_path / "orders.parquet")

    class Quiet(RangeRequests):
        folder = tmp_path

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        for uri in (f"file://{tmp_path}/orders.parquet", f"{address}/orders.parquet"):
            assert read("parquet", path=uri).rows() == [("007", "a", 1), ("8", "b", 2)]
        with pytest.raises((DataError, ExternalError)) as told:
            read("parquet", path=f"{address}/nothing.parquet?token=secret")
    finally:
        server.shutdown()
    assert "secret" not in str(told.value).partition("why:")[0]


def test_whole_numbers_of_one_file_and_fractions_of_another_are_numbers_where_that_is_exact(tmp_path: Path) -> None:
    pl.DataFrame({"n": pl.Series([1], dtype=pl.Int32)}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"n": [2**40]}).write_parquet(tmp_path / "2.parquet")
    assert read("parquet", path=str(tmp_path))["n"].to_list() == [1, 2**40]
    pl.DataFrame({"n": [0.5]}).write_parquet(tmp_path / "3.parquet")
    assert read("parquet", path=str(tmp_path))["n"].to_list() == [1.0, 2.0**40, 0.5]
    pl.DataFrame({"n": [2**60 + 1]}).write_parquet(tmp_path / "4.parquet")
    with pytest.raises(DataError, match=r"4\.parquet\nwhy: column n holds whole numbers that are not exact"):
        read("parquet", path=str(tmp_path))


def test_with_a_watermark_only_what_came_since_is_read_and_the_result_is_that_of_a_full_read(tmp_path: Path) -> None:
    old = [("a", 1, "2026-01-01T10:00Z", 5), ("b", 2, "2026-01-02T10:00Z", 6), ("c", 3, "2026-01-03T10:00Z", 7)]
    dsn = sqlite(tmp_path, "id text, changed integer, at text, n integer", old)
    options = {"dsn": dsn, "table": "orders", "time": "at", "key": ["id"], "watermark": "changed"}
    module = kinds.load("sources", "sql")

    def again(previous: pl.DataFrame | None) -> pl.DataFrame:
        found: pl.DataFrame = module.scan(module.Options(kind="sql", name="orders", **options), ALL, previous).collect()
        return found.sort("id")

    first = again(None)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("update orders set n = 60, changed = 4 where id = 'b'")
        connection.execute("insert into orders values ('d', 5, '2026-01-04T10:00Z', 8)")
        # a change that moves no watermark shows that the row was not read again
        connection.execute("update orders set n = 99 where id = 'a'")

    assert again(first)["n"].to_list() == [5, 60, 7, 8]
    assert again(None)["n"].to_list() == [99, 60, 7, 8]
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("delete from orders where id = 'c'")
    assert again(first).rows() == again(None).rows(), "a deleted row is noticed by the count, and all is read"
    with pytest.raises(ValidationError, match="needs `key`"):
        read("sql", dsn=dsn, table="orders", watermark="changed")
