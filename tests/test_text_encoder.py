"""Texts to vectors: worked out by hand, the same to the bit whatever stands beside a text, and never made twice."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlctl import encoding, kinds
from mlctl.encoding import encode, learn
from mlctl.errors import ConfigError, IntegrityError
from mlctl.files import sha256_of_file
from mlctl.graphs import runtime
from mlctl.graphs.shapley import additive
from mlctl.models import TrainingTable
from mlctl.spec import EncodingPolicy
from mlctl.text_encoder import Embedding, files_of, of_folder, opened, pinned, sealed_of
from tests import encoders

WORDS = {"?": [0.0, 0.0, 1.0], "parcel": [3.0, 0.0, 0.0], "invoice": [0.0, 4.0, 0.0], "late": [1.0, 1.0, 0.0]}
MANY = [f"parcel {'late ' * (n % 7)}{'invoice ' * (n % 5)}number{n}" for n in range(1100)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return encoders.write(tmp_path / "enc", WORDS)


def test_a_vector_is_the_mean_over_the_tokens_of_length_one(folder):
    encoder = of_folder(Embedding(encoder=str(folder)))

    vectors = encoder(["Parcel invoice", "zzz", ""])

    assert vectors.dtype == np.float32
    # (3, 0, 0) and (0, 4, 0): mean (1.5, 2, 0), of length 2.5
    assert vectors[0].tolist() == pytest.approx([0.6, 0.8, 0.0], rel=1e-6)
    assert vectors[1:].tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert (encoder.dimensions, vectors.shape) == (3, (3, 3))


def test_what_the_folder_says_holds_until_the_project_says_otherwise(tmp_path):
    folder = encoders.write(tmp_path / "cls", WORDS, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)

    first = of_folder(Embedding(encoder=str(folder), normalise=False))(["invoice parcel"])
    mean = of_folder(Embedding(encoder=str(folder), pooling="mean", normalise=False))(["invoice parcel"])

    assert first.tolist() == [[0.0, 4.0, 0.0]]
    assert mean.tolist() == [[1.5, 2.0, 0.0]]
    short = of_folder(Embedding(encoder=str(folder), pooling="mean", max_tokens=8))
    assert short(["late " * 8]).tolist() == short(["late " * 8 + "parcel " * 90]).tolist()


def test_a_graph_that_pools_itself_is_left_its_way(tmp_path):
    folder = encoders.write(tmp_path / "pooled", WORDS, pooled=True)

    assert of_folder(Embedding(encoder=str(folder), normalise=False))(["parcel invoice"]).tolist() == [[3.0, 4.0, 0.0]]


def test_no_bit_depends_on_the_texts_beside_it(folder):
    encoder = of_folder(Embedding(encoder=str(folder)))
    alone = np.stack([encoder([text])[0] for text in MANY])

    together = of_folder(Embedding(encoder=str(folder), max_tokens=64))(MANY[::-1])[::-1]

    assert together.tobytes() == alone.tobytes()


def test_vectors_are_kept_by_content_and_what_is_damaged_is_made_again(folder, tmp_path):
    cache = tmp_path / "cache"
    embedding = Embedding(encoder=str(folder))
    files = (sealed_of(embedding), files_of(str(folder)))
    opened.cache_clear()
    made = opened(*files, cache)(MANY)
    kept = list(cache.rglob("*.arrow"))
    assert [path.parent.name for path in kept] == [sealed_of(embedding).id]

    # other vectors under a right name show that what was kept is not made again
    other = pl.read_ipc(kept[0]).with_columns(pl.col("vector").arr.eval(pl.element() * 2).cast(pl.Array(pl.Float32, 3)))
    other.write_ipc(tmp_path / "other")
    kept[0].unlink()
    shutil.copy(tmp_path / "other", kept[0].with_stem(sha256_of_file(tmp_path / "other")))
    opened.cache_clear()
    assert opened(*files, cache)(MANY).tobytes() == (2 * made).tobytes()

    shutil.copy(tmp_path / "other", kept[0])
    kept[0].with_stem(sha256_of_file(tmp_path / "other")).unlink()
    opened.cache_clear()
    assert opened(*files, cache)(MANY).tobytes() == made.tobytes()


def test_an_encoder_has_the_id_of_its_files_and_another_one_is_refused(folder):
    embedding = Embedding(encoder=str(folder))
    sealed = sealed_of(embedding)
    assert sealed_of(Embedding(encoder=str(folder), id=sealed.id)) == sealed
    assert sealed_of(Embedding(encoder=str(folder), normalise=False)).id != sealed.id

    encoders.write(folder, {**WORDS, "late": [1.0, 1.0, 0.5]})

    with pytest.raises(ConfigError, match=f"not {sealed.id}"):
        sealed_of(Embedding(encoder=str(folder), id=sealed.id))
    with pytest.raises(IntegrityError):
        opened(sealed, files_of(str(folder)))


def test_the_configuration_gets_the_id_and_hears_what_is_missing(folder, tmp_path):
    said = {"encoding": {"embeddings": {"a": {"encoder": str(folder)}, "b": {"encoder": str(tmp_path / "no")}}}}

    mapping, faults = pinned(said)

    assert mapping["encoding"]["embeddings"]["a"]["id"] == sealed_of(Embedding(encoder=str(folder))).id
    assert [(fault.key, "hf download" in str(fault.hint)) for fault in faults] == [
        ("encoding.embeddings.b.encoder", True)
    ]
    assert pinned({"encoding": {}}) == ({"encoding": {}}, [])


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"no graph"), IntegrityError),
        (lambda f: (f / "tokenizer.json").write_text("{}"), IntegrityError),
        (lambda f: (f / "tokenizer.json").unlink(), ConfigError),
        (lambda f: (f / "sentence_bert_config.json").write_text("{"), ConfigError),
    ],
)
def test_what_is_no_encoder_is_refused(folder, damage, error):
    damage(folder)

    with pytest.raises(error):
        of_folder(Embedding(encoder=str(folder)))


def test_a_pooling_that_is_not_done_here_is_refused(tmp_path):
    folder = encoders.write(tmp_path / "max", WORDS, pooling_mode_max_tokens=True)

    with pytest.raises(ConfigError, match="pooling_mode_max_tokens"):
        of_folder(Embedding(encoder=str(folder)))


def rows() -> tuple[pl.DataFrame, np.ndarray]:
    texts = ["parcel late", "parcel", "invoice", "invoice late", "late parcel parcel", "invoice invoice"] * 8
    return pl.DataFrame({"message": [*texts, None], "n": [float(n % 3) for n in range(49)]}), np.array(
        [float("invoice" in text) for text in texts] + [0.0]
    )


@pytest.mark.parametrize("kind", ["logistic", "xgboost"])
def test_every_kind_learns_from_vectors_and_a_missing_text_is_missing(folder, kind):
    features, labels = rows()
    learnt = learn(features, EncodingPolicy.model_validate({"embeddings": {"message": {"encoder": str(folder)}}}))
    assert learnt.columns() == ("message[0]", "message[1]", "message[2]", "n")
    matrix = encode(learnt, features)
    assert np.isnan(matrix[-1]).tolist() == [True, True, True, False]

    options = kinds.options("models", {"kind": kind})
    fitted = kinds.load("models", kind).fit(options, TrainingTable(matrix, labels, learnt.columns()))

    assert runtime.parity(fitted, matrix) < 1e-5
    scores = runtime.score_onnx(fitted.onnx, encode(learnt, features))
    assert ((scores > 0.5) == (labels == 1)).all()
    parts = additive(fitted.onnx, matrix)
    assert parts is not None
    sums = parts.base[0] + parts.parts[:, 0, :].sum(axis=1)
    assert 1 / (1 + math.exp(-sums[0])) == pytest.approx(scores[0], abs=1e-5)


def test_an_encoding_is_written_with_its_encoder_and_answers_without_the_folder(folder, tmp_path):
    features, _ = rows()
    learnt = learn(features, EncodingPolicy.model_validate({"embeddings": {"message": {"encoder": str(folder)}}}))
    wanted = encode(learnt, features)

    learnt.write(tmp_path / "made/encoding.json")
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    again = encoding.read(tmp_path / "made/encoding.json")
    assert encode(again, features).tobytes() == wanted.tobytes()
    assert sorted(again.files()) == sorted(p.name for p in (tmp_path / "made").iterdir() if p.name != "encoding.json")
    assert json.loads((tmp_path / "made/encoding.json").read_text())["features"][0]["dimensions"] == 3


def test_a_text_is_read_one_way():
    with pytest.raises(ValueError, match="message stands in `text` and in `embeddings`"):
        EncodingPolicy.model_validate({"text": {"message": {}}, "embeddings": {"message": {"encoder": "x"}}})
