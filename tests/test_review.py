"""Groups that are scored far from everybody else are told in plain words, and what an expert says is held from then on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlctl import config, review
from mlctl.errors import ConfigError
from mlctl.files import read_json
from mlctl.review import Review
from mlctl.spec import Project
from mlctl.workspace import Places
from tests import world

SHOP = Places("shop")
NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def shop(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(workspace)
    return config.compose(SHOP).project


def said(found: Review, **more: object) -> dict[str, object]:
    return {"card": found.cards[0].id[:5], "verdict": "wrong", "because": "they all ordered for a fair"} | more


def test_a_card_says_who_they_are_what_the_model_says_and_what_became_of_them(shop: Project) -> None:
    found = review.review(SHOP, shop)
    card = found.cards[0]
    rows = pl.read_parquet(SHOP.features / "test.parquet")
    own = pl.read_parquet(SHOP.evaluation / "scores.parquet")[read_json(SHOP.evaluation / "report.json")["model"]]
    inside = rows.select(pl.sql_expr(card.condition)).to_series().fill_null(False)

    assert card.rows == inside.sum() >= 50
    assert card.score == pytest.approx(own.filter(inside).mean())
    assert card.rest == pytest.approx(own.filter(~inside).mean())
    assert card.label == pytest.approx(rows["label"].filter(inside).cast(float).mean())
    # both sides are told, none twice
    assert len({one.condition for one in found.cards}) == len(found.cards)
    assert {one.score > one.rest for one in found.cards} == {True, False}
    assert found.passed


def test_what_an_expert_calls_wrong_is_a_test_until_it_is_right(shop: Project) -> None:
    found = review.review(SHOP, shop)
    card = found.cards[0]
    review.keep(SHOP, found, said(found, at_most=card.score - 0.1), "ann", NOW)

    told = world.mlctl(Path.cwd(), "review", "shop")
    again = review.review(SHOP, shop)
    assert told.returncode == 4
    assert "wrong by ann: they all ordered for a fair, it should be at most" in told.stdout
    assert "IT IS NOT" in told.stdout
    assert (again.passed, again.cards[0].holds, again.cards[0].id) == (False, False, card.id)

    # another word on the same group takes its place
    review.keep(SHOP, again, said(again, verdict="right", because="they came back, look at May"), "bob", NOW)
    (kept,) = review.read(SHOP)
    assert (kept.by, kept.verdict, kept.release) == ("bob", "right", found.release)
    assert review.review(SHOP, shop).passed


def test_an_answer_that_no_test_could_hold_is_refused(shop: Project) -> None:
    found = review.review(SHOP, shop)
    for more, why in (
        ({"card": "zzzz"}, "cards: "),
        ({"because": "no"}, "say why"),
        ({}, "--at-most or --at-least"),
        ({"at_most": 1.0}, "which it is not now"),
    ):
        with pytest.raises(ConfigError, match=why):
            review.keep(SHOP, found, said(found, **more), "ann", NOW)
    assert not SHOP.reviews.exists()
