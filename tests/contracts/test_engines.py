"""Every engine writes the same bytes, and these are the values that one row alone has."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.config import validation
from mlctl.errors import DataError, MlctlError
from mlctl.history import fingerprints
from mlctl.history.bucket import Block, Job, buckets_of
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute, population
from tests.test_spec import VALID

pytestmark = pytest.mark.usefixtures("java")

START = datetime(2026, 1, 1, tzinfo=UTC)
ENGINES = kinds.names("engines")
BUCKETS = 5
FEATURES: dict[str, Any] = {
    "orders": {"kind": "count", "source": "orders", "windows": ["7d", "30d", "all"]},
    "spend": {"kind": "sum", "source": "orders", "column": "amount", "windows": ["30d"], "where": "channel <> 'shop'"},
    "spread": {"kind": "std", "source": "orders", "column": "amount", "windows": ["30d"]},
    "channels": {"kind": "n_unique", "source": "orders", "column": "channel", "windows": ["30d"]},
    "by_channel": {"kind": "count", "source": "orders", "windows": ["30d"], "by": "channel", "values": ["web", "app"]},
    "last_channel": {"kind": "last", "source": "orders", "column": "channel", "windows": ["all"]},
    "profile": {"kind": "lookup", "source": "customers", "columns": ["plan"]},
    "per_order": {"kind": "sql", "sql": "spend / nullif(orders_30d, 0)"},
}
PROJECT = {
    **VALID,
    "name": "small",
    "entity": {"key": "customer_id", "source": "customers"},
    "sources": {
        "customers": {"kind": "parquet", "path": "c.parquet", "time": "since"},
        "orders": {"kind": "parquet", "path": "o.parquet", "time": "at", "knowledge_time": "known"},
    },
    "checks": {},
    "cohorts": {},
    "features": FEATURES,
    "label": {"kind": "count", "source": "orders", "horizon": "30d", "is": 0},
}


def tables() -> dict[str, pl.DataFrame]:
    draw = np.random.default_rng(1)
    people = [f"c{i:03d}" for i in range(40)]
    since = [START + timedelta(days=int(day)) for day in draw.integers(-30, 40, len(people))]
    rows = 900
    at = [START + timedelta(minutes=int(minute)) for minute in draw.integers(0, 100 * 1440, rows)]
    customers = pl.DataFrame({"customer_id": people * 2, "since": since + [when + timedelta(days=9) for when in since]})
    orders = pl.DataFrame(
        {
            "customer_id": [people[i] for i in draw.integers(0, len(people), rows)],
            "at": at,
            "known": [
                when + timedelta(days=int(days)) for when, days in zip(at, draw.integers(0, 4, rows), strict=True)
            ],
            "amount": [
                None if i % 13 == 0 else round(float(value), 2) for i, value in enumerate(draw.lognormal(3, 1, rows))
            ],
            "channel": [("web", "shop", "app", None)[i] for i in draw.integers(0, 4, rows)],
        }
    )
    moments = pl.col(pl.Datetime).cast(pl.Datetime("us", "UTC"))
    plans = pl.Series("plan", [("free", "paid")[i % 2] for i in range(customers.height)])
    return {"customers": customers.with_columns(moments, plans), "orders": orders.with_columns(moments).sort("at")}


def job_in(folder: Path, found: dict[str, pl.DataFrame]) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        table.write_parquet(folder / f"{name}.parquet")
    project, faults = validation.read(PROJECT)
    assert project is not None, faults
    schemas = {name: tuple(table.columns) for name, table in found.items()}
    plan = compile_plan(project, schemas)
    first = int(START.timestamp()) * 1_000_000
    block = Block("block", tuple(plan.names), first, 7 * 86_400_000_000, 12)
    assert set(fingerprints(plan)) == set(plan.names)
    return Job(
        project=project.mapping(),
        schemas=schemas,
        block=block,
        buckets=BUCKETS,
        folder=str(folder / "history"),
        tables={name: str(folder / f"{name}.parquet") for name in found},
        tiles=str(folder / "tiles"),
        dataset="d",
    )


def made_by(engine: str, job: Job, pending: list[int]) -> dict[int, bytes]:
    module = kinds.load("engines", engine)
    receipts = list(module.run(kinds.options("engines", module.EXAMPLE), job, pending))
    assert sorted(receipt.bucket for receipt in receipts) == sorted(pending)
    return {bucket: job.spine(bucket).read_bytes() + job.path(bucket).read_bytes() for bucket in pending}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    folder = tmp_path_factory.mktemp("expected")
    return made_by("local", job_in(folder, tables()), list(range(BUCKETS)))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_writes_the_same_bytes(engine: str, tmp_path: Path, expected: dict[int, bytes]) -> None:
    assert made_by(engine, job_in(tmp_path, tables()), list(range(BUCKETS))) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_only_what_is_pending_is_made_and_an_empty_bucket_has_a_file(engine: str, tmp_path: Path) -> None:
    found = tables()
    some = found["customers"]["customer_id"].unique().sort().to_list()
    places = buckets_of(some, BUCKETS)
    left = [key for key, place in zip(some, places, strict=True) if place != 2]
    found["customers"] = found["customers"].filter(pl.col("customer_id").is_in(left))
    job = job_in(tmp_path, found)

    made_by(engine, job, [1, 2])

    assert {path.parent.name for path in (tmp_path / "history").rglob("*.parquet")} == {"bucket-0001", "bucket-0002"}
    assert pl.read_parquet(job.path(2)).height == 0
    assert pl.read_parquet(job.path(2)).schema == pl.read_parquet(job.path(1)).schema


@pytest.mark.parametrize("engine", ENGINES)
def test_data_that_a_feature_cannot_read_is_told_as_such(engine: str, tmp_path: Path) -> None:
    found = tables()
    found["orders"] = found["orders"].with_columns(pl.col("amount").cast(pl.String))

    with pytest.raises(MlctlError) as told:
        made_by(engine, job_in(tmp_path, found), [0, 1])

    assert told.value.exit_code == DataError.exit_code
    assert "'amount' holds no numbers" in str(told.value)


def test_the_order_of_rows_changes_no_byte(tmp_path: Path, expected: dict[int, bytes]) -> None:
    shuffled = {name: table.sample(fraction=1.0, shuffle=True, seed=4) for name, table in tables().items()}

    assert made_by("local", job_in(tmp_path, shuffled), list(range(BUCKETS))) == expected


def test_a_bucket_holds_the_values_of_a_batch_and_nobody_before_he_is_known(tmp_path: Path) -> None:
    found = tables()
    job = job_in(tmp_path, found)
    made_by("local", job, list(range(BUCKETS)))
    parts = [[pl.read_parquet(path) for path in (job.spine(part), job.path(part))] for part in range(BUCKETS)]
    rows = pl.concat([pl.concat(part, how="horizontal") for part in parts])
    plan = job.plan()

    for when in rows[AS_OF].unique().sort().to_list():
        batch = compute(plan, found, population(plan, found, when))
        here = rows.filter(pl.col(AS_OF) == when).sort("customer_id")
        assert here.equals(batch.select(here.columns), null_equal=True), when


@pytest.fixture(scope="module")
def interactions(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Users who had some of seven items, some of them twice and some in one moment."""
    draw = np.random.default_rng(5)
    rows = 300
    at = [START + timedelta(hours=int(hour)) for hour in draw.integers(0, 60, rows)]
    user = [f"u{n:02d}" for n in draw.integers(0, 12, rows)]
    return pl.DataFrame({"user": user, "item": draw.integers(0, 7, rows).astype("int32"), "time": at})


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_tells_who_had_both_of_two_items_and_what_each_had_last(
    engine: str, interactions: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "events.parquet"
    interactions.write_parquet(path)
    module = kinds.load("engines", engine)
    options = kinds.options("engines", module.EXAMPLE)
    had = {who[0]: set(rows["item"]) for who, rows in interactions.group_by("user")}
    pairs = [
        (one, other, sum({one, other} <= items for items in had.values()))
        for one in range(7)
        for other in range(one, 7)
    ]

    assert module.together(options, path).rows() == [pair for pair in pairs if pair[2]]
    noon = START + timedelta(hours=12)
    early = [sum(len(history) for history in module.histories(options, path, 999, noon)["history"])]
    assert early == [interactions.filter(pl.col("time") < noon).height]
    latest = module.histories(options, path, 5)
    wanted = [
        (who, rows.sort("time", "item")["item"].to_list()[-5:])
        for who, rows in sorted((who[0], rows) for who, rows in interactions.group_by("user"))
    ]
    assert latest.rows() == wanted
    assert latest.schema == {"user": pl.String, "history": pl.List(pl.Int32)}
