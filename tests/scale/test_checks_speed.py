"""Twenty rules on two million rows, against the same rules written by hand: python -m pytest -m scale tests/scale -s."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl.checks import Context
from mlctl.stages._checking import run_checks
from tests import shop_tables

pytestmark = pytest.mark.scale

ROWS = 2_000_000
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS: dict[str, dict[str, Any]] = {
    "contract": {
        "kind": "columns",
        "source": "orders",
        "severity": "quarantine",
        "columns": {
            "order_id": {"type": "integer", "nullable": False, "min": 0},
            "customer_id": {"type": "text", "nullable": False, "matches": "c[0-9]{7}"},
            "amount": {"type": "number", "nullable": False, "min": 0, "max": 100_000},
            "quantity": {"type": "integer", "nullable": False, "min": 1, "max": 100},
            "channel": {"type": "text", "nullable": False, "one_of": ["web", "store", "app"]},
        },
    },
    "once": {"kind": "unique", "source": "orders", "columns": ["order_id"], "severity": "quarantine"},
    "sense": {"kind": "sql", "source": "orders", "condition": "amount >= quantity * 0.01"},
    "fresh": {"kind": "freshness", "source": "orders", "max_age": "2d"},
}
RULES = 21
COSTLY: dict[str, dict[str, Any]] = {
    "texts": {"kind": "text", "source": "orders", "columns": ["customer_id", "channel"]},
    "damage": {"kind": "mojibake", "source": "orders", "columns": ["customer_id"]},
    "clock": {"kind": "time", "source": "orders", "column": "ordered_at", "zone_by": "channel"},
    "unit": {"kind": "outliers", "source": "orders", "column": "amount", "by": ["channel"], "time": "ordered_at"},
    "volume": {"kind": "volume", "source": "orders"},
    "alive": {"kind": "values", "source": "orders", "columns": ["channel", "quantity"], "time": "ordered_at"},
    "whose": {"kind": "references", "source": "orders", "columns": ["customer_id"], "target": "customers"},
}


def orders(bad_every: int = 100_003) -> pl.DataFrame:
    random = np.random.default_rng(3)
    number = np.arange(ROWS)
    bad = number % bad_every == 0
    return pl.DataFrame(
        {
            "order_id": number,
            "customer_id": "c" + pl.Series(random.integers(0, 500_000, ROWS)).cast(pl.String).str.zfill(7),
            "amount": np.where(bad, -1.0, np.round(random.lognormal(3, 0.7, ROWS) + 1, 2)),
            "quantity": random.integers(1, 9, ROWS),
            "channel": random.choice(["web", "store", "app"], ROWS),
            "ordered_at": pl.Series(1_704_067_200_000_000 + number * 31_500_000).cast(pl.Datetime("us", "UTC")),
        }
    )


CUSTOMERS = pl.DataFrame({"customer_id": "c" + pl.Series(range(500_000)).cast(pl.String).str.zfill(7)})


def by_hand(table: pl.DataFrame) -> dict[str, int]:
    """The same rules as a person would write them in Polars: counts alone."""
    c = pl.col
    return table.select(
        *(c(name).is_null().sum().alias(f"{name}.null") for name in table.columns[:5]),
        (c("order_id") < 0).sum().alias("order_id.min"),
        (~c("customer_id").str.contains("^(?:c[0-9]{7})$")).sum().alias("matches"),
        (c("amount") < 0).sum().alias("amount.min"),
        (c("amount") > 100_000).sum().alias("amount.max"),
        (~c("amount").is_finite()).sum().alias("amount.finite"),
        (c("quantity") < 1).sum().alias("quantity.min"),
        (c("quantity") > 100).sum().alias("quantity.max"),
        (~c("channel").is_in(["web", "store", "app"])).sum().alias("one_of"),
        (~c("order_id").is_first_distinct()).sum().alias("duplicate"),
        (c("amount") < c("quantity") * 0.01).sum().alias("sense"),
        c("ordered_at").max().dt.epoch("s").alias("newest"),
    ).row(0, named=True)


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def test_twenty_rules_on_two_million_rows_take_less_than_two_seconds() -> None:
    project = shop_tables.project(CHECKS)
    table = orders()
    damaged = orders(10)

    def checks(rows: pl.DataFrame) -> Any:
        tables = {"orders": rows}
        return run_checks(project, tables, Context(AS_OF, tables, {"orders": "ordered_at"}))

    outcome = checks(table)
    assert sum(len(ran) for ran in outcome.ran.values()) == RULES
    assert {seen for ran in outcome.ran.values() for seen in ran.values()} == {ROWS}
    (negative,) = [finding for finding in outcome.findings["orders"] if finding.rule == "orders.amount.min"]
    assert len(negative.rows) == by_hand(table)["amount.min"] == 20
    figures = {
        f"mlctl, {RULES} rules, 20 bad rows": seconds(lambda: checks(table)),
        f"mlctl, {RULES} rules, 200,000 rows break 2 rules each": seconds(lambda: checks(damaged)),
        "the same counted by hand in Polars": seconds(lambda: by_hand(table)),
    }
    print(f"\n{ROWS:,} rows, best of 3, {os.cpu_count()} cores")
    for what, taken in figures.items():
        print(f"  {what:<55} {taken:6.3f} s  {ROWS * RULES / taken / 1e6:8.0f} million rules x rows / s")
    assert max(figures.values()) < 2


def test_the_kinds_that_look_at_histories_and_other_tables_are_measured_too() -> None:
    table = orders(ROWS)
    tables = {"orders": table, "customers": CUSTOMERS}
    print(f"\n{ROWS:,} rows, best of 2")
    for name, check in COSTLY.items():
        project = shop_tables.project({name: check})
        context = Context(AS_OF, tables, {"orders": "ordered_at"})
        taken = seconds(lambda project=project, context=context: run_checks(project, tables, context), 2)
        rules = project.checks[name].rules()
        print(f"  {check['kind']:<12} {rules:>3} rules {taken:6.3f} s")
        assert taken < 2
