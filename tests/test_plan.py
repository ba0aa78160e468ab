"""The plan against a plain loop over events: nothing at or after as_of is seen, and no cut of the rows moves a bit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mlctl import spec
from mlctl.config import validation
from mlctl.errors import DataError
from mlctl.features import fulfils
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute, outcomes, population
from tests.test_spec import VALID

T = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UTC_TIME = pl.Datetime("us", "UTC")


def project(**sections: Any) -> spec.Project:
    made, faults = validation.read({**VALID, "checks": {}, "cohorts": {}, **sections})
    assert made is not None, [str(fault) for fault in faults]
    return made


def tables(orders: list[tuple], customers: list[tuple] = ()) -> dict[str, pl.DataFrame]:
    return {
        "customers": pl.DataFrame(
            list(customers), schema={"customer_id": pl.String, "plan": pl.String, "changed_at": UTC_TIME}, orient="row"
        ),
        "orders": pl.DataFrame(
            list(orders), schema={"customer_id": pl.String, "ordered_at": UTC_TIME, "amount": pl.Float64}, orient="row"
        ),
    }


SOURCES = {
    "customers": {"kind": "csv", "path": "c.csv", "time": "changed_at"},
    "orders": {"kind": "csv", "path": "o.csv", "time": "ordered_at"},
}
FEATURES = {
    "orders": {"kind": "count", "source": "orders", "windows": ["7d", "30d", "all"]},
    "big": {"kind": "count", "source": "orders", "where": "amount > 5", "windows": ["30d"]},
    "spend": {"kind": "sum", "source": "orders", "column": "amount", "windows": ["30d"]},
    "since": {"kind": "days_since", "source": "orders"},
    "plan": {"kind": "lookup", "source": "customers", "column": "plan"},
    "share": {"kind": "sql", "sql": "spend / nullif(orders_30d, 0)"},
}


def planned(features: dict[str, Any], found: dict[str, pl.DataFrame], **sections: Any):
    made = project(sources=SOURCES, features=features, **sections)
    return compile_plan(made, {name: table.columns for name, table in found.items()})


def spine(*rows: tuple[str | None, datetime]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"customer_id": pl.String, AS_OF: UTC_TIME}, orient="row")


def world(seed: int) -> tuple[list[tuple], list[tuple]]:
    """Random events on a grid of six hours, so that many lie exactly on the edges; some keys and amounts are missing."""
    draw = random.Random(seed)
    keys = ["a", "b", "c", "d", None]
    orders = [
        (
            draw.choice(keys),
            T + timedelta(hours=6 * draw.randint(-200, 200)),
            draw.choice([None, *(n / 10 for n in range(100))]),
        )
        for _ in range(200)
    ]
    versions = [(draw.choice(keys), f"p{n}", T + n * timedelta(hours=6) * draw.choice([1, -1])) for n in range(40)]
    return orders, versions


def by_hand(key: str, as_of: datetime, orders: list[tuple], versions: list[tuple]) -> dict[str, Any]:
    past = [(at, amount) for who, at, amount in orders if who == key and at < as_of]
    month = [amount for at, amount in past if at >= as_of - 30 * DAY]
    spend = sum(round(amount * 10) for amount in month if amount is not None) / 10
    said = [(at, plan) for who, plan, at in versions if who == key and at < as_of]
    return {
        "orders_7d": float(sum(at >= as_of - 7 * DAY for at, _ in past)),
        "orders_30d": float(len(month)),
        "orders_all": float(len(past)),
        "big": float(sum(amount is not None and amount > 5 for amount in month)),
        "spend": spend,
        "since": (as_of - max(at for at, _ in past)) / DAY if past else None,
        "plan": max(said)[1] if said else None,
        "share": spend / len(month) if month else None,
    }


@pytest.mark.parametrize("seed", range(6))
def test_features_are_those_of_a_plain_loop_over_what_was_known_before_as_of(seed):
    orders, versions = world(seed)
    moments = [T, T + 6 * timedelta(hours=1), T - 30 * DAY, T + 400 * DAY, T - 400 * DAY]
    asked = [(key, moment) for moment in moments for key in ("a", "b", "c", "d", "nobody")]

    found = compute(planned(FEATURES, tables(orders, versions)), tables(orders, versions), spine(*asked))

    assert found.columns == ["customer_id", AS_OF, *by_hand("a", T, orders, versions)]
    for (key, moment), row in zip(asked, found.drop("customer_id", AS_OF).iter_rows(named=True), strict=True):
        assert row == by_hand(key, moment, orders, versions), (key, moment)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_alone_and_rows_in_any_order_have_the_same_bits(seed):
    orders, versions = world(seed)
    features = {
        **FEATURES,
        "third": {"kind": "sql", "sql": "spend / 3"},
        "constant": {"kind": "sql", "sql": "1.1"},
        "of_constant": {"kind": "sql", "sql": "constant / 3 + spend / 7.7"},
        "text": {"kind": "sql", "sql": "case when spend > 10 then 'much' else 'little' end"},
    }
    shuffled = random.Random(seed).sample(orders, len(orders)), versions
    plan = planned(features, tables(orders, versions))
    keys = ["a", "b", "c", "d", "nobody"]

    together = compute(plan, tables(orders, versions), spine(*((key, T) for key in keys)))
    backwards = compute(plan, tables(*shuffled), spine(*((key, T) for key in reversed(keys))))
    alone = pl.concat([compute(plan, tables(orders, versions), spine((key, T))) for key in keys])

    assert together.equals(alone)
    assert together.equals(backwards.reverse())


def test_rows_come_back_in_the_order_they_were_asked_for():
    orders, versions = world(1)
    asked = [("a", T), ("b", T - DAY), ("a", T - DAY), ("b", T), ("a", T)]
    plan = planned(FEATURES, tables(orders, versions))

    found = compute(plan, tables(orders, versions), spine(*asked))

    assert found.select("customer_id", AS_OF).rows() == asked
    for index, row in enumerate(asked):
        assert found[index].equals(compute(plan, tables(orders, versions), spine(row)))
    label = spec.Label.model_validate({"kind": "count", "source": "orders", "horizon": "90d", "is": 0})
    alone = [outcomes(label, plan, tables(orders, versions), spine(row)).item() for row in asked]
    assert outcomes(label, plan, tables(orders, versions), spine(*asked)).to_list() == alone


def test_a_change_exactly_at_as_of_is_not_in_force_yet_and_an_event_at_the_windows_begin_counts():
    microsecond = timedelta(microseconds=1)
    orders = [
        ("a", T, 1.0),
        ("a", T - microsecond, 2.0),
        ("a", T - 30 * DAY, 4.0),
        ("a", T - 30 * DAY - microsecond, 8.0),
    ]
    found = tables(orders, [("a", "old", T - microsecond), ("a", "new", T)])

    row = compute(planned(FEATURES, found), found, spine(("a", T))).row(0, named=True)
    later = compute(planned(FEATURES, found), found, spine(("a", T + microsecond))).row(0, named=True)

    assert (row["plan"], row["orders_30d"], row["spend"], row["orders_all"]) == ("old", 2.0, 6.0, 3.0)
    assert (later["plan"], later["orders_30d"], later["spend"]) == ("new", 2.0, 3.0)


def test_the_outcome_is_looked_for_from_as_of_up_to_the_horizon():
    microsecond = timedelta(microseconds=1)
    end = T + 90 * DAY
    orders = [
        ("at", T, 1.0),
        ("before", T - microsecond, 1.0),
        ("last", end - microsecond, 1.0),
        ("end", end, 1.0),
        (None, T, 1.0),
    ]
    found = tables(orders)
    label = spec.Label.model_validate({"kind": "count", "source": "orders", "horizon": "90d", "is": 0})

    truth = outcomes(
        label, planned(FEATURES, found), found, spine(*((key, T) for key in ("at", "before", "last", "end", "none")))
    )

    assert truth.to_list() == [0.0, 1.0, 0.0, 1.0, 1.0]


def test_a_looked_up_outcome_is_null_where_the_source_does_not_tell():
    found = {
        "customers": pl.DataFrame({"customer_id": ["a", "b", "c", None], "left": ["yes", "no", None, "yes"]}),
        "orders": tables([])["orders"],
    }
    made = project(
        sources={**SOURCES, "customers": {"kind": "csv", "path": "c.csv"}},
        features={"f": FEATURES["since"]},
        label={"kind": "lookup", "source": "customers", "column": "left", "is": "yes"},
        split={"kind": "folds"},
    )
    plan = compile_plan(made, {name: table.columns for name, table in found.items()})

    assert outcomes(made.label, plan, found, spine(*((key, T) for key in "abcd"))).to_list() == [1.0, 0.0, None, None]


@pytest.mark.parametrize("column", ["customer_id", "left"])
def test_an_outcome_from_a_table_without_the_column_is_refused(column):
    label = spec.Label.model_validate({"kind": "sum", "source": "orders", "column": "left", "horizon": "90d", "is": 0})
    found = tables([("a", T, 1.0)])
    broken = {**found, "orders": found["orders"].with_columns(left=1.0).drop(column)}

    with pytest.raises(DataError, match=f"no column '{column}'"):
        outcomes(label, planned(FEATURES, found), broken, spine(("a", T)))


def test_everybody_is_who_was_known_strictly_before_as_of():
    found = tables(
        [("late", T, 1.0), ("b", T - DAY, 1.0), (None, T - DAY, 1.0)],
        [("a", "x", T - DAY), ("late", "x", T), ("a", "y", T - 2 * DAY)],
    )
    by_source = planned(FEATURES, found)
    by_all = planned(FEATURES, found, entity={"key": "customer_id"})

    assert population(by_source, found, T)["customer_id"].to_list() == ["a"]
    assert population(by_all, found, T)["customer_id"].to_list() == ["a", "b"]
    assert population(by_all, found, T + timedelta(microseconds=1))["customer_id"].to_list() == ["a", "b", "late"]
    assert population(by_source, found, T)[AS_OF].to_list() == [T]
    assert population(by_source, found, T - 9 * DAY).schema == {"customer_id": pl.String, AS_OF: UTC_TIME}


def test_an_empty_spine_gives_an_empty_table_of_the_same_columns():
    found = tables([("a", T - DAY, 1.0)])

    assert (
        compute(planned(FEATURES, found), found, spine()).columns
        == compute(planned(FEATURES, found), found, spine(("a", T))).columns
    )


def test_whole_number_keys_and_text_keys_meet():
    orders = pl.DataFrame(
        {"customer_id": [7, 8, 7], "ordered_at": [T - DAY] * 3, "amount": [1.0, 2.0, 3.0]},
        schema_overrides={"ordered_at": UTC_TIME},
    )
    customers = pl.DataFrame(
        {"customer_id": ["7", "9"], "plan": ["x", "y"], "changed_at": [T - DAY] * 2},
        schema_overrides={"changed_at": UTC_TIME},
    )
    found = {"customers": customers, "orders": orders}
    plan = planned(
        {"spend": {"kind": "sum", "source": "orders", "column": "amount"}, "plan": FEATURES["plan"]},
        found,
        entity={"key": "customer_id"},
    )

    rows = compute(plan, found, population(plan, found, T)).drop(AS_OF).rows()

    assert rows == [("7", 4.0, "x"), ("8", 2.0, None), ("9", 0.0, "y")]


@pytest.mark.parametrize(
    "feature",
    [
        {"kind": "sum", "source": "orders", "column": "nope"},
        {"kind": "count", "source": "orders", "where": "nope > 1"},
        {"kind": "count", "source": "orders", "where": "amount >"},
        {"kind": "lookup", "source": "customers", "column": "nope"},
        {"kind": "lookup", "source": "customers", "columns": ["plan", "nope"]},
        {"kind": "lookup", "source": "customers", "columns": "all", "exclude": ["nope"]},
    ],
)
def test_a_column_that_is_not_there_is_a_data_error(feature):
    found = tables([("a", T - DAY, 1.0)])

    with pytest.raises(DataError) as caught:
        compute(planned({"f": feature}, found), found, spine(("a", T)))
    assert "features.f" in str(caught.value) or "'f'" in str(caught.value) or "f.where" in str(caught.value)


def plain_customers(**columns: list) -> dict[str, pl.DataFrame]:
    return {"customers": pl.DataFrame(columns), "orders": tables([])["orders"]}


def plain_plan(found: dict[str, pl.DataFrame], features: dict[str, Any]):
    made = project(
        sources={"customers": {"kind": "csv", "path": "c.csv"}, "orders": SOURCES["orders"]},
        features=features,
        label={"kind": "lookup", "source": "customers", "column": "Churn", "is": "Yes"},
        split={"kind": "folds"},
    )
    return compile_plan(made, {name: table.columns for name, table in found.items()})


def test_all_columns_are_looked_up_but_key_label_and_the_excluded():
    found = plain_customers(
        customer_id=["a"], MonthlyCharges=[1.5], **{"education-num": [3], "2nd": [1]}, Churn=["Yes"], note=["x"]
    )

    plan = plain_plan(
        found, {"profile": {"kind": "lookup", "source": "customers", "columns": "all", "exclude": ["note"]}}
    )

    assert plan.names == ["monthly_charges", "education_num", "_2nd"]
    assert compute(plan, found, spine(("a", T))).rows() == [("a", T, 1.5, 3, 1)]


@pytest.mark.parametrize("twins", [("MonthlyCharges", "monthly_charges"), ("a-b", "a b"), ("A", "a")])
def test_two_columns_of_the_same_snake_case_name_are_refused(twins):
    found = plain_customers(customer_id=["a"], Churn=["Yes"], **{key: [1] for key in twins})

    with pytest.raises(DataError, match="cannot be computed") as caught:
        plain_plan(found, {"profile": {"kind": "lookup", "source": "customers", "columns": "all"}})
    assert "another feature has this name already" in str(caught.value)


def test_a_plain_table_with_two_rows_of_one_entity_is_refused_and_rows_of_nobody_are_ignored():
    features = {"profile": {"kind": "lookup", "source": "customers", "column": "x"}}
    nobody = plain_customers(customer_id=["a", None, None], x=[1, 2, 3], Churn=["Yes"] * 3)
    twice = plain_customers(customer_id=["a", "b", "a"], x=[1, 2, 3], Churn=["Yes"] * 3)

    assert compute(plain_plan(nobody, features), nobody, spine(("a", T), ("b", T)))["profile"].to_list() == [1, None]
    with pytest.raises(DataError, match="cannot be computed") as caught:
        compute(plain_plan(twice, features), twice, spine(("a", T)))
    assert "'a' stands in several rows" in str(caught.value)


def test_a_condition_that_is_missing_is_not_fulfilled():
    table = pl.DataFrame({"x": [1.0, None, 3.0], "s": ["a", None, "b"]})

    assert fulfils(table, "x > 2", "k").to_list() == [False, False, True]
    assert fulfils(table, "not (x > 2)", "k").to_list() == [True, False, False]
    assert fulfils(table, "s <> 'a'", "k").to_list() == [False, False, True]
    assert fulfils(table, "1 = 1", "k").to_list() == [True] * 3
    assert fulfils(table.clear(), "1 = 1", "k").to_list() == []
