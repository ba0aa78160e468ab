"""Reads sources of any kind in tests, and writes the files that they read."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from mlctl import kinds
from mlctl.sources import Window

END = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Window(None, datetime(2030, 1, 1, tzinfo=UTC))


def read(kind: str, window: Window = ALL, **options: Any) -> pl.DataFrame:
    """The rows that a source of that kind gives."""
    module = kinds.load("sources", kind)
    table: pl.DataFrame = module.scan(module.Options(kind=kind, name="orders", **options), window).collect()
    return table


def read_csv(folder: Path, data: str | bytes, **options: Any) -> pl.DataFrame:
    """The rows of a CSV file of these bytes."""
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


def written_sqlite(table: pl.DataFrame, folder: Path) -> str:
    """The dsn of an SQLite file whose table `orders` is the table."""
    path = folder / "orders.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE orders ({', '.join(table.columns)})")
        connection.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * table.width)})", table.rows())
    connection.close()
    return f"sqlite:///{path}"


def orders() -> pl.DataFrame:
    """Fifty orders, some at the same moment, not in the order of their times."""
    moments = [datetime(2025, 12, 1, tzinfo=UTC) + timedelta(days=(i * 7) % 25) for i in range(50)]
    return pl.DataFrame({"order_id": [f"o{i}" for i in range(50)], "ordered_at": moments, "amount": range(50)})
