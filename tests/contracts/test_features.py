"""Every aggregate kind: one row, a batch and the whole history give the same bits; nothing at or after as_of counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mlctl import kinds
from mlctl.plan import AS_OF, Column, Plan
from mlctl.plan.compute import compute
from mlctl.plan.events import Columns
from mlctl.spec import Entity

AS_OF_MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
PLACES = Columns("customer", "ordered_at")
AGGREGATES = [kind for kind in kinds.names("features") if kinds.load("features", kind).Options.form == "aggregate"]


def events(rows: int = 400) -> pl.DataFrame:
    """Events of 20 entities up to some days behind as_of; amounts that floats cannot hold exactly, nulls and NaN."""
    amounts = [None if i % 17 == 0 else float("nan") if i % 23 == 0 else (i * 37 % 101) / 10 for i in range(rows)]
    return pl.DataFrame(
        {
            "customer": [f"c{i % 20:02d}" for i in range(rows)],
            "ordered_at": [AS_OF_MOMENT + timedelta(hours=7 * (i % 50) - 300, minutes=i) for i in range(rows)],
            "amount": amounts,
            "quantity": [i % 4 for i in range(rows)],
            "channel": [None if i % 11 == 0 else "web shop app".split()[i % 3] for i in range(rows)],
        },
        schema_overrides={"ordered_at": pl.Datetime("us", "UTC")},
    )


def options_of(kind: str, **changes: Any) -> Any:
    return kinds.options("features", {**kinds.load("features", kind).EXAMPLE, "source": "orders", **changes})


def values(kind: str, table: pl.DataFrame, entities: list[str] | None = None, **changes: Any) -> pl.Series:
    options = options_of(kind, **{"windows": ["500d"], **changes})
    plan = Plan(Entity(key="customer"), {"f": options}, (Column("f", "f", options.windows[0]),), {"orders": PLACES})
    keys = sorted(entities or events()["customer"].unique())
    spine = pl.DataFrame(
        {"customer": keys, AS_OF: [AS_OF_MOMENT] * len(keys)}, schema_overrides={AS_OF: pl.Datetime("us", "UTC")}
    )
    return compute(plan, {"orders": table}, spine)["f"]


@pytest.mark.parametrize("kind", AGGREGATES)
def test_many_rows_and_one_row_give_the_same_bits(kind: str) -> None:
    together = values(kind, events())

    alone = [values(kind, events(), [key]).item() for key in sorted(events()["customer"].unique())]

    assert together.to_list() == alone


@pytest.mark.parametrize("kind", AGGREGATES)
def test_nothing_at_or_after_as_of_moves_a_value(kind: str) -> None:
    table = events()
    future = table.with_columns(
        ordered_at=pl.lit(AS_OF_MOMENT).cast(pl.Datetime("us", "UTC")), amount=pl.lit(1e6), channel=pl.lit("later")
    )

    before = values(kind, table.filter(pl.col("ordered_at") < AS_OF_MOMENT))

    assert values(kind, pl.concat([table, future])).to_list() == before.to_list()


@pytest.mark.parametrize("kind", AGGREGATES)
def test_the_order_of_rows_has_no_effect(kind: str) -> None:
    shuffled = events().sample(fraction=1.0, shuffle=True, seed=3)

    assert values(kind, shuffled).to_list() == values(kind, events()).to_list()


@pytest.mark.parametrize("kind", AGGREGATES)
def test_an_entity_without_events_has_the_kinds_empty_value(kind: str) -> None:
    assert values(kind, events(), ["nobody"]).to_list() == [kinds.load("features", kind).EMPTY]


@pytest.mark.parametrize("kind", AGGREGATES)
def test_a_window_sees_only_the_events_inside_it(kind: str) -> None:
    table = events()
    start = AS_OF_MOMENT - timedelta(days=3)
    inside = table.filter((pl.col("ordered_at") >= start) & (pl.col("ordered_at") < AS_OF_MOMENT))

    expected = values(kind, inside, windows=["3d"])
    assert values(kind, table, windows=["3d"]).to_list() == expected.to_list()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("count", 3.0),
        ("sum", 0.6),
        ("mean", 0.3),
        ("min", 0.1),
        ("max", 0.5),
        ("n_unique", 2.0),
        ("days_since", 1.5),
        ("std", 0.28284271247461906),
        ("first", 0.5),
        ("last", 0.1),
        ("share", 2 / 3),
        ("ratio", 0.2),
        ("trend", 0.6 / 500),
    ],
)
def test_values_worked_out_by_hand(kind: str, expected: float) -> None:
    table = pl.DataFrame(
        {
            "customer": ["c"] * 3,
            "ordered_at": [
                AS_OF_MOMENT - timedelta(hours=36),
                AS_OF_MOMENT - timedelta(days=9),
                AS_OF_MOMENT - timedelta(days=5),
            ],
            "amount": [0.1, None, 0.5],
            "channel": ["web", "web", "shop"],
            "quantity": [1, 1, 2],
        },
        schema_overrides={"ordered_at": pl.Datetime("us", "UTC")},
    )

    assert values(kind, table, ["c"]).item() == expected


def test_a_sum_of_decimals_is_exact_whatever_the_order() -> None:
    amounts = [0.1] * 10 + [1e9, 0.2, -1e9]
    table = pl.DataFrame(
        {
            "customer": ["c"] * 13,
            "ordered_at": [AS_OF_MOMENT - timedelta(days=1)] * 13,
            "amount": amounts,
            "channel": ["x"] * 13,
            "quantity": [1] * 13,
        },
        schema_overrides={"ordered_at": pl.Datetime("us", "UTC")},
    )

    assert values("sum", table, ["c"]).item() == 1.2
    assert values("sum", table.reverse(), ["c"]).item() == 1.2
