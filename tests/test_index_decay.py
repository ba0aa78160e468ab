"""What becomes of an index, by numbers that were worked out by hand; and filters, the same in SQL and in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl.index import decay, filters
from mlctl.index.vectors import Catalogue, Stamp
from mlctl.spec import Decay

NOW = datetime(2026, 11, 11, tzinfo=UTC)
MADE = datetime(2026, 11, 1, tzinfo=UTC)


def facts(**changes: Any) -> dict[str, Any]:
    """An index of ten days that lost nothing."""
    return {
        "at": "2026-11-11",
        "live_at": "2026-11-01",
        "table": "shop_items_1",
        "objective": 0.95,
        "recall": [{"filter": "everything", "recall": 0.97, "low": 0.96, "high": 0.98}],
        "strays": {"items": 1000, "missing": 0, "silent": 5, "changed": 0, "gone": 0},
        "ages": {"oldest_days": 10.0},
        "overlap": 0.9,
        "overlap_with": "0123",
        "new_items": 0.4,
        "traffic": {"cold": 0.1, "warm": 0.9},
        **changes,
    }


def test_strays_are_items_without_their_vector_and_vectors_without_an_item() -> None:
    def embed(places: Any) -> Any:
        return np.asarray([[0.0, 0.0] if place == 3 else [1.0, 0.0] for place in places])

    items = pl.DataFrame({"item": ["a", "b", "new", "silent"]})
    catalogue = Catalogue(items, ["1", "2", "3", "4"], Stamp("m", "p", 2), embed)

    found = decay.strays(catalogue, {"a": ("1", MADE), "b": ("other", MADE), "gone": ("9", MADE)})

    assert found == {"items": 4, "missing": 1, "silent": 1, "changed": 1, "gone": 1}


def test_an_index_that_lost_nothing_is_quiet() -> None:
    assert decay.findings(facts(), Decay()) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"recall": [{"filter": "food", "recall": 0.9, "low": 0.88, "high": 0.94}]}, "index.recall"),
        ({"strays": {"items": 1000, "missing": 6, "silent": 0, "changed": 3, "gone": 2}}, "index.strays"),
        ({"ages": {"oldest_days": 90.5}}, "index.age"),
        ({"overlap": 0.49}, "index.overlap"),
        ({"overlaps": {"food": 0.9, "cheap": 0.49}}, "index.overlap"),
        ({"new_items": 0.002}, "index.new_items"),
        ({"traffic": {"cold": 0.6}}, "index.cold_traffic"),
    ],
)
def test_what_was_lost_is_found(change: dict[str, Any], rule: str) -> None:
    assert [finding.rule for finding in decay.findings(facts(**change), Decay())] == [rule]


def test_what_was_not_measured_is_no_finding() -> None:
    assert decay.findings(facts(overlap=None, new_items=None, traffic={}), Decay()) == []


def test_it_is_due_when_the_share_of_strays_reaches_its_limit_at_the_measured_rate() -> None:
    # 4 of 1,000 in ten days: 0.04 % a day, so the 1 % is reached 25 days after the beginning
    strays = {"items": 1000, "missing": 4, "silent": 0, "changed": 0, "gone": 0}

    when, why = decay.due([facts(strays=strays)], Decay(), NOW)

    assert when is not None
    assert abs(when - (MADE + timedelta(days=25))) < timedelta(seconds=1)
    assert why == "0.04% of the items go astray a day, 1.0% may"


def test_it_is_due_now_when_too_many_are_stray_and_else_when_the_oldest_vector_is_too_old() -> None:
    many = {"items": 100, "missing": 4, "silent": 0, "changed": 0, "gone": 0}

    assert decay.due([facts(strays=many)], Decay(), NOW)[0] == NOW
    assert decay.due([facts()], Decay(max_age="30d"), NOW)[0] == MADE + timedelta(days=30)
    assert decay.due([], Decay(), NOW) == (None, "nothing was measured yet: mlctl decay")


def test_new_items_that_lie_elsewhere_are_told_from_those_that_do_not() -> None:
    generator = np.random.default_rng(1)
    old, same = generator.normal(size=(400, 8)), generator.normal(size=(60, 8))

    elsewhere, alike = decay.moved(same + 0.5, old), decay.moved(same, old)

    assert elsewhere is not None
    assert alike is not None
    assert elsewhere <= 0.001
    assert alike > Decay().new_items
    assert decay.moved(same[:10], old) is None


def test_traffic_is_told_by_state_once_there_is_enough() -> None:
    lines = [{"state": "cold"}] * 25 + [{"state": "warm"}] * 75 + [{"score": 1}]

    assert decay.traffic(lines) == {"cold": 0.25, "warm": 0.75}
    assert decay.traffic(lines[:50]) == {}


COLUMNS = {"genre": "text", "price": "double precision", "stock": "bigint", "new": "boolean", "since": "date"}
ITEMS = pl.DataFrame(
    {
        "genre": ["a", "b", None, "a"],
        "price": [1.0, 2.0, 3.0, None],
        "stock": [0, 1, 2, 3],
        "new": [True, False, None, True],
        "since": [datetime(2026, 1, day).date() for day in (1, 2, 3, 4)],
    }
)


@pytest.mark.parametrize(
    ("said", "passing"),
    [
        ({}, [0, 1, 2, 3]),
        ({"genre": "a"}, [0, 3]),
        ({"genre": ["a", "b"], "price": {"min": 2}}, [1]),
        ({"price": {"min": 1, "max": 2}}, [0, 1]),
        ({"stock": {"max": 1}, "new": True}, [0]),
        ({"since": {"min": "2026-01-03"}}, [2, 3]),
    ],
)
def test_a_filter_holds_for_the_same_items_in_memory_and_in_the_database(
    connection: Any, said: dict[str, Any], passing: list[int]
) -> None:
    wanted = filters.read(said, COLUMNS)
    connection.execute(
        "CREATE TEMP TABLE things (place integer, genre text, price double precision, stock bigint, new boolean, since date)"
    )
    for place, row in enumerate(ITEMS.rows()):
        connection.execute("INSERT INTO things VALUES (%s, %s, %s, %s, %s, %s)", (place, *row))
    from psycopg import sql

    asked = sql.SQL("SELECT place FROM things WHERE {} ORDER BY place").format(wanted.condition())
    assert [row[0] for row in connection.execute(asked, wanted.values)] == passing
    assert np.flatnonzero(wanted.mask(ITEMS)).tolist() == passing


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"gender": "a"}, "gender: items have no such column; did you mean 'genre'?"),
        ({"genre": 1}, "genre: wanted a text, not 1"),
        ({"stock": 1.5}, "stock: wanted a whole number, not 1.5"),
        ({"stock": True}, "stock: wanted a whole number, not True"),
        ({"price": {"least": 1}}, "price: wanted a value, an array of values, or min and max"),
        ({"genre": []}, "genre: wanted between 1 and 1,000 values, not 0"),
        ({"since": "soon"}, "since: wanted a day such as 2026-11-01, not 'soon'"),
        ([], "filter: wanted an object of columns and what each must be"),
    ],
)
def test_a_filter_that_cannot_be_read_names_its_column(said: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        filters.read(said, COLUMNS)
