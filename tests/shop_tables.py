"""A clean shop of three small tables and its contract, to plant corruptions into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from mlctl.checks import Context
from mlctl.config import validation
from mlctl.findings import Finding
from mlctl.spec import Project
from mlctl.stages._checking import Outcome, run_checks

AS_OF = datetime(2025, 12, 1, tzinfo=UTC)
FIRST = datetime(2025, 6, 1, tzinfo=UTC)
DAYS = 183
A_DAY = 40
CONTRACT: dict[str, dict[str, Any]] = {
    "orders": {
        "kind": "columns",
        "source": "orders",
        "extra": "fail",
        "severity": "quarantine",
        "columns": {
            "order_id": {"type": "text", "nullable": False, "matches": "o[0-9]{5}"},
            "customer_id": {"type": "text", "nullable": False, "matches": "c[0-9]{3}"},
            "amount": {"type": "number", "nullable": False, "min": 0, "max_missing": 0.1, "summed": True},
            "quantity": {"type": "integer", "nullable": False, "min": 1, "max": 100, "summed": True},
            "channel": {"type": "text", "one_of": ["web", "store", "app"]},
            "note": {"type": "text"},
            "ordered_at": {"type": "time", "nullable": False},
            "known_at": {"type": "time"},
        },
    },
    "once": {"kind": "unique", "source": "orders", "columns": ["order_id"], "severity": "quarantine"},
    "really_once": {
        "kind": "unique",
        "source": "orders",
        "columns": ["customer_id", "ordered_at", "amount"],
        "severity": "quarantine",
    },
    "damage": {"kind": "mojibake", "source": "orders", "columns": ["note"], "severity": "quarantine"},
    "texts": {"kind": "text", "source": "orders", "columns": ["order_id", "customer_id", "note"], "severity": "quarantine"},
    "clock": {
        "kind": "time",
        "source": "orders",
        "column": "ordered_at",
        "earliest": "2025-01-01",
        "knowledge_time": "known_at",
        "zone_by": "channel",
        "local_zone": "Europe/Berlin",
        "severity": "quarantine",
    },
    "amounts": {
        "kind": "outliers",
        "source": "orders",
        "column": "amount",
        "by": ["channel"],
        "time": "ordered_at",
        "severity": "quarantine",
    },
    "fresh": {"kind": "freshness", "source": "orders", "column": "ordered_at", "max_age": "2d"},
    "volume": {"kind": "volume", "source": "orders", "column": "ordered_at"},
    "whose": {
        "kind": "references",
        "source": "orders",
        "columns": ["customer_id"],
        "target": "customers",
        "at_most": 1,
        "severity": "quarantine",
    },
    "parts": {
        "kind": "references",
        "source": "orders",
        "columns": ["order_id"],
        "target": "items",
        "sum": {"column": "amount", "of": "price"},
        "severity": "quarantine",
    },
    "sense": {
        "kind": "sql",
        "source": "orders",
        "rule": "price_of_one",
        "condition": "amount >= 0.1 * quantity",
        "severity": "quarantine",
    },
    "alive": {"kind": "values", "source": "orders", "columns": ["channel", "note"], "time": "ordered_at"},
    "some": {"kind": "rows", "source": "orders", "min": 1000},
}  # fmt: skip


def project(checks: dict[str, dict[str, Any]] = CONTRACT) -> Project:
    """A project of the three tables with these checks; its sources are never read."""
    sources = {name: {"kind": "parquet", "path": f"{name}.parquet"} for name in ("orders", "customers", "items")}
    sources["orders"]["time"] = "ordered_at"
    found, faults = validation.read(
        {
            "name": "shop",
            "entity": {"key": "customer_id"},
            "sources": sources,
            "checks": checks,
            "features": {
                "orders": {"kind": "count", "source": "orders"},
                "spend": {"kind": "sum", "source": "orders", "column": "amount", "where": "channel <> 'app'"},
                "basket": {"kind": "sql", "sql": "spend / nullif(orders, 0)"},
            },
            "label": {"kind": "count", "source": "orders", "horizon": "30d", "is": 0},
            "cohorts": {"big": "spend > 100"},
            "model": {"kind": "constant"},
            "metrics": {"roc_auc": {"kind": "roc_auc"}},
            "gate": {"ranks": {"metric": "roc_auc", "min": 0.5}},
            "serving": {"kind": "batch"},
        }
    )
    assert faults == []
    assert found is not None
    return found


def tables(seed: int = 5) -> dict[str, pl.DataFrame]:
    """Clean orders of half a year, their customers and their items; by daylight in Berlin, never at night."""
    random = np.random.default_rng(seed)
    rows = DAYS * A_DAY
    hour = np.clip(random.normal(14, 2.5, rows), 6, 21)
    local = pl.Series([FIRST.replace(tzinfo=None)], dtype=pl.Datetime("us")).new_from_index(0, rows)
    day = np.arange(rows) // A_DAY
    moments = local + pl.Series((day * 86_400_000_000 + hour * 3_600_000_000).astype(np.int64)).cast(pl.Duration("us"))
    ordered = moments.dt.replace_time_zone("Europe/Berlin").dt.convert_time_zone("UTC")
    cents = np.exp(random.normal(8, 0.6, rows)).astype(np.int64) + 1000
    first = cents // 3
    ids = pl.Series([f"o{number:05d}" for number in range(rows)])
    orders = pl.DataFrame(
        {
            "order_id": ids,
            "customer_id": [f"c{number:03d}" for number in random.integers(0, 300, rows)],
            "amount": cents / 100,
            "quantity": random.integers(1, 6, rows),
            "channel": random.choice(["web", "store", "app"], rows, p=[0.5, 0.3, 0.2]),
            "note": random.choice(["für Zoë", "leave at the door", "gift", None], rows),
            "ordered_at": ordered,
            "known_at": ordered.dt.offset_by("1h"),
        }
    )
    items = pl.DataFrame({"order_id": pl.concat([ids, ids]), "price": np.concatenate([first, cents - first]) / 100})
    customers = pl.DataFrame({"customer_id": [f"c{number:03d}" for number in range(300)]})
    return {"orders": orders, "customers": customers, "items": items}


def checked(planted: dict[str, pl.DataFrame], checks: dict[str, dict[str, Any]] = CONTRACT) -> Outcome:
    """What the checks make of tables, each rule proved to have seen every row."""
    return run_checks(project(checks), planted, Context(AS_OF, planted, {"orders": "ordered_at"}))


def found(planted: dict[str, pl.DataFrame], checks: dict[str, dict[str, Any]] = CONTRACT) -> dict[str, Finding]:
    """The findings by rule."""
    outcome = checked(planted, checks)
    return {finding.rule: finding for findings in outcome.findings.values() for finding in findings}
