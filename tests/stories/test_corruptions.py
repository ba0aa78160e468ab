"""Fifty ways in which a table goes wrong: each is stopped or set aside, with the column, the rule, a count and an example."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tests import shop_tables

Tables = dict[str, pl.DataFrame]
C = pl.col


def put(column: str, values: dict[int, Any], table: str = "orders") -> Callable[[Tables], Tables]:
    """Other values in single rows."""

    def change(tables: Tables) -> Tables:
        series = tables[table][column]
        changed = series.to_list()
        for row, value in values.items():
            changed[row] = value
        return {**tables, table: tables[table].with_columns(pl.Series(column, changed, dtype=series.dtype))}

    return change


def on(make: Callable[[pl.DataFrame], pl.DataFrame], table: str = "orders") -> Callable[[Tables], Tables]:
    return lambda tables: {**tables, table: make(tables[table])}


def where(condition: pl.Expr, column: str, value: pl.Expr) -> Callable[[Tables], Tables]:
    return on(lambda rows: rows.with_columns(pl.when(condition).then(value).otherwise(C(column)).alias(column)))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def again(rows: pl.DataFrame, changed: pl.Expr) -> pl.DataFrame:
    """The first five orders once more, changed."""
    return pl.concat([rows, rows.head(5).with_columns(changed)])


def swapped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.rename({"order_id": "customer_id", "customer_id": "order_id"}).select(rows.columns)


def late(rows: pl.DataFrame) -> pl.DataFrame:
    """From October on, the local time of Berlin is written into the column of UTC, and so it was in summer."""
    local = C("ordered_at").dt.convert_time_zone("Europe/Berlin").dt.replace_time_zone(None).dt.replace_time_zone("UTC")
    return rows.with_columns(local.alias("ordered_at"), local.dt.offset_by("1h").alias("known_at"))


DAY = C("ordered_at").dt.date()
NOON = utc(2025, 8, 1, 12)
# what is planted, then the rule that tells it, its severity, and the number of rows that it names
CORRUPTIONS: dict[str, tuple[Callable[[Tables], Tables], str, str, int]] = {
    "NaN": (put("amount", {7: float("nan")}), "orders.amount.finite", "quarantine", 1),
    "infinity": (put("amount", {7: float("inf"), 8: float("-inf")}), "orders.amount.finite", "quarantine", 2),
    "missing values": (put("amount", {1: None, 2: None}), "orders.amount.null", "quarantine", 2),
    "a column all missing": (on(lambda t: t.with_columns(note=pl.lit(None, dtype=pl.String))), "orders.note.empty", "fail", 0),
    "a fifth of a column missing": (where(C("order_id").str.ends_with("0") | C("order_id").str.ends_with("5"), "amount", pl.lit(None)), "orders.amount.missing_share", "fail", 0),
    "a renamed column": (on(lambda t: t.rename({"amount": "amounts"})), "orders.amount.missing", "fail", 0),
    "a missing column": (on(lambda t: t.drop("channel")), "orders.channel.missing", "fail", 0),
    "an extra column": (on(lambda t: t.with_columns(surprise=pl.lit(1))), "orders.columns.extra", "fail", 0),
    "a number that became text": (on(lambda t: t.with_columns(C("amount").cast(pl.String))), "orders.amount.type", "fail", 0),
    "ids that became numbers": (on(lambda t: t.with_columns(C("order_id").str.slice(1).cast(pl.Int64))), "orders.order_id.type", "fail", 0),
    "times that became text": (on(lambda t: t.with_columns(C("ordered_at").dt.strftime("%d/%m/%Y %H:%M"))), "orders.ordered_at.type", "fail", 0),
    "lost zeros in front": (put("customer_id", {9: "c7"}), "orders.customer_id.matches", "quarantine", 1),
    "an id in scientific form": (put("order_id", {9: "1e5"}), "orders.order_id.matches", "quarantine", 1),
    "swapped columns": (on(swapped), "orders.order_id.matches", "quarantine", 7320),
    "a negative amount": (put("amount", {3: -12.5}), "orders.amount.min", "quarantine", 1),
    "a quantity of a thousand": (put("quantity", {3: 1000}), "orders.quantity.max", "quarantine", 1),
    "a total beyond 64 bits": (put("quantity", {3: 2**62, 4: 2**62}), "orders.quantity.overflow", "fail", 0),
    "a value that nobody announced": (put("channel", {3: "fax"}), "orders.channel.one_of", "quarantine", 1),
    "a class that no longer comes": (where((C("ordered_at") > utc(2025, 11, 1)) & (C("channel") == "app"), "channel", pl.lit("web")), "orders.channel.vanished", "fail", 0),
    "a class that took another's place": (where((C("ordered_at") > utc(2025, 11, 1)) & (C("note") == "gift"), "note", pl.lit("present")), "orders.note.new", "fail", 0),
    "a column of one value": (on(lambda t: t.with_columns(channel=pl.lit("web"))), "orders.channel.constant", "fail", 0),
    "a delivery that came twice": (on(lambda t: pl.concat([t, t.filter(NOON.date() == DAY)])), "orders.duplicate", "quarantine", 40),
    "near duplicates with new ids": (on(lambda t: again(t, ("o9" + C("order_id").str.slice(2)).alias("order_id"))), "orders.duplicate", "quarantine", 5),
    "one id for two orders": (put("order_id", {11: "o00010"}), "orders.duplicate", "quarantine", 1),
    "UTF-8 read as Latin-1": (put("note", {4: "fÃ¼r ZoÃ«"}), "orders.note.mojibake", "quarantine", 1),
    "UTF-8 read as Windows-1252": (put("note", {4: "itâ€™s late"}), "orders.note.mojibake", "quarantine", 1),
    "replacement characters": (put("note", {4: "f\ufffdr Zo\ufffd"}), "orders.note.mojibake", "quarantine", 1),
    "a NUL in a text": (put("note", {4: "gi\0ft"}), "orders.note.control", "quarantine", 1),
    "a byte-order mark in a key": (put("order_id", {0: "\ufefff00000"}), "orders.order_id.control", "quarantine", 1),
    "a key with invisible space": (put("customer_id", {4: "c\u200b004"}), "orders.customer_id.control", "quarantine", 1),
    "letters in two parts": (put("note", {4: unicodedata.normalize("NFD", "für Zoë")}), "orders.note.not_nfc", "quarantine", 1),
    "a space behind a key": (put("customer_id", {4: "c004 "}), "orders.customer_id.outer_space", "quarantine", 1),
    "a formula": (put("note", {4: "=cmd|' /C calc'!A0"}), "orders.note.formula", "quarantine", 1),
    "a text of a megabyte": (put("note", {4: "x" * 2**20}), "orders.note.too_long", "quarantine", 1),
    "no moment": (put("ordered_at", {4: None}), "orders.ordered_at.impossible", "quarantine", 1),
    "the epoch": (put("ordered_at", {4: utc(1970, 1, 1)}), "orders.ordered_at.sentinel", "quarantine", 1),
    "the end of 64-bit nanoseconds": (put("ordered_at", {4: utc(2262, 4, 11, 23, 47)}), "orders.ordered_at.sentinel", "quarantine", 1),
    "the end of the calendar": (put("ordered_at", {4: utc(9999, 12, 31)}), "orders.ordered_at.sentinel", "quarantine", 1),
    "before the business began": (put("ordered_at", {4: utc(2015, 6, 1)}), "orders.ordered_at.impossible", "quarantine", 1),
    "an event of tomorrow": (put("ordered_at", {4: utc(2025, 12, 2)}), "orders.ordered_at.future", "quarantine", 1),
    "known before it happened": (put("known_at", {4: utc(2025, 5, 1)}), "orders.ordered_at.known_before", "quarantine", 1),
    "one channel on another clock": (where(C("channel") == "store", "ordered_at", C("ordered_at").dt.offset_by("-8h")), "orders.ordered_at.zone", "quarantine", -1),
    "local time sold as UTC": (on(late), "orders.ordered_at.local", "fail", 0),
    "a day in cents": (where((NOON.date() == DAY) & (C("channel") == "web"), "amount", C("amount") * 100), "orders.amount.unit", "quarantine", -1),
    "a week a thousand times too small": (where(DAY.is_between(NOON.date(), NOON.date() + timedelta(days=6)), "amount", C("amount") / 1000), "orders.amount.unit", "quarantine", -1),
    "one amount with a slipped key": (put("amount", {4: 4.5e9}), "orders.amount.outlier", "quarantine", 1),
    "a feed that stopped": (on(lambda t: t.filter(C("ordered_at") < utc(2025, 11, 25))), "orders.ordered_at.stale", "fail", 0),
    "a missing day": (on(lambda t: t.filter(NOON.date() != DAY)), "orders.ordered_at.volume_missing", "fail", 0),
    "a day cut short": (on(lambda t: t.filter((NOON.date() != DAY) | C("order_id").str.ends_with("0"))), "orders.ordered_at.volume_low", "fail", 0),
    "a day of three times the orders": (on(lambda t: pl.concat([t, *[t.filter(NOON.date() == DAY)] * 2])), "orders.ordered_at.volume_high", "fail", 0),
    "an empty table": (on(lambda t: t.clear()), "orders.rows", "fail", 0),
    "a table cut short": (on(lambda t: t.head(900)), "orders.rows", "fail", 0),
    "orders of nobody": (put("customer_id", {4: "c999", 5: "c998"}), "orders.customer_id.orphan", "quarantine", 2),
    "a customer that stands twice": (on(lambda t: pl.concat([t, t.head(1)]), "customers"), "orders.customer_id.too_many", "quarantine", -1),
    "an order without items": (on(lambda t: t.filter(C("order_id") != "o00004"), "items"), "orders.order_id.orphan", "quarantine", 1),
    "a total that is not its parts": (put("price", {4: 999.0}, "items"), "orders.amount.sum", "quarantine", 1),
    "a price that makes no sense": (put("amount", {4: 0.05}), "orders.price_of_one", "quarantine", 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def clean() -> Tables:
    return shop_tables.tables()


def test_the_clean_shop_has_no_finding(clean: Tables) -> None:
    assert shop_tables.found(clean) == {}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_told_with_column_rule_count_and_example(clean: Tables, name: str) -> None:
    plant, rule, severity, rows = CORRUPTIONS[name]

    told = shop_tables.found(plant(clean))

    assert rule in told, sorted(told)
    finding = told[rule]
    assert finding.severity == severity
    if rows >= 0:
        assert len(finding.rows) == rows
    else:
        assert len(finding.rows) >= 10
    if finding.rows:
        assert f"{len(finding.rows):,} " in finding.value or f"{len(finding.rows)} " in finding.value
        assert "such as" in finding.value or "hours off" in finding.value
    assert finding.limit
    assert len(finding.sentence()) < 1000


def test_the_order_of_columns_means_nothing(clean: Tables) -> None:
    reordered = {**clean, "orders": clean["orders"].select(reversed(clean["orders"].columns))}

    assert shop_tables.found(reordered) == {}


def test_a_change_of_unit_is_told_with_its_ratio_and_its_first_moment(clean: Tables) -> None:
    plant, rule, _, _ = CORRUPTIONS["a day in cents"]
    planted = plant(clean)
    rows = planted["orders"].with_row_index("row").filter((NOON.date() == DAY) & (C("channel") == "web"))

    finding = shop_tables.found(planted)[rule]

    assert finding.rows == tuple(rows["row"].to_list())
    first = rows["ordered_at"].min()
    assert f"x100 of channel web from {first:%Y-%m-%dT%H:%M:%SZ} on" in finding.value


def test_a_shifted_clock_is_told_with_its_hours(clean: Tables) -> None:
    plant, rule, _, _ = CORRUPTIONS["one channel on another clock"]

    finding = shop_tables.found(plant(clean))[rule]

    assert "rows of channel 'store' -8 hours off the others" in finding.value
    assert len(finding.rows) == clean["orders"].filter(C("channel") == "store").height


def test_every_corruption_has_another_name_and_there_are_more_than_forty() -> None:
    assert len(CORRUPTIONS) >= 50
