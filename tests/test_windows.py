"""Against a slower second way: every value of every row, worked out event by event from what was known."""

from datetime import UTC, datetime, timedelta
from statistics import stdev
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.features import Distinct, Flags
from mlctl.plan import AS_OF, Column, Plan
from mlctl.plan.compute import compute
from mlctl.plan.events import Columns, events_of
from mlctl.plan.windows import Spine, Windows
from mlctl.spec import Entity

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = "count sum mean min max n_unique days_since std first last share ratio trend".split()


def history(seed: int, late: bool) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    rows = 300
    hours = draw.integers(0, 24 * 60, rows)
    known = hours + np.where(draw.random(rows) < 0.3, draw.integers(0, 24 * 20, rows), 0) if late else hours
    amounts = [None if draw.random() < 0.1 else round(float(draw.lognormal(2, 1)), 2) for _ in range(rows)]
    return pl.DataFrame(
        {
            "customer": [f"c{i}" for i in draw.integers(0, 7, rows)],
            "time": [START + HOUR * int(hour) for hour in hours],
            "known": [
                None if hour == when else START + HOUR * int(when) for hour, when in zip(hours, known, strict=True)
            ],
            "amount": amounts,
            "quantity": draw.integers(1, 5, rows).tolist(),
            "channel": [None if draw.random() < 0.1 else f"v{draw.integers(0, 6)}" for _ in range(rows)],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC"), "known": pl.Datetime("us", "UTC")},
    )


def spine(seed: int, grid: bool) -> pl.DataFrame:
    moments = [START + timedelta(days=7 * i) for i in range(10)]
    rows = [(f"c{i}", moment) for i in range(8) for moment in moments]
    if not grid:
        kept = np.random.default_rng(seed).permutation(len(rows))[:40]
        rows = [rows[i] for i in kept]
    return pl.DataFrame(rows, schema={"customer": pl.String, AS_OF: pl.Datetime("us", "UTC")}, orient="row")


def by_hand(  # noqa: PLR0911
    kind: str, seen: list[dict[str, Any]], as_of: datetime, window: timedelta | None
) -> float | None:
    seen = sorted(seen, key=lambda event: event["time"])
    present = [event["amount"] for event in seen if event["amount"] is not None]
    if kind == "count":
        return float(len(seen))
    if kind == "n_unique":
        return float(len({event["channel"] for event in seen} - {None}))
    if kind == "sum":
        return sum(round(value * 100) for value in present) / 100
    if kind == "trend":
        half = [event for event in seen if event["time"] >= as_of - window / 2] if window else []
        cents = [[round((event["amount"] or 0) * 100) for event in part] for part in (half, seen)]
        return (2 * sum(cents[0]) - sum(cents[1])) / 100 / (window / timedelta(days=1)) if window else None
    if kind == "days_since":
        return (as_of - seen[-1]["time"]) / timedelta(days=1) if seen else None
    if kind == "share":
        return sum(event["channel"] == "v1" for event in seen) / len(seen) if seen else None
    if kind == "ratio":
        cents = sum(round(event["amount"] * 100) for event in seen if event["amount"] is not None)
        per = sum(event["quantity"] for event in seen if event["amount"] is not None)
        return cents / (100 * per) if per else None
    if kind == "std":
        return stdev(present) if len(present) > 1 else None
    if not present:
        return None
    times = [event["time"] for event in seen if event["amount"] is not None]
    first = [event["amount"] for event in seen if event["amount"] is not None and event["time"] == times[0]]
    last = [event["amount"] for event in seen if event["amount"] is not None and event["time"] == times[-1]]
    cents_mean = sum(round(value * 100) for value in present) / 100 / len(present)
    return {"mean": cents_mean, "min": min(present), "max": max(present), "first": min(first), "last": max(last)}[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
@pytest.mark.parametrize("grid", [True, False], ids=["grid", "scattered"])
@pytest.mark.parametrize("window", ["10d", "28d", "all"])
def test_a_value_is_that_of_the_events_that_were_known_and_in_the_window(
    kind: str, late: bool, grid: bool, window: str
) -> None:
    if (kind, window) == ("trend", "all"):
        window = "14d"
    example = {**kinds.load("features", kind).EXAMPLE, "source": "s", "windows": [window]}
    changes = {"share": {"that": "channel = 'v1'"}, "n_unique": {"column": "channel"}}.get(kind, {})
    options = kinds.options("features", {**example, **changes})
    events, asked = history(3, late), spine(5, grid)
    plan = Plan(
        Entity(key="customer"), {"f": options}, (Column("f", "f", window),), {"s": Columns("customer", "time", "known")}
    )

    found = compute(plan, {"s": events}, asked)

    length = None if window == "all" else timedelta(days=int(window[:-1]))
    for customer, as_of, value in found.iter_rows():
        seen = [
            event
            for event in events.iter_rows(named=True)
            if event["customer"] == customer
            and event["time"] < as_of
            and (event["known"] or event["time"]) < as_of
            and (length is None or event["time"] >= as_of - length)
        ]
        expected = by_hand(kind, seen, as_of, length)
        assert value == (expected if kind != "std" or expected is None else pytest.approx(expected, rel=1e-12)), (
            customer,
            as_of,
        )


@pytest.mark.parametrize("late", [False, True])
def test_a_set_as_flags_and_as_intervals_counts_the_same(late: bool) -> None:
    table = history(9, late)
    events = events_of("s", table, Columns("customer", "time", "known"), pl.Series(sorted(set(table["customer"]))))
    codes = events.codes("channel")[0]
    moments = np.array([int((START + timedelta(days=3 * i)).timestamp() * 1e6) for i in range(1, 30)])
    windows = Windows(Spine.grid(7, moments), events)
    flags = Flags(np.where(codes < 0, 0, np.left_shift(1, np.maximum(codes, 0))))

    for window in (5 * 86_400_000_000, None):
        counted = windows.merge(Distinct(codes), window)
        assert counted.tolist() == np.bitwise_count(windows.merge(flags, window)).tolist()
        assert counted.max() > 2
