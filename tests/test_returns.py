"""What acting brings, by hand: a group that is held out, counted once, with a published interval."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl import returns
from mlctl.costs import ledger
from mlctl.costs.ledger import Entry, Spent
from mlctl.errors import ConfigError
from mlctl.returns import Group
from mlctl.scoring import holdout, predictions
from tests.test_alarms import SHOP, project

KEYS = [f"c{number:04}" for number in range(2000)]


def test_the_same_are_held_out_every_day_and_more_are_added_to_them() -> None:
    few, more = holdout.held_out("shop", KEYS, 0.05), holdout.held_out("shop", KEYS, 0.2)

    assert 60 <= few.sum() <= 140
    assert 340 <= more.sum() <= 460
    assert not (few & ~more).any()
    assert (few != holdout.held_out("other", KEYS, 0.05)).any()


def test_who_is_held_out_bears_no_decision_and_says_which_there_would_have_been() -> None:
    scores = pl.DataFrame({"customer_id": KEYS, "score": 0.9, "decision": "will_leave", "reason": "model"})

    shown = holdout.applied("shop", 0.1, scores)

    held = shown.filter(pl.Series(holdout.held_out("shop", KEYS, 0.1)))
    assert set(held["decision"]) == {"holdout"}
    assert set(held["reason"]) == {"holdout_will_leave"}
    others = shown.filter(~pl.Series(holdout.held_out("shop", KEYS, 0.1)))
    assert set(others["decision"]) == {"will_leave"}
    assert shown["score"].equals(scores["score"])
    assert holdout.applied("shop", 0.0, scores) is scores


def test_the_interval_is_the_published_one() -> None:
    # Newcombe 1998, table II, method 10: 56/70 - 48/80
    assert [round(end, 4) for end in returns.difference(Group(70, 56), Group(80, 48))] == [0.2, 0.0524, 0.3339]


def test_what_acting_brought_is_told_with_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    as_of = datetime(2026, 8, 1, tzinfo=UTC)
    later = datetime(2026, 11, 1, tzinfo=UTC)
    held = holdout.held_out("shop", KEYS, 0.2)
    # of those acted upon a quarter leaves, of those held out a half; an order means staying
    stays = [index % 2 == 0 if is_held else index % 4 != 0 for index, is_held in enumerate(held)]
    orders = pl.DataFrame(
        {
            "order_id": [key for key, stay in zip(KEYS, stays, strict=True) if stay],
            "customer_id": [key for key, stay in zip(KEYS, stays, strict=True) if stay],
            "ordered_at": datetime(2026, 8, 15, tzinfo=UTC),
        },
        schema={"order_id": pl.String, "customer_id": pl.String, "ordered_at": pl.Datetime("us", "UTC")},
    )
    scores = pl.DataFrame({"customer_id": KEYS}).with_columns(
        pl.lit(as_of).cast(pl.Datetime("us", "UTC")).alias("as_of"),
        score=pl.lit(0.9), decision=pl.lit("yes"), reason=pl.lit("model"), variant=pl.lit("champion"), release=pl.lit("a"),
    )  # fmt: skip
    shop = project(cost={"holdout_share": 0.2, "avoided": 100, "action": 5, "cpu_hour": 3600})
    shown = holdout.applied("shop", 0.2, scores)
    predictions.keep(SHOP, "one", shown)
    # the next day the same customers count no second time
    predictions.keep(SHOP, "two", shown.with_columns(pl.col("as_of").dt.offset_by("1d")))
    ledger.append(SHOP, Entry(as_of, "shop", "score", Spent(cpu_s=1000.0)))

    found = returns.measured(SHOP, shop, None, {"orders": orders}, later)

    assert (found.acted.entities, found.held.entities) == ((~held).sum(), held.sum())
    uplift = found.held.share - found.acted.share
    assert found.uplift == pytest.approx(uplift)
    assert found.uplift == pytest.approx(0.25, abs=0.06)
    assert found.low is not None
    assert 0 < found.low < found.uplift
    brought = found.acted.entities * (uplift * 100 - 5)
    assert found.brought is not None
    assert found.brought[0] == pytest.approx(brought)
    assert found.roi == pytest.approx((brought - 1000) / (1000 + found.acted.entities * 5))


def test_without_anybody_held_out_nothing_is_measured() -> None:
    with pytest.raises(ConfigError, match="nobody is held out"):
        returns.returns(SHOP, project(), None, datetime(2026, 11, 1, tzinfo=UTC))
