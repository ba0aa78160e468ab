"""Who cannot have moved keeps the row: the same bits as computing everybody, whatever came, went or moved on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds, online
from mlctl.materializing import Earlier, features_at, refreshed
from mlctl.online import moved
from mlctl.plan import Column, Plan
from mlctl.plan.events import Columns
from mlctl.spec import Entity

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
AGGREGATES = [kind for kind in kinds.names("features") if kinds.load("features", kind).Options.form == "aggregate"]
WINDOWS = ("2d", "9d", "all")


def plan() -> Plan:
    """Every aggregate kind by two windows and all, what two tables say, and expressions."""
    options: dict[str, Any] = {}
    columns: list[Column] = []
    for kind in AGGREGATES:
        windows = WINDOWS[:2] if kind == "trend" else WINDOWS
        given = {**kinds.load("features", kind).EXAMPLE, "source": "orders", "windows": windows}
        options[kind] = kinds.options("features", {name: value for name, value in given.items() if name != "where"})
        columns += [Column(kind, f"{kind}_{window}", window) for window in windows]
    for name, source in (("tier", "tiers"), ("land", "people")):
        options[name] = kinds.options("features", {"kind": "lookup", "source": source, "column": name})
        columns.append(Column(name, name, name))
    for name, sql in (("rested", "days_since_all * 2"), ("per_day", "count_9d / 9")):
        options[name] = kinds.options("features", {"kind": "sql", "sql": sql})
        columns.append(Column(name, name))
    places = {
        "orders": Columns("customer", "ordered_at", "known_at"),
        "tiers": Columns("customer", "since"),
        "people": Columns("customer", None),
    }
    return Plan(Entity(key="customer", source="people"), options, tuple(columns), places)


def tables(seed: int, people: int = 150) -> dict[str, pl.DataFrame]:
    draw = np.random.default_rng(seed)
    rows = 2 * people
    at = [START + timedelta(hours=int(hour)) for hour in draw.integers(0, 24 * 60, rows)]
    late = draw.random(rows) < 0.2
    keys = [f"c{n:03d}" for n in range(people)]
    moments = {"ordered_at": pl.Datetime("us", "UTC"), "known_at": pl.Datetime("us", "UTC")}
    return {
        "orders": pl.DataFrame(
            {
                "customer": draw.choice(keys, rows).tolist(),
                "ordered_at": at,
                "known_at": [time + 3 * DAY if wait else time for time, wait in zip(at, late, strict=True)],
                "amount": [None if part < 0.1 else round(float(part) * 70, 2) for part in draw.random(rows)],
                "quantity": draw.integers(1, 5, rows).tolist(),
                "channel": [f"by a channel with a long name {n}" for n in draw.integers(0, 4, rows)],
            },
            schema_overrides=moments,
        ),
        "tiers": pl.DataFrame(
            {
                "customer": keys * 2,
                "since": [START] * people + at[:people],
                "tier": [f"t{n % 3}" for n in range(2 * people)],
            },
            schema_overrides={"since": pl.Datetime("us", "UTC")},
        ),
        "people": pl.DataFrame({"customer": keys, "land": [("de", None, "fr")[n % 3] for n in range(people)]}),
    }


def later(found: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables of a later snapshot: an order more, one gone, one corrected, one that was known late; a person more."""
    orders = found["orders"]
    new = orders.head(2).with_columns(ordered_at=pl.lit(START + 50 * DAY), amount=pl.lit(9.99))
    old = orders.slice(5, 1).with_columns(ordered_at=pl.lit(START + 3 * DAY), known_at=pl.lit(START + 57 * DAY))
    fixed = orders.slice(9, 1).with_columns(amount=pl.lit(0.01))
    person = pl.DataFrame({"customer": ["c999"], "land": ["it"]})
    return {
        **found,
        "orders": pl.concat([new, orders.slice(10), fixed, old.cast(orders.schema), orders.slice(2, 6)]).cast(
            orders.schema
        ),
        "people": pl.concat([person, found["people"].head(-1)]),
    }


def written(folder: Path, rows: pl.DataFrame, digests: pl.DataFrame) -> list[bytes]:
    about = {"as_of": "2026-11-01", "dataset": "d", "release": "r", "key": "customer", "plan": "p"}
    online.write(folder, "one", online.Tables(rows, digests), about, [])
    return [(folder / "one" / name).read_bytes() for name in ("features.arrow", "digests.arrow", "manifest.json")]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("days", [0, 1, -1, 6])
@pytest.mark.parametrize("change", [later, dict])
def test_the_files_are_those_of_a_full_computation(tmp_path, seed, days, change):
    compiled, before, now = plan(), tables(seed), START + 58 * DAY
    after, moment = change(before), now + days * DAY
    earlier = Earlier(features_at(compiled, before, now), now, moved.digests(compiled, before))
    digests = moved.digests(compiled, after)

    rows, computed = refreshed(compiled, after, (moment, digests), earlier)

    full = features_at(compiled, after, moment)
    assert written(tmp_path / "a", rows, digests) == written(tmp_path / "b", full, digests)
    if days != 6:
        assert computed < full.height / 2
    if days == 0 and change is dict:
        assert computed == 0


def test_only_what_reads_the_moment_moves_by_itself():
    names = moved.moving(plan())

    assert names == ["days_since_2d", "days_since_9d", "days_since_all", "rested"]


@pytest.mark.parametrize("kind", AGGREGATES)
def test_a_kind_that_says_so_does_not_read_the_moment(kind):
    compiled, found = plan(), tables(1)
    # between these moments no event enters or leaves any window
    quiet = {**found, "orders": found["orders"].filter(pl.col("ordered_at") < START + 20 * DAY)}
    one, other = (features_at(compiled, quiet, START + days * DAY) for days in (40, 45))

    same = all(one[column.name].equals(other[column.name]) for column in compiled.columns if column.feature == kind)

    assert same != kinds.load("features", kind).READS_AS_OF


def test_digests_hang_on_values_and_on_no_order():
    compiled, found = plan(), tables(2)
    shuffled = {name: table.sample(fraction=1.0, shuffle=True, seed=1) for name, table in found.items()}
    other = {**found, "people": found["people"].with_columns(land=pl.lit("xx"))}

    assert moved.digests(compiled, shuffled).equals(moved.digests(compiled, found))
    assert (
        moved.digests(compiled, other)
        .join(moved.digests(compiled, found), on=["customer", "low", "high"], how="semi")
        .is_empty()
    )
