"""From a database into a snapshot: what is told, what a second snapshot reads, what a refusal says."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from tests.world import commit, git, make_workspace, mlctl, replace

PROJECT = """\
name: shop
entity: {key: customer_id}
sources:
  orders:
    {kind: sql, dsn: "${oc.env:SHOP_DSN}", table: orders, time: ordered_at, key: [order_id], watermark: version}
features:
  orders: {kind: count, source: orders, windows: [30d]}
label: {kind: count, source: orders, horizon: 30d, is: 0}
refresh: {as_of: 2025-06-01}
"""


def shop(folder: Path, *statements: str) -> str:
    path = folder.parent / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return f"sqlite:///{path}"


@pytest.fixture
def company(tmp_path: Path) -> tuple[Path, str]:
    """A workspace whose orders lie in an SQLite file: 600 of them, one every six hours from 2025-01-01 on."""
    folder = make_workspace(tmp_path / "workspace", PROJECT)
    dsn = shop(
        folder,
        "CREATE TABLE orders (order_id INTEGER, customer_id TEXT, ordered_at TEXT, version INTEGER, amount)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 599) INSERT INTO orders SELECT i, 'c' || i % 7, "
        "strftime('%Y-%m-%dT%H:%M:%SZ', '2025-01-01', (i * 6) || ' hours'), i, i / 4.0 FROM n",
    )
    return folder, dsn


def test_a_second_snapshot_reads_what_is_later_and_is_the_one_that_a_fresh_clone_takes(
    company: tuple[Path, str], tmp_path: Path
) -> None:
    folder, dsn = company
    first = mlctl(folder, "ingest", "shop", SHOP_DSN=dsn)
    assert first.returncode == 0, first.stderr
    assert "orders: 600 rows of 600 rows counted by the database" in first.stderr

    shop(folder, "UPDATE orders SET amount = 1000, version = 9000 WHERE order_id = 3")
    shop(folder, "INSERT INTO orders VALUES (600, 'c9', '2025-06-03T00:00:00Z', 9001, 5)")
    second = mlctl(folder, "ingest", "shop", "--as-of", "2025-06-05", SHOP_DSN=dsn)
    assert second.returncode == 0, second.stderr
    assert "orders: 601 rows of 601 rows counted by the database, 3 read since the last snapshot" in second.stderr
    commit(folder, "a later snapshot")

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(folder), str(clone))
    again = mlctl(clone, "ingest", "shop", SHOP_DSN=dsn)
    assert again.returncode == 0, again.stderr
    assert "hashes to what data.dvc pins" in again.stdout + again.stderr
    same = [json.loads((place / "data/shop/snapshot.json").read_text()) for place in (folder, clone)]
    assert same[0] == same[1]


def test_a_past_that_was_rewritten_is_told_and_read_in_full(company: tuple[Path, str]) -> None:
    folder, dsn = company
    assert mlctl(folder, "ingest", "shop", SHOP_DSN=dsn).returncode == 0
    shop(folder, "UPDATE orders SET version = 1, amount = 7 WHERE order_id = 500")
    done = mlctl(folder, "ingest", "shop", "--as-of", "2025-06-05", SHOP_DSN=dsn)
    assert done.returncode == 0, done.stderr
    assert "600 rows counted by the database, read in full: the database changed rows" in done.stderr


def test_a_database_that_is_away_a_table_that_is_missing_and_a_secret_in_the_yaml_end_differently(
    company: tuple[Path, str],
) -> None:
    folder, dsn = company
    away = mlctl(folder, "ingest", "shop", SHOP_DSN="postgresql://ann:s3cret@127.0.0.1:1/shop")
    assert (away.returncode, "s3cret" in away.stdout + away.stderr) == (7, False)
    unset = mlctl(folder, "ingest", "shop")
    assert (unset.returncode, "SHOP_DSN is not set" in unset.stderr) == (2, True)
    replace(folder / "projects/shop/project.yaml", "table: orders", "table: ordes")
    missing = mlctl(folder, "ingest", "shop", SHOP_DSN=dsn)
    assert (missing.returncode, "no such table" in missing.stderr) == (3, True)
    replace(folder / "projects/shop/project.yaml", "${oc.env:SHOP_DSN}", "postgresql://ann:s3cret@db/shop")
    secret = mlctl(folder, "ingest", "shop")
    assert (secret.returncode, "put the whole dsn into the environment" in secret.stderr) == (2, True)
    assert "s3cret" not in secret.stdout + secret.stderr


def test_composing_writes_the_reference_and_not_the_secret(company: tuple[Path, str]) -> None:
    folder, dsn = company
    assert mlctl(folder, "compose", "shop", SHOP_DSN=dsn).returncode == 0
    params = (folder / "projects/shop/params.yaml").read_text()
    assert "${oc.env:SHOP_DSN}" in params
    assert dsn not in params


def test_a_folder_of_odd_daily_files_becomes_a_snapshot_or_tells_the_line(tmp_path: Path) -> None:
    project = """\
name: shop
entity: {key: customer_id}
sources:
  orders: {kind: csv, path: orders, time: day, time_zone: Europe/Berlin, time_format: "%d.%m.%Y", delimiter: ";",
           decimal: ",", thousands: ".", missing: ["", NA], skip: 1, types: {customer_id: text}, absent: missing}
features:
  orders: {kind: count, source: orders, windows: [30d]}
label: {kind: count, source: orders, horizon: 30d, is: 0}
refresh: {as_of: 2025-06-01}
"""
    folder = make_workspace(tmp_path / "workspace", project)
    (folder / "orders").mkdir()
    (folder / "orders/1.csv").write_text(
        "Orders of May\ncustomer_id;day;amount\n007;01.05.2025;12\n008;02.05.2025;NA\n"
    )
    (folder / "orders/2.csv").write_bytes(b"Orders of May\rcoupon;amount;day;customer_id\rX;1.234,5;03.05.2025;9\r")
    done = mlctl(folder, "ingest", "shop")
    assert done.returncode == 0, done.stderr
    assert "orders: 3 rows of 3 records counted in 2 files" in done.stderr
    orders = pl.read_parquet(folder / "data/shop/orders.parquet")
    assert orders.select("customer_id", "amount", "coupon").rows() == [
        ("007", 12.0, None),
        ("008", None, None),
        ("9", 1234.5, "X"),
    ]
    assert str(orders["day"][0]) == "2025-04-30 22:00:00+00:00"

    (folder / "orders/3.csv").write_text("Orders of May\ncustomer_id;day;amount\n1;04.05.2025;1\n2;soon;1\n")
    done = mlctl(folder, "ingest", "shop", "--as-of", "2025-06-02")
    assert done.returncode == 3
    assert "such as 'soon' on line 4 of 3.csv" in done.stderr
