"""Honest and leaking tables of the shape that the features stage writes: key, as_of, features, label."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from mlctl.config import validation
from mlctl.spec import Project

JANUARY, JULY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
VALID: dict[str, Any] = {
    "name": "shop",
    "entity": {"key": "customer_id"},
    "sources": {
        "customers": {"kind": "csv", "path": "customers.csv"},
        "orders": {"kind": "csv", "path": "orders.csv", "time": "ordered_at"},
    },
    "features": {
        "orders": {"kind": "count", "source": "orders"},
        "days_since_order": {"kind": "days_since", "source": "orders"},
    },
    "label": {"kind": "lookup", "source": "customers", "column": "left", "is": "yes"},
    "split": {"kind": "random"},
    "model": {"kind": "xgboost"},
    "metrics": {"roc_auc": {"kind": "roc_auc"}},
    "gate": {"ranks": {"metric": "roc_auc", "min": 0.7}},
    "serving": {"kind": "batch"},
}
IN_TIME = {"label": {"kind": "count", "source": "orders", "horizon": "90d", "is": 0}, "split": {"kind": "time"}}


def project(**sections: Any) -> Project:
    """A project with some of its sections replaced."""
    found, faults = validation.read({**deepcopy(VALID), **sections})
    assert found is not None, faults
    return found


def people(rows: int, seed: int, auc: float = 0.8, share: float = 0.3) -> pl.DataFrame:
    """Honest rows: a signal of the given ROC AUC, numbers with ties and tails, texts, missing values."""
    draw = np.random.default_rng(seed)
    label = draw.random(rows) < share
    # two bell curves d apart are told from each other with AUC = Phi(d / sqrt(2)): 0.95 is d = 2.326, 0.8 is 1.19
    distance = {0.5: 0.0, 0.8: 1.190, 0.95: 2.326}[auc]
    signal = draw.normal(size=rows) + distance * label
    orders = draw.poisson(2.0, rows)
    spend = np.where(orders > 0, np.round(orders * draw.lognormal(3, 0.6, rows), 2), 0.0)
    missing = draw.random(rows) < np.where(label, 0.4, 0.2)
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:07d}" for number in draw.permutation(10 * rows)[:rows]],
            "as_of": pl.Series([JANUARY] * rows, dtype=pl.Datetime("us", "UTC")),
            "signal": signal,
            "orders": orders,
            "spend": spend,
            "basket": pl.Series(np.where(orders > 0, spend / np.maximum(orders, 1), np.nan)).fill_nan(None),
            "days_since_order": np.where(missing, np.nan, draw.exponential(40, rows)),
            "plan": draw.choice(["none", "monthly", "annual"], rows, p=[0.6, 0.3, 0.1]),
            "city": [f"city {number}" for number in draw.zipf(1.5, rows) % 500],
            "member": draw.random(rows) < 0.5,
            "label": label.astype(np.float64),
        }
    ).with_columns(pl.col("days_since_order").fill_nan(None))


def parted(rows: pl.DataFrame, seed: int = 3, share: float = 0.25) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training and test rows, drawn, each sorted by its keys as the features stage does."""
    drawn = pl.Series(np.random.default_rng([seed, 1]).random(rows.height) < share)
    return rows.filter(~drawn).sort("customer_id"), rows.filter(drawn).sort("customer_id")


def features_of(rows: pl.DataFrame) -> list[str]:
    """The feature columns of a table."""
    return [name for name in rows.columns if name not in ("customer_id", "as_of", "label", "fold")]
