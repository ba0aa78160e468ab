"""Predictions meet their labels as these become known, and never sooner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from mlctl.config import validation
from mlctl.outcomes import joined
from mlctl.spec import Project
from tests.test_spec import VALID

SOURCES = {
    "customers": {"kind": "csv", "path": "customers.csv"},
    "orders": {"kind": "csv", "path": "orders.csv", "time": "ordered_at", "knowledge_time": "loaded_at"},
}


def day(number: int, month: int = 1) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def project(**changes: Any) -> Project:
    found, faults = validation.read({**VALID, "sources": SOURCES, **changes})
    assert found is not None, faults
    return found


def orders(*rows: tuple[str, datetime, datetime]) -> dict[str, pl.DataFrame]:
    columns = dict(zip(("customer_id", "ordered_at", "loaded_at"), map(list, zip(*rows, strict=True)), strict=True))
    return {"orders": pl.DataFrame(columns), "customers": pl.DataFrame({"customer_id": ["a", "b"]})}


def predictions(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": ["a", "b"], "as_of": [day(1), day(1)], "score": [0.2, 0.9], "variant": ["champion"] * 2}
        | columns
    )


WITHIN_TEN_DAYS = {"kind": "count", "source": "orders", "horizon": "10d", "is": 0}


def test_an_outcome_is_known_when_its_whole_horizon_has_passed_also_where_it_shows_itself_earlier():
    tables = orders(("a", day(3), day(3)), ("b", day(20), day(20)))
    asked = project(label=WITHIN_TEN_DAYS)

    early, ripe = (joined(asked, predictions(), tables, day(until)) for until in (10, 11))

    assert early["label"].to_list() == [None, None]
    assert early["known_at"].to_list() == [None, None]
    # a ordered on the 3rd, b not before the 11th
    assert ripe["label"].to_list() == [0.0, 1.0]
    assert ripe["known_at"].to_list() == [day(11), day(11)]
    assert ripe.columns == ["customer_id", "as_of", "score", "variant", "label", "known_at"]


def test_a_row_that_was_loaded_late_changes_the_label_and_says_since_when():
    tables = orders(("a", day(3), day(14)), ("b", day(2), day(2)))
    asked = project(label=WITHIN_TEN_DAYS)

    before, after = (joined(asked, predictions(), tables, day(until)) for until in (14, 15))

    assert before["label"].to_list() == [1.0, 0.0]
    assert after["label"].to_list() == [0.0, 0.0]
    assert after["known_at"].to_list() == [day(14), day(11)]


def test_the_same_entity_at_two_moments_keeps_two_outcomes_in_the_order_asked():
    tables = orders(("a", day(12), day(12)), ("b", day(1), day(1)))
    asked = predictions(customer_id=["a", "a"], as_of=[day(5), day(1)])

    found = joined(project(label=WITHIN_TEN_DAYS), asked, tables, day(30))

    assert found["label"].to_list() == [0.0, 1.0]
    assert found["as_of"].to_list() == [day(5), day(1)]


def test_a_label_of_a_table_counts_from_the_day_it_came_and_is_the_latest_one():
    sources = {**SOURCES, "labels": {"kind": "csv", "path": "labels.csv", "time": "labelled_at"}}
    label = {"kind": "lookup", "source": "labels", "column": "paid", "is": "yes"}
    asked = project(sources=sources, label=label, split={"kind": "folds"})
    told = pl.DataFrame({"customer_id": ["a", "a"], "labelled_at": [day(4), day(9)], "paid": ["no", "yes"]})
    tables = {**orders(("a", day(1), day(1))), "labels": told}

    found = [joined(asked, predictions(), tables, day(until)) for until in (4, 5, 10)]

    assert [rows["label"].to_list() for rows in found] == [[None, None], [0.0, None], [1.0, None]]
    assert found[2]["known_at"].to_list() == [day(4), None]
