"""Predictions whose labels come days later, by an exponential waiting time of at most 45 days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlctl import kinds, sketches
from mlctl.monitors import Window
from mlctl.sketches import Baseline

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST_DAYS = 45.0


def past(
    seed: int, days: int = 120, a_day: int = 150, *, wait_days: float = 8.0, positives_early: bool = False
) -> pl.DataFrame:
    """Honest scores of so many days, their labels, and when each became known.

    Grain: one row per prediction: key, as_of, score, decision, reason, label, known_at. Time: `as_of`.
    """
    draw = np.random.default_rng([seed, 7])
    count = days * a_day
    score = draw.beta(1.2, 1.2, count)
    label = (draw.random(count) < score).astype(float)
    wait = draw.exponential(np.where((label == 1) & positives_early, wait_days / 2, wait_days))
    asked = [FIRST + timedelta(days=place // a_day, minutes=place % a_day) for place in range(count)]
    known = [moment + timedelta(days=float(min(one, LONGEST_DAYS))) for moment, one in zip(asked, wait, strict=True)]
    utc = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "order_id": [f"o{place}" for place in range(count)],
            "as_of": pl.Series(asked, dtype=utc),
            "score": score,
            "decision": np.where(score > 0.5, "yes", "no"),
            "reason": pl.Series(["model"]).new_from_index(0, count),
            "label": label,
            "known_at": pl.Series(known, dtype=utc),
        }
    )


def baseline(metric: str = "roc_auc") -> Baseline:
    """What such scores are promised to reach, measured on another past."""
    rows = past(1)
    options = kinds.options("metrics", {"kind": metric})
    value = kinds.load("metrics", metric).measure(
        options, rows["label"].to_numpy(), rows["score"].to_numpy(), np.ones(rows.height)
    )
    promised = {"value": value, "low": value - 0.01, "high": value + 0.01, "options": {"kind": metric}, "place": 0}
    return sketches.learn(
        rows.select("score", "decision", "reason"), {}, sketches.Learnt({}, (), {}, {metric: promised})
    )


def window(rows: pl.DataFrame, end: datetime) -> Window:
    """The day that ends at a moment."""
    return Window((end - timedelta(days=1)).date(), end, joined=lambda: rows)
