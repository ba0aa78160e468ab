"""Worlds whose days are alike, and the faults that are planted into them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from mlctl import kinds, sketches
from mlctl.findings import Finding
from mlctl.monitors import Window
from mlctl.sketches import Baseline

FIRST = date(2026, 1, 5)
Draw = np.random.Generator


def rows(draw: Draw, count: int, features: int = 10, weekend: bool = False) -> pl.DataFrame:
    """Scored rows of one day: normal, long-tailed, counted, mostly zero, heavy-tailed, gappy and categorical features."""
    makers: list[Callable[[], Any]] = [
        lambda: draw.normal(10, 2, count) + (1.0 if weekend else 0.0),
        lambda: draw.lognormal(0, 1, count),
        lambda: draw.poisson(3, count).astype(float),
        lambda: np.where(draw.random(count) < 0.9, 0.0, draw.exponential(10, count)),
        lambda: draw.standard_t(3, count),
        lambda: np.where(draw.random(count) < 0.02, np.nan, draw.normal(size=count)),
        lambda: draw.integers(0, 20, count).astype(str),
        lambda: draw.choice(["a", "b", "c", "d"], count, p=[0.6, 0.3, 0.09, 0.01]),
        lambda: draw.pareto(2.5, count),
        lambda: draw.random(count) < 0.5,
    ]
    columns = {f"f{place:02d}": pl.Series(makers[place % 10]()) for place in range(features)}
    table = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
    score = (1 / (1 + np.exp(-(columns["f00"].to_numpy() - 10) + 0.3 * columns["f01"].to_numpy()))).round(6)
    decision = np.where(score >= 0.5, "yes", "no")
    return table.with_columns(
        score=pl.Series(score), decision=pl.Series(decision), reason=pl.lit("model"), variant=pl.lit("champion")
    )


def worded(draw: Draw, count: int) -> pl.DataFrame:
    """Texts of twenty words, the commonest first as in any language, and vectors that an encoder might make of them."""
    chances = 1 / np.arange(1, 401)
    words = draw.choice([f"w{place}" for place in range(400)], (count, 20), p=chances / chances.sum())
    vectors = draw.normal(size=(count, 16)) @ np.diag(np.linspace(0.2, 2.0, 16)) + 1.0
    texts = pl.Series([" ".join(row) for row in words])
    return pl.DataFrame({"text": texts, "vector": pl.Series(vectors.tolist(), dtype=pl.List(pl.Float64))})


def baseline(seed: int, count: int, *, days: int = 28, observed: bool = True, features: int = 10) -> Baseline:
    """What training saw of such a world, over so many days."""
    draw = np.random.default_rng([seed, 1])
    parts = {
        day: rows(draw, count, features, observed and day.weekday() >= 5)
        for day in (FIRST + timedelta(days=n) for n in range(days))
    }
    learnt = sketches.Learnt({"f00": 0.6, "f01": 0.4}, (), {"large": "f01 > 1"}, {})
    return sketches.learn(pl.concat(parts.values()), parts if observed else {}, learnt)


def worded_baseline(seed: int, count: int, days: int = 28) -> Baseline:
    """What training saw of texts and vectors."""
    draw = np.random.default_rng([seed, 6])
    parts = {FIRST + timedelta(days=n): worded(draw, count) for n in range(days)}
    return sketches.learn(pl.concat(parts.values()), parts, sketches.Learnt({}, ("text",), {}, {}))


def window(known: Baseline, day: date, table: pl.DataFrame) -> Window:
    """The window of one day's rows."""
    return Window(day, datetime.combine(day + timedelta(days=1), time(), UTC), known.sheet(table))


def observed(kind: str, known: Baseline, day: date, table: pl.DataFrame, **options: Any) -> list[Finding]:
    """What a monitor of a kind finds on a day."""
    module = kinds.load("monitors", kind)
    chosen = kinds.options("monitors", {"kind": kind, **options})
    found: list[Finding] = module.observe(chosen, window(known, day, table), known)
    return found


def alarms(findings: list[Finding], where: str | None = None) -> list[Finding]:
    """The alarms among findings, or those of one place."""
    return [found for found in findings if found.severity == "alarm" and where in (None, found.where)]


def scaled(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """Everything times ten."""
    return table.with_columns(pl.col("f00") * 10)


def cents(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """A fifth of the rows in cents, as when one channel changes its unit."""
    some = pl.Series(draw.random(table.height) < 0.2)
    return table.with_columns(pl.when(some).then(pl.col("f01") * 100).otherwise("f01").alias("f01"))


def nulls(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """A tenth of the values missing."""
    some = pl.Series(draw.random(table.height) < 0.1)
    return table.with_columns(pl.when(~some).then("f02").alias("f02"))


def explosion(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """A tenth of the rows with a category of their own."""
    some = pl.Series(draw.random(table.height) < 0.1)
    own = pl.concat_str(pl.lit("id"), pl.int_range(pl.len()).cast(pl.String))
    return table.with_columns(pl.when(some).then(own).otherwise("f06").alias("f06"))


def vanished(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """A category of nine in a hundred rows that is not there any more."""
    return table.with_columns(pl.col("f07").replace("c", "a"))


def topic(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """A quarter of the texts about something that training never heard of."""
    some = pl.Series(draw.random(table.height) < 0.25)
    return table.with_columns(pl.when(some).then(pl.col("text").str.replace_all("w", "x")).otherwise("text"))


def language(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """Every text in another language."""
    return table.with_columns(pl.col("text").str.replace_all("w", "x"))


def moved(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """Every vector half a deviation away, in a direction that nobody knows."""
    vectors = np.asarray(table["vector"].to_list())
    direction = draw.normal(size=16) * vectors.std(axis=0)
    away = vectors + 0.5 * direction
    return table.with_columns(vector=pl.Series(away.tolist(), dtype=pl.List(pl.Float64)))


def encoder(table: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    """Vectors of another encoder: the same space, turned."""
    turn, _ = np.linalg.qr(draw.normal(size=(16, 16)))
    turned = np.asarray(table["vector"].to_list()) @ turn
    return table.with_columns(vector=pl.Series(turned.tolist(), dtype=pl.List(pl.Float64)))


def crept(table: pl.DataFrame, days: int) -> pl.DataFrame:
    """A twentieth of a row's deviation for each day that has passed."""
    return table.with_columns(pl.col("f00") + 0.1 * days)


PLANTED: dict[str, tuple[Callable[[pl.DataFrame, Draw], pl.DataFrame], str]] = {
    "scale": (scaled, "f00"),
    "unit": (cents, "f01"),
    "nulls": (nulls, "f02"),
    "explosion": (explosion, "f06"),
    "vanished": (vanished, "f07"),
}
"""By fault, what plants it and the feature that it is in."""

WORDED: dict[str, tuple[Callable[[pl.DataFrame, Draw], pl.DataFrame], str]] = {
    "a new topic": (topic, "text"),
    "another language": (language, "text"),
    "vectors moved": (moved, "embedding"),
    "another encoder": (encoder, "embedding"),
}
"""By fault of texts and vectors, what plants it and the kind that must find it."""
