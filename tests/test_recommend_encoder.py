"""A recommender whose items are read by an encoder of one's own: sealed with it, and known by it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.config import validation
from mlctl.errors import ConfigError, DataError, IntegrityError
from mlctl.recommend.answering import Recommender
from mlctl.recommend.blends import alone
from mlctl.recommend.catalogue import content_sha256, texts_of
from mlctl.recommend.sealing import contents, open_recommender, seal
from mlctl.recommenders import Interactions, Learning
from mlctl.text_encoder import Embedding, pinned, sealed_of
from tests import encoders

WORDS = {"?": [0.0, 0.0, 1.0], "apple": [3.0, 0.0, 0.0], "bolt": [0.0, 4.0, 0.0], "pear": [2.0, 1.0, 0.0]}
TITLES = {"a": "apple", "b": "bolt", "c": "apple bolt", "d": ""}


def sealed(target: Path, encoder: Path) -> Recommender:
    """A release of four items, each had by one user, opened."""
    said: dict[str, Any] = {"kind": "content", "encoder": "onnx_text", "embedding": {"encoder": str(encoder)}}
    mapping, missing = pinned(
        {
            "name": "shop",
            "entity": {"key": "user_id"},
            "sources": {
                "views": {"kind": "parquet", "path": "views.parquet", "time": "at"},
                "products": {"kind": "parquet", "path": "products.parquet"},
            },
            "items": {"key": "item_id", "source": "products", "text": ["title"], "k": 3},
            "label": {"kind": "interactions", "source": "views"},
            "model": said,
            "metrics": {"ndcg": {"kind": "ndcg"}},
            "gate": {},
            "serving": {"kind": "http"},
        }
    )
    project, faults = validation.read(mapping)
    assert project is not None, [*missing, *faults]
    items = pl.DataFrame({"item_id": list(TITLES), "title": list(TITLES.values())})
    texts = tuple(texts_of(items, project.items))
    learning = Learning(Interactions(np.arange(4), np.arange(4), np.arange(4), 4, 4), texts)
    content = kinds.load("recommenders", "content").fit(project.model, learning)
    popularity = kinds.load("recommenders", "popularity")
    popular = popularity.fit(popularity.Options(), learning).form
    model = alone("content", content.form, popular, project.items.states.begins())
    catalogue = items.select("item_id").with_columns(pl.Series("content_sha256", content_sha256(list(texts))))
    files = contents(project, model, content.encoder, catalogue, [[], ["a"]])
    seal(target, {**files, "card.md": "# shop\n"}, {"project": "shop", "task": "ranking"})
    return open_recommender(target, "")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return encoders.write(tmp_path / "enc", WORDS)


def test_the_encoder_makes_the_vectors_and_the_release_needs_its_folder_no_more(encoder, tmp_path):
    here = sealed(tmp_path / "release", encoder)
    # (3, 0, 0) and (0, 4, 0): mean (1.5, 2, 0), of length 2.5; a text that says nothing is known by nothing
    wanted = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 0.0]]
    assert here.item_vectors[:, :3] == pytest.approx(np.array(wanted), abs=1e-6)

    shutil.rmtree(encoder)
    elsewhere = open_recommender(Path(shutil.move(tmp_path / "release", tmp_path / "moved")), "")

    assert elsewhere.item_vectors.tobytes() == here.item_vectors.tobytes()
    assert elsewhere.stamp == here.stamp
    items = pl.DataFrame({"item_id": ["a", "new"], "title": ["bolt", "Apple apple"]})
    grown = elsewhere.with_items(items)
    assert elsewhere.encode(items)[:, :3].tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    assert [name for name, _ in grown.similar("new", 5)] == ["c"]
    assert dict(grown.similar("a", 5)) == pytest.approx({"b": 1.0, "c": 0.8})


def test_an_encoder_that_agrees_on_every_item_is_another_one_all_the_same(encoder, tmp_path):
    one = sealed(tmp_path / "one", encoder)
    again = sealed(tmp_path / "again", encoder)
    encoders.write(encoder, {**WORDS, "pear": [1.0, 1.0, 1.0]})
    other = sealed(tmp_path / "other", encoder)

    assert other.item_vectors.tobytes() == one.item_vectors.tobytes()
    assert one.stamp == again.stamp
    assert (one.stamp.preprocessing, one.stamp.digest) != (other.stamp.preprocessing, other.stamp.digest)
    assert one.id != other.id


def test_an_encoder_that_was_touched_is_not_opened(encoder, tmp_path):
    sealed(tmp_path / "release", encoder)
    [graph] = (tmp_path / "release").glob("encoder-*.onnx")
    graph.write_bytes(graph.read_bytes() + b" ")

    with pytest.raises(IntegrityError, match=graph.name):
        open_recommender(tmp_path / "release", "")


def test_params_name_the_encoder_and_training_refuses_another_one(encoder, tmp_path):
    said = {"encoder": "onnx_text", "embedding": {"encoder": str(encoder)}}
    mapping, faults = pinned({"model": {"kind": "blend", "options": {"content": said}}})
    found = mapping["model"]["options"]["content"]
    assert (found["embedding"]["id"], faults) == (sealed_of(Embedding(encoder=str(encoder))).id, [])

    encoders.write(encoder, {**WORDS, "pear": [1.0, 1.0, 1.0]})
    learning = Learning(Interactions(np.arange(1), np.arange(1), np.arange(1), 1, 1), ("apple",))
    with pytest.raises(ConfigError, match=f"not {found['embedding']['id']}"):
        kinds.load("recommenders", "content").fit(kinds.options("recommenders", {"kind": "content", **found}), learning)
    shutil.rmtree(encoder)
    _, [fault] = pinned({"model": {"kind": "content", **said}})
    assert (fault.key, "hf download" in str(fault.hint)) == ("model.embedding.encoder", True)


@pytest.mark.parametrize("said", [{"encoder": "onnx_text"}, {"embedding": {"encoder": "x"}}])
def test_an_encoder_is_asked_for_and_named_or_neither(said):
    with pytest.raises(ValueError, match="go together"):
        kinds.options("recommenders", {"kind": "content", **said})


def test_texts_that_say_nothing_are_no_ground_for_a_recommender(encoder):
    options = kinds.options(
        "recommenders", {"kind": "content", "encoder": "onnx_text", "embedding": {"encoder": str(encoder)}}
    )
    nobody = Interactions(np.arange(2), np.arange(2), np.arange(2), 2, 2)

    with pytest.raises(DataError, match="all of the 2 texts are empty"):
        kinds.load("recommenders", "content").fit(options, Learning(nobody, ("", " ")))
