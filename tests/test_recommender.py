"""A recommender's release: what it answers, why, and that it answers as sealed or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.config import validation
from mlctl.errors import IntegrityError
from mlctl.recommend.answering import Recommender, top
from mlctl.recommend.blends import alone
from mlctl.recommend.catalogue import content_sha256, texts_of
from mlctl.recommend.sealing import contents, open_recommender, seal
from mlctl.recommenders import Interactions, Learning

TEXTS = {"a1": "red apple fruit", "a2": "green apple fruit", "b1": "steel bolt tool", "b2": "steel nut tool"}
MAPPING = {
    "name": "shop",
    "entity": {"key": "user_id"},
    "sources": {
        "views": {"kind": "parquet", "path": "views.parquet", "time": "at"},
        "products": {"kind": "parquet", "path": "products.parquet"},
    },
    "items": {"key": "item_id", "source": "products", "text": ["title"], "columns": ["aisle"], "k": 3},
    "label": {"kind": "interactions", "source": "views"},
    "model": {"kind": "content"},
    "metrics": {"ndcg": {"kind": "ndcg"}},
    "gate": {},
    "serving": {"kind": "http"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed release of four items, of which b1 is the most popular."""
    project, faults = validation.read(MAPPING)
    assert project is not None, faults
    items = pl.DataFrame(
        {"item_id": list(TEXTS), "title": list(TEXTS.values()), "aisle": ["food", "food", "diy", "diy"]}
    )
    texts = texts_of(items, project.items)
    events = Interactions(np.array([0, 1, 2, 2]), np.array([2, 2, 2, 0]), np.arange(4) * 1_000_000, 3, 4)
    learning = Learning(events, tuple(texts))
    fitted = {
        kind: kinds.load("recommenders", kind).fit(kinds.options("recommenders", {"kind": kind, **more}), learning)
        for kind, more in {
            "popularity": {},
            "content": {"dimension": 2, "terms": {"min_rows": 1, "pieces": None}},
        }.items()
    }
    model = alone("content", fitted["content"].form, fitted["popularity"].form, project.items.states.begins())
    catalogue = items.select("item_id", "aisle").with_columns(pl.Series("content_sha256", content_sha256(texts)))
    files = contents(project, model, fitted["content"].encoder, catalogue, [[], ["a1"]])
    target = tmp_path_factory.mktemp("release")
    seal(target, {**files, "card.md": "# shop\n"}, {"project": "shop", "task": "ranking"})
    return target


@pytest.fixture
def opened(folder: Path) -> Recommender:
    return open_recommender(folder, "mlctl run projects/shop")


def test_one_event_is_enough_and_the_answer_says_because_of_what(opened: Recommender) -> None:
    [answer] = opened.recommend([["a1"]], 1)

    assert (answer.items, answer.because) == (("a2",), (("a1",),))
    assert (answer.state, answer.variant, answer.reason) == ("warming", "content", "model")


def test_who_is_not_known_gets_what_is_popular(opened: Recommender) -> None:
    cold, unknown = opened.recommend([[], ["nobody sells this"]], 2)

    assert cold == unknown == opened.popular(2)
    assert cold.items == ("b1", "a1")
    assert (cold.state, cold.reason, cold.because) == ("cold", "popularity", ((), ()))


def test_there_are_k_where_k_exist(opened: Recommender) -> None:
    history = ["a1"]

    assert len(opened.recommend([history], 10)[0].items) == 3
    assert len(opened.recommend([history], 10, seen="show")[0].items) == 4
    assert opened.recommend([history], 10, allowed=["b2", "a1", "gone"])[0].items == ("b2",)
    assert opened.recommend([history], 10, allowed=[])[0].items == ()


def test_the_inner_product_of_both_vectors_is_the_score(opened: Recommender) -> None:
    [answer] = opened.recommend([["b2"]], 4, seen="show")
    scores = dict(zip(opened.items["item_id"], opened.item_vectors @ opened.user_vector(["b2"]), strict=True))

    assert opened.vectors_are_exact
    assert answer.scores == pytest.approx([scores[item] for item in answer.items], abs=1e-6)
    assert opened.stamp.dimension == opened.item_vectors.shape[1] == 3


def test_a_new_item_is_recommended_from_its_text_at_once(opened: Recommender) -> None:
    new = pl.DataFrame({"item_id": ["a3"], "title": ["yellow apple fruit"], "aisle": ["food"]})
    grown = opened.with_items(new)

    assert grown.recommend([["a1", "a2"]], 1)[0].items == ("a3",)
    assert grown.item_vectors[-1] == pytest.approx(opened.encode(new)[0])
    assert [name for name, _ in grown.similar("a3", 2)] == ["a1", "a2"]


def test_a_release_that_was_touched_is_not_opened(folder: Path, tmp_path: Path) -> None:
    for name in ("content.parquet", "model.json", "golden.json"):
        touched = tmp_path / name
        touched.mkdir()
        for path in folder.iterdir():
            (touched / path.name).write_bytes(path.read_bytes())
        (touched / name).write_bytes((touched / name).read_bytes() + b" ")

        with pytest.raises(IntegrityError, match=name):
            open_recommender(touched, "")


def test_what_an_index_found_is_told_as_if_it_had_been_found_here(opened: Recommender) -> None:
    [by_itself] = opened.recommend([["a1"]], 3)

    assert opened.told(["a1"], [*zip(by_itself.items, by_itself.scores, strict=True), ("gone", 0.0)]) == by_itself


def test_an_item_whose_text_changed_is_found_by_its_new_text(opened: Recommender) -> None:
    renamed = pl.DataFrame(
        {"item_id": ["b2", "a1"], "title": ["green apple fruit", TEXTS["a1"]], "aisle": ["food", "food"]}
    )

    changed = opened.with_items(renamed)

    assert dict(changed.similar("a2", 3))["b2"] == pytest.approx(1.0)
    assert changed.items.filter(pl.col("item_id") == "a1").equals(opened.items.filter(pl.col("item_id") == "a1"))
    assert changed.items.select("item_id", "aisle").rows() == [
        ("a1", "food"),
        ("a2", "food"),
        ("b1", "diy"),
        ("b2", "food"),
    ]
    assert changed.items["item_id"].to_list() == opened.items["item_id"].to_list()


@pytest.mark.parametrize("items", [1, 9, 200, 5_000])
@pytest.mark.parametrize("different", [3, 1_000])
def test_the_best_of_many_are_those_of_sorting_all_also_among_equals_and_hidden_ones(
    items: int, different: int
) -> None:
    scores = np.round(np.random.default_rng(items).normal(size=items) * different).astype(np.float32)
    scores[::7] = -np.inf

    for k in (1, 10, items):
        assert top(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


def test_a_text_that_came_later_teaches_nothing_and_still_gets_its_vector() -> None:
    content = kinds.load("recommenders", "content")
    options = kinds.options(
        "recommenders", {"kind": "content", "dimension": 2, "terms": {"min_rows": 1, "pieces": None}}
    )
    events = Interactions(np.array([0, 0, 1]), np.array([0, 1, 2]), np.arange(3), 2, 4)
    known = np.array([True, True, True, False])
    titles = tuple(TEXTS.values())

    def fitted(last: str) -> np.ndarray:
        texts = (*titles[:3], last)
        return content.fit(options, Learning(events, texts, known=known)).form.vectors

    assert fitted("steel nut tool")[:3].tolist() == fitted("purple pear fruit purple pear")[:3].tolist()
    assert fitted("steel nut tool")[3] == pytest.approx(fitted("steel tool")[3])
