"""Files that are damaged on their way: each is refused with its place, or read whole and caught by the contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl import kinds
from mlctl.checks import Context
from mlctl.errors import DataError
from mlctl.sources import Window

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "order_id,customer_id,amount,ordered_at,city\n"
LINES = [f"o{n:03d},{n % 50:03d},{n}.50,2025-06-{n % 28 + 1:02d}T10:00:00Z,Zürich\n" for n in range(300)]
WHOLE = HEAD + "".join(LINES)


def text(change: Callable[[str], str]) -> bytes:
    return change(WHOLE).encode()


def line(number: int, new: str) -> bytes:
    """The file with another line; the header is line 1."""
    lines = WHOLE.splitlines(keepends=True)
    lines[number - 1] = new + "\n"
    return "".join(lines).encode()


REFUSED: dict[str, tuple[bytes, dict[str, object], str]] = {
    "a word in a column of numbers, late in the file": (line(290, "o288,038,N/A,2025-06-09T10:00:00Z,Bern"), {"types": {"amount": "number"}}, "line 290"),
    "half a copy": (text(lambda whole: whole[: len(whole) - 30]), {}, "line 301"),
    "a quote that never ends": (line(200, 'o198,048,1.50,2025-06-03T10:00:00Z,"Bern'), {}, "line 200"),
    "a value too many": (line(200, "o198,048,1.50,2025-06-03T10:00:00Z,Bern,CH"), {}, "line 200"),
    "Latin-1 for UTF-8": (WHOLE.encode("latin-1"), {}, "utf-8"),
    "UTF-16 for UTF-8": (WHOLE.encode("utf-16"), {}, "byte 0xff"),
    "a NUL": (line(200, "o198,048,1.50,2025-06-03T10:00:00Z,Be\0rn"), {}, "nul"),
    "a local time without a zone": (text(lambda whole: whole.replace("T10:00:00Z", "T10:00:00")), {}, "zone"),
    "an hour that spring skipped": (line(200, "o198,048,1.50,2025-03-30T02:30:00,Bern").replace(b"00Z", b"00"), {"time_zone": "Europe/Berlin"}, "2025-03-30"),
    "a time that is none": (line(200, "o198,048,1.50,yesterday,Bern"), {}, "yesterday"),
    "a whole number beyond 64 bits": (line(200, "o198,048,9223372036854775808,2025-06-03T10:00:00Z,Bern"), {"types": {"amount": "integer"}}, "line"),
    "a column twice": (text(lambda whole: whole.replace("city", "amount", 1)), {}, "amount"),
    "Parquet under the name of CSV": (b"PAR1\x15" + b"\0" * 100, {}, "Parquet"),
    "nothing at all": (b"", {}, "no bytes"),
}  # fmt: skip


def read(path: Path, **options: object) -> pl.DataFrame:
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    given = {"kind": kind, "name": "orders", "path": str(path), "time": "ordered_at", **options}
    table: pl.DataFrame = (
        kinds.load("sources", kind).scan(kinds.options("sources", given), Window(None, AS_OF)).collect()
    )
    return table


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_file_is_refused_with_the_place(tmp_path: Path, name: str) -> None:
    content, options, words = REFUSED[name]
    path = tmp_path / "orders.csv"
    path.write_bytes(content)

    with pytest.raises(DataError) as error:
        read(path, **options)
    assert words.lower() in str(error.value).lower()


def test_the_whole_file_is_read_whole_with_its_zeros(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())

    table = read(path)

    assert table.height == 300
    # a byte-order mark belongs to no column, and 007 stays 007
    assert table.columns[0] == "order_id"
    assert table["customer_id"][7] == "007"


@pytest.mark.parametrize("cut", [1, 4, 8, 100, 1000, 4096])
def test_a_parquet_file_cut_anywhere_is_refused_and_never_read_in_part(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "orders.parquet"
    table = pl.DataFrame({"ordered_at": [AS_OF] * 20_000, "n": range(20_000)}).with_columns(
        pl.col("ordered_at").dt.offset_by("-1d")
    )
    table.write_parquet(path, compression="uncompressed", row_group_size=1000)
    path.write_bytes(path.read_bytes()[:-cut])

    with pytest.raises((DataError, pl.exceptions.ComputeError)):
        read(path)


def test_a_declared_contract_names_what_a_file_that_can_be_read_still_gets_wrong(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(line(290, "o288,38,N/A,2025-06-09T10:00:00Z,Bern"))
    table = read(path)
    columns = {"amount": {"type": "number"}, "customer_id": {"matches": "[0-9]{3}"}}
    options = kinds.options(
        "checks", {"kind": "columns", "source": "orders", "columns": columns, "severity": "quarantine"}
    )

    found = {finding.rule: finding for finding in kinds.load("checks", "columns").check(options, table, Context(AS_OF))}

    assert found["orders.amount.type"].severity == "fail"
    assert found["orders.customer_id.matches"].value == "1 rows such as '38'"
