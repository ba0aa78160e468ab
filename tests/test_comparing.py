"""Champion against challenger on known outcomes: an interval for every moment, guards, and what is still needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlctl.comparing import lists
from mlctl.comparing.losses import losses
from mlctl.comparing.sequential import interval, intervals, needed
from mlctl.comparing.verdict import Match, judged
from mlctl.config import validation
from mlctl.rollout import Traffic
from mlctl.spec import Project
from tests.tables import IN_TIME, project

T = datetime(2026, 7, 1, tzinfo=UTC)
NOW = T + timedelta(days=100)


def slow_interval(values: list[float], error: float) -> tuple[float, float]:
    """The same interval, one observation after the other, as the paper writes it."""
    seen: list[float] = []
    mean, spread, low, high = 0.5, 0.25, 0.0, 1.0
    staked = weighed = risk = 0.0
    spreads = 0.25
    for count, value in enumerate(((one + 1) / 2 for one in values), start=1):
        bet = min(0.5, np.sqrt(2 * np.log(2 / error) / (spread * count * np.log(1 + count))))
        staked, weighed = staked + bet, weighed + bet * value
        risk += (value - mean) ** 2 * (-np.log(1 - bet) - bet)
        width = (np.log(2 / error) + risk) / staked
        low, high = max(low, weighed / staked - width), min(high, weighed / staked + width)
        seen.append(value)
        mean = (0.5 + sum(seen)) / (count + 1)
        spreads += (value - mean) ** 2
        spread = spreads / (count + 1)
    return 2 * low - 1, 2 * high - 1


def test_the_interval_is_the_papers() -> None:
    values = np.random.default_rng(3).uniform(-0.6, 0.8, 200)
    low, high = intervals(values, 0.05)

    assert (low[-1], high[-1]) == pytest.approx(slow_interval(values.tolist(), 0.05))
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()


def test_looking_after_every_observation_is_wrong_no_more_often_than_it_says() -> None:
    chance, wrong = np.random.default_rng(11), 0
    for _ in range(100):
        low, high = intervals(np.clip(chance.normal(0.0, 0.3, 500), -1, 1), 0.05)
        wrong += bool((low > 0).any() or (high < 0).any())
    assert wrong <= 5


def test_how_many_are_needed_is_when_the_interval_will_tell_if_all_goes_on_like_this() -> None:
    few = np.array([0.3, -0.1, 0.2])
    count = needed(few, 0.05, 0.0)
    assert count is not None
    for size, tells in ((count - 1, False), (count, True)):
        assert (interval(np.resize(few, size), 0.05).low > 0) is tells
    assert needed(np.array([0.1, -0.1]), 0.05, 0.0) is None
    assert needed(np.zeros(0), 0.05, 0.0) is None


def told(variant: str, score: list[float | None], decision: list[str]) -> dict[str, object]:
    return {f"{variant}_score": score, f"{variant}_decision": decision}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rollout": {}}, [0.04, 0.36, 1.0]),
        ({"rollout": {"metric": "log_loss"}}, [np.log(0.8) / np.log(0.01), np.log(0.4) / np.log(0.01), 1.0]),
        ({"rollout": {"metric": "error"}}, [0.0, 1.0, 0.5]),
        # the best is 10, the worst -5; a call that was right brings 10, a miss -5, the queue nothing
        ({"rollout": {"metric": "worth"}, "decide": {"worth": {"tp": 10, "fn": -5}}}, [0.0, 1.0, 10 / 15]),
    ],
)
def test_what_an_answer_cost(changes: dict, expected: list[float]) -> None:
    rows = pl.DataFrame({"label": [1.0, 1.0, 0.0], **told("champion", [0.8, 0.4, None], ["yes", "no", "review"])})

    assert losses(project(**IN_TIME, **changes), rows, "champion").tolist() == pytest.approx(expected)


def pairs(rows: int, better: float, failed: int = 0, seconds: float = 0.001, inside: str | None = None) -> pl.DataFrame:
    """Entities of which the challenger thinks better of what happened by so much."""
    chance = np.random.default_rng(5)
    label = chance.integers(0, 2, rows).astype(float)
    champion = np.clip(np.where(label == 1, 0.6, 0.4) + chance.normal(0, 0.1, rows), 0, 1)
    challenger = np.clip(champion + np.where(label == 1, better, -better), 0, 1)
    known = [T + timedelta(days=90)] * rows
    return pl.DataFrame(
        {
            "customer_id": [f"c{row:05d}" for row in range(rows)],
            "as_of": [T] * rows,
            "cohorts": [[inside] if inside and row % 2 else [] for row in range(rows)],
            **told("champion", champion.tolist(), ["yes"] * rows),
            **told("challenger", challenger.tolist(), ["yes"] * rows),
            "champion_failed": [False] * rows,
            "challenger_failed": [row < failed for row in range(rows)],
            "champion_seconds": [0.001] * rows,
            "challenger_seconds": [seconds] * rows,
            "label": label,
            "known_at": known,
        },
        schema_overrides={"cohorts": pl.List(pl.String)},
    )


MATCH = Match(project(**IN_TIME), Traffic("aaa", "bbb").at(10))


def test_a_better_challenger_is_promoted_a_worse_one_is_not_and_a_few_labels_say_how_many_more() -> None:
    assert judged(MATCH, pairs(1000, 0.1), NOW).verdict == "promote"
    worse = judged(MATCH, pairs(1000, -0.1), NOW)
    assert (worse.verdict, worse.labels_needed) == ("keep", 0)
    few = judged(MATCH, pairs(60, 0.05), NOW)
    assert few.verdict == "not yet"
    assert few.labels_needed is not None
    assert 0 < few.labels_needed < 1000
    # everybody came on one day, so the next ones come on the next, and are known 90 days later
    assert few.days_needed == pytest.approx(90 + few.labels_needed / 60, abs=0.1)


def test_labels_that_are_on_their_way_are_counted_in() -> None:
    whole = pairs(600, 0.05).with_columns(
        label=pl.when(pl.int_range(600) < 60).then("label"),
        known_at=pl.when(pl.int_range(600) < 60).then("known_at"),
        as_of=pl.when(pl.int_range(600) < 60).then("as_of").otherwise(pl.lit(NOW - timedelta(days=80))),
    )
    found = judged(MATCH, whole, NOW)

    assert (found.verdict, found.labels, found.waiting) == ("not yet", 60, 540)
    assert found.labels_needed is not None
    assert found.labels_needed <= 540
    assert found.days_needed == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("how", "guard"),
    [({"failed": 5}, "errors"), ({"seconds": 0.0025}, "cost"), ({"seconds": 0.004}, "cost")],
)
def test_a_better_challenger_that_breaks_a_guard_is_not_promoted(how: dict, guard: str) -> None:
    found = judged(MATCH, pairs(1000, 0.1, **how), NOW)

    assert found.verdict == "keep"
    assert found.why.startswith(f"{guard}: ")


def test_a_cohort_in_which_it_is_worse_keeps_the_champion_and_one_that_nobody_measured_waits() -> None:
    match = Match(project(**IN_TIME, cohorts={"annual": "orders_90d > 3"}), MATCH.traffic)
    assert judged(match, pairs(1000, 0.1, inside="annual"), NOW).verdict == "promote"
    assert judged(match, pairs(1000, 0.1), NOW).why == "its loss is lower, and nothing was measured of cohort annual"
    whole = pairs(3000, 0.1, inside="annual")
    spoilt = whole.with_columns(
        challenger_score=pl.when(pl.col("cohorts").list.len() > 0).then(1 - pl.col("champion_score")).otherwise("label")
    )
    found = judged(match, spoilt, NOW)
    assert (found.verdict, found.why.split(":")[0]) == ("keep", "cohort annual")


SHOP = {
    "name": "shop",
    "entity": {"key": "user_id"},
    "sources": {"views": {"kind": "parquet", "path": "views.parquet", "time": "at"}},
    "items": {"key": "item_id"},
    "label": {"kind": "interactions", "source": "views", "where": "item_id <> 'ad'"},
    "model": {"kind": "popularity"},
    "metrics": {"ndcg": {"kind": "ndcg"}},
    "gate": {},
    "serving": {"kind": "http"},
}


def lists_compared(users: int, **policy: object) -> tuple[pl.DataFrame, Project]:
    """Users who, a day after they were shown two lists, had one item: the challenger shows it first, the champion last."""
    shop, faults = validation.read({**SHOP, "rollout": policy})
    assert shop is not None, faults
    names = [f"u{user:03}" for user in range(users)]
    day = timedelta(days=1)
    views = pl.DataFrame(
        {
            "user_id": [*names, "u000", "u000", "u001"],
            "item_id": [*["right"] * users, "ad", "before", "late"],
            "at": [*[T + day] * users, T + day, T - day, T + 7 * day],
        }
    )
    pairs = pl.DataFrame(
        {
            "user_id": names,
            "as_of": [T] * users,
            "cohorts": [["warm"]] * users,
            **{f"{who}_failed": [False] * users for who in ("champion", "challenger")},
            **{f"{who}_seconds": [0.0] * users for who in ("champion", "challenger")},
            "champion_items": [["a", "before", "right"], *[["a", "late"]] * (users - 1)],
            "challenger_items": [["right", "a"]] * users,
        }
    )
    return lists.joined(shop, pairs, {"views": views}, NOW), shop


def test_a_list_is_judged_by_what_its_user_had_within_the_time_that_counts() -> None:
    joined, shop = lists_compared(3)

    assert joined["label"].to_list() == [["right"]] * 3
    assert joined["known_at"].to_list() == [T + timedelta(days=7)] * 3
    assert losses(shop, joined, "champion").tolist() == [0.0, 1.0, 1.0]
    assert losses(shop, joined, "challenger").tolist() == [0.0, 0.0, 0.0]
    # what is still open is no label, and who had nothing has an empty one
    young, _ = lists_compared(3, within="101d")
    assert young["label"].to_list() == [None] * 3
    short, _ = lists_compared(3, within="12h")
    assert short["label"].to_list() == [[]] * 3

    by_place, shop = lists_compared(3, metric="ndcg")
    assert losses(shop, by_place, "champion").tolist() == pytest.approx([0.5, 1.0, 1.0])
    assert losses(shop, by_place, "challenger").tolist() == [0.0, 0.0, 0.0]


def test_a_recommender_whose_lists_are_clicked_more_is_promoted() -> None:
    joined, shop = lists_compared(60)

    found = judged(Match(shop, Traffic("aaa", "bbb")), joined, NOW)

    assert (found.loss, found.labels, found.verdict) == ("missed", 60, "not yet")
    assert [guard.name for guard in found.guards if guard.holds is None] == ["cohort cold", "cohort warming"]
    alone = shop.model_copy(update={"cohorts": {"warm": shop.cohorts["warm"]}})
    assert judged(Match(alone, Traffic("aaa", "bbb")), joined, NOW).verdict == "promote"


def test_as_many_lists_of_one_release_count_as_of_the_other_for_who_is_shown_one_can_follow_no_other() -> None:
    shown = ["challenger", "champion", "champion", None, "challenger", "challenger"]
    pairs = pl.DataFrame(
        {"user_id": list("fedcba"), "as_of": [T + timedelta(days=day) for day in range(6)], "shown": shown}
    )

    assert lists.balanced(pairs)["user_id"].to_list() == ["e", "d", "f", "b"]
    assert lists.balanced(pairs.filter(pl.col("shown") == "champion")).height == 0
