"""The online store by way of a real PostgreSQL: the same bytes elsewhere, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl import online
from mlctl.errors import IntegrityError
from mlctl.online import fleet
from mlctl.online.fleet import Shelf

AGAIN = "mlctl materialize projects/shop"
SHELF, NOW = Shelf("public", "shop"), datetime(2026, 11, 1, tzinfo=UTC)
IDS = ("00000000000000a1", "00000000000000a2", "00000000000000a3")


def made(folder: Path, identity: str, rows: int = 50) -> Path:
    """A store with one generation more."""
    table = pl.DataFrame({"who": [f"c{n:03d}" for n in range(rows)], "spend": [float(n) for n in range(rows)]})
    about = {"as_of": "2026-11-01", "dataset": identity, "release": "r", "key": "who"}
    served = [online.Served("spend", NOW, None, "fallback")]
    online.write(folder, identity, online.Tables(table), about, served)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / online.current(folder)).iterdir()}


def test_who_fetches_has_the_same_bytes_and_asks_again_for_nothing(connection, tmp_path, monkeypatch):
    monkeypatch.setattr(fleet, "_PART_BYTES", 100)  # a part is eight megabytes; here a file shall be several
    here, there = made(tmp_path / "here", IDS[0]), tmp_path / "there"

    assert fleet.publish(connection, SHELF, here, NOW, AGAIN) == (IDS[0], False)
    assert fleet.publish(connection, SHELF, here, NOW, AGAIN) == (IDS[0], True)
    assert fleet.fetch(connection, SHELF, there, AGAIN) == (IDS[0], False)
    assert fleet.fetch(connection, SHELF, there, AGAIN) == (IDS[0], True)

    assert files(there) == files(here)
    store = online.open_store(there, "again")
    assert store is not None
    assert store.row("c007") == {"spend": 7.0}


def test_the_one_before_stays_and_older_ones_go(connection, tmp_path):
    for identity in IDS:
        fleet.publish(connection, SHELF, made(tmp_path / "here", identity), NOW, AGAIN)
    fleet.publish(connection, Shelf("public", "other"), made(tmp_path / "other", IDS[0]), NOW, AGAIN)

    query = "SELECT project, id, live FROM mlctl.online ORDER BY 1, 2"
    assert connection.execute(query).fetchall() == [
        ("other", IDS[0], True), ("shop", IDS[1], False), ("shop", IDS[2], True)
    ]  # fmt: skip
    assert connection.execute("SELECT DISTINCT project, id FROM mlctl.online_parts ORDER BY 1, 2").fetchall() == [
        ("other", IDS[0]), ("shop", IDS[1]), ("shop", IDS[2])
    ]  # fmt: skip


def test_what_came_damaged_does_not_answer(connection, tmp_path):
    there = tmp_path / "there"
    fleet.publish(connection, SHELF, made(tmp_path / "here", IDS[0]), NOW, AGAIN)
    fleet.fetch(connection, SHELF, there, AGAIN)
    fleet.publish(connection, SHELF, made(tmp_path / "here", IDS[1], rows=60), NOW, AGAIN)
    connection.execute("UPDATE mlctl.online_parts SET bytes = substr(bytes, 2) WHERE id = %s", (IDS[1],))

    with pytest.raises(IntegrityError):
        fleet.fetch(connection, SHELF, there, AGAIN)
    assert online.current(there) == IDS[0]
    connection.execute('UPDATE mlctl.online SET manifest = \'{"id": "../../x"}\'')
    with pytest.raises(IntegrityError, match="no generation"):
        fleet.fetch(connection, SHELF, there, AGAIN)


@pytest.mark.parametrize("published", [False, True])
def test_where_nothing_was_put_there_it_is_said(connection, tmp_path, published):
    if published:
        fleet.publish(connection, Shelf("public", "other"), made(tmp_path / "other", IDS[0]), NOW, AGAIN)

    with pytest.raises(IntegrityError, match="--database put"):
        fleet.fetch(connection, SHELF, tmp_path / "there", AGAIN)
    with pytest.raises(IntegrityError, match="mlctl materialize"):
        fleet.publish(connection, SHELF, tmp_path / "there", NOW, AGAIN)
