"""What is said about items: those whose texts are like the ones a user had.

Use it for new items and for users with one event: it needs nobody to have had an item before. Not alone where many
users are known: what they had together says more than words. The words are learnt from the project's own items
(`encoder: lsa`), or known to an encoder of one's own (`encoder: onnx_text, embedding: {encoder: models/minilm}`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mlctl.errors import DataError
from mlctl.recommend.encoders import Encoder, Lsa, OnnxText
from mlctl.recommend.forms import Vectors
from mlctl.recommenders import Fitted, Learning, RecommenderOptions
from mlctl.text import Terms, Weighing, learn
from mlctl.text_encoder import Embedding, files_of, sealed_of


class Options(RecommenderOptions):
    """Options of content."""

    kind: Literal["content"] = Field(default="content", description="content")
    encoder: Literal["lsa", "onnx_text"] = Field(
        default="lsa", description="what turns a text into a vector: lsa, or onnx_text, the encoder of `embedding`"
    )
    embedding: Embedding | None = Field(
        default=None, description="onnx_text: which encoder, and how it reads, such as {encoder: models/minilm}"
    )
    dimension: int = Field(default=64, ge=2, le=1024, description="lsa: numbers of a vector")
    terms: Terms = Field(
        default_factory=lambda: Terms(words=(1, 2), pieces=None, most=20_000),
        description="lsa: which terms of a text count",
    )
    half_life: float | None = Field(
        default=None, gt=0, description="after how many later items one of the history counts half; default: never"
    )

    @model_validator(mode="after")
    def _names_its_encoder(self) -> Options:
        if (self.embedding is None) == (self.encoder == "onnx_text"):
            raise ValueError("`encoder: onnx_text` and `embedding` go together; set both or neither")
        return self


EXAMPLE: Final[dict[str, object]] = {"kind": "content", "dimension": 8}


def fit(options: Options, learning: Learning) -> Fitted:
    """Learns the vectors of terms from the items' texts, or has their vectors made by an encoder that learns nothing.

    Raises:
        DataError: No text says anything.
        ConfigError: The encoder's folder lacks a file, or holds another encoder than `id` says.
        IntegrityError: The encoder cannot be loaded.
        ExternalError: The library that cuts texts into tokens is not installed.
    """
    encoder: Encoder
    if options.embedding is None:
        encoder = _lsa(options, learning.teaching_texts)
        told: dict[str, Any] = {"terms": len(encoder.names), "dimension": encoder.dimension}
    else:
        encoder = _own(options.embedding, learning.texts)
        told = {"encoder": encoder.sealed.id, "dimension": encoder.dimension}
    return Fitted(Vectors(encoder.encode(learning.texts), options.half_life), encoder, told)


def _own(embedding: Embedding, texts: tuple[str, ...]) -> OnnxText:
    if not any(text.strip() for text in texts):
        raise _nothing_said(f"all of the {len(texts)} texts are empty")
    return OnnxText.of_files(sealed_of(embedding), files_of(embedding.encoder))


def _lsa(options: Options, texts: tuple[str, ...]) -> Lsa:
    import numpy as np
    from scipy.sparse import csr_array
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    names, rarity = learn(texts, options.terms)
    if not names:
        raise _nothing_said(f"no term stands in {options.terms.min_rows} of the {len(texts)} texts")
    weighing = Weighing(options.terms, names, rarity)
    held: list[list[tuple[int, float]]] = [weighing(text) for text in texts]
    ends = np.cumsum([0, *(len(row) for row in held)])
    flat: list[tuple[int, float]] = [one for row in held for one in row]
    numbers = np.asarray([number for number, _ in flat], np.int64)
    matrix = csr_array((np.asarray([weight for _, weight in flat]), numbers, ends), shape=(len(texts), len(names)))
    dimension = min(options.dimension, *matrix.shape)
    with threadpool_limits(limits=1):
        found: Any = randomized_svd(matrix, dimension, n_iter=5, random_state=options.seed)
    return Lsa(options.terms, names, rarity, np.ascontiguousarray(found[2].T, dtype=np.float32))


def _nothing_said(why: str) -> DataError:
    return DataError.no_rows("the texts of the items", why, "correct items.text, or leave content out: model.ladder")
