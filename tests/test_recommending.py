"""What a recommender learns from and is judged by: events that count, moments at which somebody is asked for, the gate."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import gates
from mlctl.config import validation
from mlctl.errors import ConfigError, DataError
from mlctl.recommenders import Interactions
from mlctl.spec import Project
from mlctl.stages.recommending._cases import JUDGES, REHEARSES, TEACHES, Cases, cases, parts
from mlctl.stages.recommending._ground import Ground
from mlctl.stages.recommending._interactions import catalogue, interactions
from mlctl.tuning import tune
from mlctl.workspace import Places
from tests.test_recommender import MAPPING

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000


def project(**sections: Any) -> Project:
    found, faults = validation.read({**MAPPING, **sections})
    assert found is not None, faults
    return found


def faults_of(**sections: Any) -> list[str]:
    return [
        fault.sentence() if hasattr(fault, "sentence") else f"{fault.key}: {fault.message}"
        for fault in validation.read({**MAPPING, **sections})[1]
    ]


def views(rows: list[tuple[Any, Any, datetime | None]]) -> pl.DataFrame:
    schema = {"user_id": pl.String, "item_id": pl.String, "at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


PRODUCTS = pl.DataFrame(
    {"item_id": ["b", "a", "c"], "title": ["bolt", "apple", None], "aisle": ["diy", "food", "food"]}
)


def test_the_catalogue_is_sorted_and_says_what_each_item_is_made_from() -> None:
    items = catalogue(project(), {"products": PRODUCTS, "views": views([])})

    assert items["item_id"].to_list() == ["a", "b", "c"]
    assert items["text"].to_list() == ["apple", "bolt", ""]
    assert items["aisle"].to_list() == ["food", "diy", "food"]
    assert items["content_sha256"].n_unique() == 3


def test_an_empty_catalogue_is_told() -> None:
    with pytest.raises(DataError, match="no rows in the catalogue"):
        catalogue(project(), {"products": PRODUCTS.clear(), "views": views([])})


def test_what_cannot_be_learnt_from_is_left_out_and_told() -> None:
    items = catalogue(project(), {"products": PRODUCTS, "views": views([])})
    morning = datetime(2025, 6, 1, tzinfo=UTC)
    people = [(f"u{n}", item, morning + timedelta(minutes=n)) for n in range(40) for item in "ab"]
    bot = [("bot", "abc"[n % 3], morning + timedelta(seconds=n)) for n in range(200)]
    troubles = [
        people[0],
        ("u1", "sold out", morning),
        (None, "a", morning),
        ("u2", "a", None),
        ("u3", "b", AS_OF),
        ("u4", "b", datetime(1970, 1, 1, tzinfo=UTC)),
    ]

    events, findings = interactions(project(), views([*people, *bot, *troubles]), items, AS_OF)

    assert events.height == len(people)
    assert {finding.rule: finding.value for finding in findings} == {
        "views.unnamed": "2 events left out",
        "views.clock": "2 events left out",
        "views.unknown_item": "1 events left out",
        "views.duplicate": "1 events left out",
        "views.bot": "200 events left out",
    }


def test_no_event_that_counts_is_an_error_that_says_why() -> None:
    items = catalogue(project(), {"products": PRODUCTS, "views": views([])})

    with pytest.raises(DataError) as caught:
        interactions(project(), views([("u", "gone", datetime(2025, 1, 1, tzinfo=UTC))]), items, AS_OF)
    assert "allowed is an item of products" in str(caught.value.why)


def test_only_what_the_label_wants_is_learnt_from() -> None:
    items = catalogue(project(), {"products": PRODUCTS, "views": views([])})
    rows = views([("u", "a", datetime(2025, 1, 1, tzinfo=UTC)), ("u", "b", datetime(2025, 1, 2, tzinfo=UTC))])
    label = {"kind": "interactions", "source": "views", "where": "item_id <> 'a'"}

    events, _ = interactions(project(label=label), rows, items, AS_OF)

    assert events["item"].to_list() == [1]


def told(rows: list[tuple[int, int, int]]) -> Interactions:
    user, item, day = (
        np.asarray(column) for column in zip(*sorted(rows, key=lambda row: (row[0], row[2])), strict=True)
    )
    return Interactions(user, item, day * DAY, int(user.max()) + 1, 20)


def test_over_time_everything_that_judges_is_later_than_everything_that_teaches() -> None:
    drawn = random.Random(3)
    events = told([(drawn.randrange(30), drawn.randrange(20), drawn.randrange(100)) for _ in range(400)])
    part = parts(project(split={"kind": "time", "test_share": 0.2}), events)

    assert events.time[part == TEACHES].max() < events.time[part == REHEARSES].min()
    assert events.time[part == REHEARSES].max() < events.time[part == JUDGES].min()
    assert (part == JUDGES).mean() == pytest.approx(0.2, abs=0.03)


def test_a_named_moment_begins_the_test() -> None:
    events = told([(0, 1, 0), (0, 2, 10), (0, 3, 20), (0, 4, 30)])
    split = {"kind": "time", "test": ["1970-01-26"]}

    assert parts(project(split=split), events).tolist() == [TEACHES, REHEARSES, REHEARSES, JUDGES]


def test_the_last_one_of_each_user_judges_and_the_one_before_rehearses() -> None:
    events = told([(0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 4, 1), (1, 5, 2), (2, 6, 1)])

    assert parts(project(split={"kind": "last"}), events).tolist() == [
        TEACHES, REHEARSES, JUDGES, TEACHES, JUDGES, TEACHES,
    ]  # fmt: skip


def test_a_user_is_asked_for_again_as_evidence_grows() -> None:
    events = told([(0, 1, 0), *[(0, item, 50 + item) for item in (2, 3, 4, 5)], (1, 9, 60)])
    part = np.where(events.time >= 50 * DAY, JUDGES, TEACHES)

    found = cases(project(), events, part, JUDGES, over_time=True)

    assert [
        (user, had.tolist(), came.tolist())
        for user, had, came in zip(found.user, found.histories, found.relevant, strict=True)
    ] == [
        (0, [1], [2, 3, 4, 5]),
        (0, [1, 2], [3, 4, 5]),
        (0, [1, 2, 3], [4, 5]),
        (1, [], [9]),
    ]
    assert found.had.tolist() == [1, 2, 3, 0]
    again = Cases.of_table(found.table())
    assert [row.tolist() for row in again.histories] == [row.tolist() for row in found.histories]
    assert [row.tolist() for row in again.relevant] == [row.tolist() for row in found.relevant]


def test_what_was_had_already_is_only_asked_for_where_seen_items_are_shown() -> None:
    events = told([(0, 1, 0), (0, 1, 60), (1, 1, 0), (1, 2, 60)])
    part = np.where(events.time >= 50 * DAY, JUDGES, TEACHES)
    items = {**MAPPING["items"], "seen": "show"}

    hidden = cases(project(), events, part, JUDGES, over_time=False)
    shown = cases(project(items=items), events, part, JUDGES, over_time=False)

    assert [came.tolist() for came in hidden.relevant] == [[2]]
    assert [came.tolist() for came in shown.relevant] == [[1], [2]]


def test_the_states_are_cohorts_and_no_gate_can_leave_popularity_out() -> None:
    weak = {"metric": "ndcg", "min": 0}
    made = project(gate={"not_below_popularity_in_any_state": weak, "mine": weak})

    assert list(made.cohorts) == ["cold", "warming", "warm"]
    assert made.gate["not_below_popularity_in_any_state"].better_than == "popularity"
    assert made.gate["not_below_popularity_in_any_state"].cohort == "each"
    assert set(made.gate) == {"mine", "not_below_popularity", "not_below_popularity_in_any_state"}


def part_of(value: float, other: float, low: float, high: float) -> dict[str, Any]:
    models = {
        "content": {"ndcg": {"value": value, "low": value - 0.01, "high": value + 0.01}},
        "popularity": {
            "ndcg": {
                "value": other,
                "low": other - 0.01,
                "high": other + 0.01,
                "own_minus_this": {"low": low, "high": high},
            }
        },
    }
    return {"rows": 80, "models": models, "better": {"ndcg": "higher"}}


def test_who_loses_to_popularity_in_one_state_does_not_ship() -> None:
    evaluation = {
        "model": "content",
        "everybody": part_of(0.3, 0.2, 0.08, 0.12),
        "cohorts": {"cold": part_of(0.2, 0.2, 0.0, 0.0), "warming": part_of(0.3, 0.1, 0.15, 0.25), "warm": part_of(0.1, 0.2, -0.15, -0.05)},
        "slices": {},
    }  # fmt: skip
    verdicts = {verdict.cohort or verdict.rule: verdict.passed for verdict in gates.judge(project(), evaluation)}

    assert verdicts == {"not_below_popularity": True, "cold": True, "warming": True, "warm": False}


def test_what_does_not_go_together_is_told_at_once() -> None:
    told_of = {
        "features": faults_of(features={"n": {"kind": "count", "source": "views"}}),
        "items": faults_of(items=None),
        "split": faults_of(split={"kind": "folds"}),
        "model": faults_of(model={"kind": "content", "ladder": ["popularty"]}),
        "options": faults_of(model={"kind": "blend", "options": {"ease": {"l3": 1}}}),
        "time": faults_of(sources={**MAPPING["sources"], "views": {"kind": "parquet", "path": "v.parquet"}}),
    }
    wanted = {
        "features": "a recommender learns from interactions and items",
        "items": "is missing",
        "split": "'folds' does not divide interactions",
        "model": "there is no recommender 'popularty'",
        "options": "model.options.ease.l3: unknown key",
        "time": "'views' has no time column",
    }

    assert {key: [wanted[key] in text for text in texts] for key, texts in told_of.items()} == {
        key: [True] for key in wanted
    }


def test_what_is_held_back_teaches_content_neither_by_events_nor_by_texts(tmp_path: Path) -> None:
    told = project(model={"kind": "content", "dimension": 2, "terms": {"min_rows": 1, "pieces": None}})
    events = Interactions(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2]), np.arange(4) * DAY, 2, 3)
    part = np.array([TEACHES, TEACHES, TEACHES, JUDGES])
    nobody = Cases(np.zeros(0, np.int64), (), ())

    def vectors(last: str, which: int) -> list:
        items = pl.DataFrame({"text": ["red apple", "green apple", last]})
        own = Ground(told, events, part, items, nobody, tmp_path, "36500d")
        return own.fits(own.before(which), ["content"])["content"].form.vectors[:2].tolist()

    assert vectors("red bolt", JUDGES) == vectors("apple apple nut", JUDGES)
    assert vectors("red bolt", JUDGES + 1) != vectors("apple apple nut", JUDGES + 1)


def test_what_is_not_searched_names_what_tries_several_options() -> None:
    with pytest.raises(ConfigError, match=r"mlctl run projects/shop model\.options\.ease\.l2=200,500"):
        tune(Places("shop"), project(), 1, lambda step, text: None)
