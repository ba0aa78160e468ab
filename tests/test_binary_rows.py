"""Rows in PostgreSQL's binary format: what the server reads is what was given."""

from __future__ import annotations

import polars as pl
import pytest

from mlctl.database import binary_rows

INTEGERS = [0, -1, 2**63 - 1, -(2**63), None, 7, 8, 9]
FLOATS = [0.1, -0.0, 1e308, 5e-324, float("nan"), None, float("-inf"), 1 / 3]
TEXTS = ["", None, "a", "ü", "\t\\.\r\n\"'", "日本", "nul", "x" * 300]


def stored(connection, rows: pl.DataFrame, types: str, at_once: int) -> list[tuple]:
    connection.execute(f"CREATE TABLE stored ({types})")
    with connection.cursor() as cursor, cursor.copy("COPY stored FROM STDIN BINARY") as copy:
        copy.write(binary_rows.HEADER)
        for start in range(0, rows.height, at_once):
            copy.write(b"".join(binary_rows.encoded(rows.slice(start, at_once)) or []))
        copy.write(binary_rows.TRAILER)
    return connection.execute("SELECT * FROM stored").fetchall()


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_every_value_arrives_to_the_bit_whatever_stands_beside_it(connection, at_once):
    rows = pl.DataFrame(
        {"whole": INTEGERS, "number": FLOATS, "text": TEXTS, "small": pl.Series(range(8), dtype=pl.UInt8)}
    )
    found = stored(connection, rows, "whole bigint, number float8, text text, small bigint", at_once)

    assert sorted(map(repr, found)) == sorted(map(repr, rows.rows()))


def test_rows_of_one_layout_keep_their_order(connection):
    rows = pl.DataFrame({"key": [f"k{place}" for place in range(9)], "score": [place / 8 for place in range(9)]})

    assert stored(connection, rows, "key text, score float8", 100) == rows.rows()


def test_no_row_is_a_table_too(connection):
    rows = pl.DataFrame(schema={"key": pl.Int64, "word": pl.String})

    assert binary_rows.encoded(rows) == []
    assert stored(connection, rows, "key bigint, word text", 10) == []


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([2**64 - 1], dtype=pl.UInt64),
        pl.Series([None], dtype=pl.Null),
        pl.Series([0.5], dtype=pl.Float32),
        pl.Series([True]),
        pl.Series(["x" * place for place in range(300)]),
    ],
    ids=["too wide", "nothing", "narrow", "truth", "texts of many lengths"],
)
def test_what_does_not_fit_is_told(column):
    assert binary_rows.encoded(column.alias("column").to_frame()) is None
