"""Five hundred clean tables of every shape, and a contract of every kind by its defaults: no refusal, no quarantine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests import shop_tables

AS_OF = shop_tables.AS_OF
WORDS = ("Zürich", "São Paulo", "東京", "O'Neill", "a-b", "x + y", "@home", "Łódź", "crème brûlée", "none", "½ l")


def numbers(random: np.random.Generator, rows: int) -> np.ndarray[Any, Any]:
    """One of ten shapes, from a bell curve to tails without a variance."""
    shapes = (
        lambda: random.normal(0, 1, rows),
        lambda: random.lognormal(3, 1.5, rows),
        lambda: random.pareto(1.2, rows) + 1,
        lambda: random.standard_t(2, rows),
        lambda: random.exponential(40, rows),
        lambda: random.uniform(-5, 5, rows),
        lambda: np.where(random.random(rows) < 0.8, 0.0, random.lognormal(2, 1, rows)),
        lambda: random.poisson(3, rows).astype(float),
        lambda: random.gamma(0.5, 20, rows),
        lambda: np.round(random.normal(1e6, 10, rows), 2),
    )
    made: np.ndarray[Any, Any] = shapes[random.integers(len(shapes))]()
    return made


def moments(random: np.random.Generator, rows: int) -> pl.Series:
    """Moments of half a year with quiet weekends, by daylight or round the clock, growing or not; the newest is new."""
    days = 180
    weight = np.where(np.arange(days) % 7 >= 5, random.uniform(0.1, 1), 1.0) * np.linspace(
        1, random.uniform(0.5, 3), days
    )
    day = random.choice(days, rows, p=weight / weight.sum())
    day[0] = days - 1
    hour = random.uniform(0, 24, rows) if random.random() < 0.5 else np.clip(random.normal(13, 3, rows), 0, 23.9)
    seconds = pl.Series((day * 86_400 + hour * 3600).astype(np.int64) * 1_000_000).cast(pl.Duration("us"))
    start = pl.Series([AS_OF - timedelta(days=days)], dtype=pl.Datetime("us", "UTC"))
    return start.new_from_index(0, rows) + seconds


def clean_table(seed: int) -> pl.DataFrame:
    """A table of 1 to 2,000 rows; every fourth has missing values in its numbers and texts."""
    random = np.random.default_rng(seed)
    rows = int(random.choice([1, 2, 5, 17, 60, 250, 900, 2000]))
    skew = random.dirichlet(np.full(3, random.uniform(0.5, 5)))
    gaps = pl.Series(random.random(rows) < (0.1 if seed % 4 == 0 else 0))
    at = moments(random, rows)
    table = pl.DataFrame(
        {
            "order_id": [f"o{number:05d}" for number in random.permutation(rows)],
            "customer_id": [f"c{number:03d}" for number in random.integers(0, 50, rows)],
            "amount": pl.Series(numbers(random, rows)).set(gaps, None),
            "other": numbers(random, rows),
            "whole": random.integers(-(10**6), 10**6, rows),
            "flag": random.random(rows) < 0.3,
            "channel": random.choice(["web", "store", "app"], rows, p=skew),
            "note": pl.Series(random.choice(WORDS, rows)).set(gaps, None),
            "ordered_at": at,
            "known_at": at.dt.offset_by("2h"),
        }
    )
    return table.sort("ordered_at")


def default_contract() -> dict[str, dict[str, Any]]:
    """Every kind with nothing but what it cannot know: columns, keys, and how old is too old."""
    of = {"source": "orders"}
    types = {"order_id": "text", "amount": "number", "other": "number", "whole": "integer", "flag": "boolean"}
    return {
        "contract": {"kind": "columns", **of, "columns": {name: {"type": word} for name, word in types.items()}},
        "rows": {"kind": "rows", **of},
        "once": {"kind": "unique", **of, "columns": ["order_id"]},
        "whole_rows": {"kind": "unique", **of},
        "damage": {"kind": "mojibake", **of, "columns": ["note", "channel"]},
        "texts": {"kind": "text", **of, "columns": ["note", "channel", "order_id"]},
        "clock": {"kind": "time", **of, "column": "ordered_at", "knowledge_time": "known_at", "zone_by": "channel"},
        "amount": {"kind": "outliers", **of, "column": "amount", "time": "ordered_at"},
        "amount_by": {"kind": "outliers", **of, "column": "amount", "time": "ordered_at", "by": ["channel"]},
        "other": {"kind": "outliers", **of, "column": "other", "time": "ordered_at", "every": "week"},
        "whole": {"kind": "outliers", **of, "column": "whole"},
        "fresh": {"kind": "freshness", **of},
        "volume": {"kind": "volume", **of},
        "weeks": {"kind": "volume", **of, "every": "week"},
        "whose": {"kind": "references", **of, "columns": ["customer_id"], "target": "customers", "at_most": 1},
        "sense": {"kind": "sql", **of, "condition": "known_at >= ordered_at"},
        "alive": {"kind": "values", **of, "columns": ["order_id"], "time": "ordered_at"},
    }


CUSTOMERS = pl.DataFrame({"customer_id": [f"c{number:03d}" for number in range(50)]})


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_fifty_clean_tables_are_left_alone(first: int) -> None:
    contract = default_contract()
    told = {}
    for seed in range(first, first + 50):
        table = clean_table(seed)
        planted = {"orders": table, "customers": CUSTOMERS, "items": pl.DataFrame({"order_id": []})}
        findings = shop_tables.found(planted, contract)
        if findings:
            told[seed] = [finding.sentence() for finding in findings.values()]

    assert told == {}


def test_the_tables_are_of_many_shapes() -> None:
    heights = [clean_table(seed).height for seed in range(500)]

    assert min(heights) == 1
    assert max(heights) == 2000
    assert datetime(2025, 12, 1, tzinfo=UTC) == AS_OF
