"""Texts to vectors by an encoder of one's own: a sentence-transformers folder, run by ONNX Runtime.

`of_folder(Embedding(encoder="models/minilm"))` gives a function from texts to a float32 matrix. Its `id` is the hash of
the encoder's files and settings; what it makes of a text is kept on disk by that id and the text's own hash, so that
nothing is encoded twice.

Each text is run alone, on one thread, in its own length: what a vector is, to the bit, depends on no other text, on no
filling up and on no number of cores. Vectors are the mean over a text's tokens, or its first token's, of length 1
unless that is turned off (Reimers and Gurevych, "Sentence-BERT", 2019).
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, ValidationError

from mlctl.errors import ConfigError, ExternalError, Fault, IntegrityError, first_line
from mlctl.files import sha256_of, sha256_of_file
from mlctl.kinds import Record
from mlctl.text_encoder import _cache
from mlctl.text_encoder._folder import Files, Sealed, files_of, is_sealed_file, sealed_files, sealed_of
from mlctl.workspace import STATE

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, Any]

__all__ = [
    "Embedding",
    "Files",
    "Sealed",
    "TextEncoder",
    "cache_folder",
    "files_of",
    "is_sealed_file",
    "of_folder",
    "opened",
    "pinned",
    "sealed_files",
    "sealed_of",
]

_RECENT: Final = 20_000
"""Vectors that are remembered in memory."""
_MANY: Final = 1024
"""New texts from which on a call is worth a file of the cache, and several threads; a request to a server has fewer."""
_OF_FEATURES: Final = ("encoding", "embeddings")
_OF_ITEMS: Final = (("model", "embedding"), ("model", "options", "content", "embedding"))
"""Where a recommender's configuration names the encoder of its items."""
_RANK_OF_TOKENS: Final = 3
"""An output of texts by tokens by dimensions; of rank 2 are vectors that the graph itself pooled."""


class Embedding(Record):
    """Which encoder reads a text, and how."""

    encoder: str = Field(
        description="a sentence-transformers folder in the workspace: model.onnx (or onnx/model.onnx), tokenizer.json"
    )
    pooling: Literal["mean", "cls"] | None = Field(
        default=None, description="a text's vector: the mean over its tokens, or its first one's; default: the folder's"
    )
    normalise: bool = Field(default=True, description="whether vectors have length 1")
    max_tokens: int | None = Field(
        default=None, ge=8, le=8192, description="tokens behind so many are not read; default: the folder's, or 256"
    )
    id: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{16}$",
        description="the encoder's id, a hash of files and settings: another one is refused; default: the one found",
    )


class TextEncoder:
    """A function from texts to vectors.

    Attributes:
        id: Hash of the encoder's files and settings.
        dimensions: How long a vector is.
    """

    def __init__(self, sealed: Sealed, files: Files, cache: Path | None) -> None:
        """Loads an encoder.

        Args:
            sealed: Its settings.
            files: Its graph and tokenizer.
            cache: Where vectors are kept; None: nowhere.

        Raises:
            IntegrityError: It cannot be loaded, or takes or gives what no text encoder does.
            ExternalError: The library that cuts texts into tokens is not installed.
        """
        self.id, self._sealed = sealed.id, sealed
        self._cache = None if cache is None else cache / sealed.id
        self._tokenizer = _tokenizer(files.tokenizer, sealed.max_tokens)
        self._run = _Graph(files.graph, sealed.pooling)
        self._recent: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()
        self.dimensions = 0
        self.dimensions = len(self._vector("a"))

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts: float32 array (texts, dimensions).

        Raises:
            ExternalError: The disk refused the cache.
        """
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        with self._lock:
            known = {text: self._recent[text] for text in texts if text in self._recent}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known |= self._made(new) if len(new) >= _MANY else {text: self._vector(text) for text in new}
        with self._lock:
            self._recent |= {text: known[text] for text in new[-_RECENT:]}
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return np.stack([known[text] for text in texts])

    def _made(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of many texts: kept ones are read, new ones made by all cores and kept."""
        hashes = {text: sha256_of(text) for text in texts}
        kept = {} if self._cache is None else _cache.read(self._cache, set(hashes.values()))
        new = [text for text in texts if hashes[text] not in kept]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            made = dict(zip(new, threads.map(self._vector, new), strict=True))
        if self._cache is not None and len(made) >= _MANY:
            _cache.write(self._cache, {hashes[text]: vector for text, vector in made.items()})
        return made | {text: kept[hashes[text]] for text in texts if hashes[text] in kept}

    def _vector(self, text: str) -> Vectors:
        import numpy as np

        tokens = self._tokenizer.encode(text)
        # an empty text, by a tokenizer that marks no ends
        vector = self._run(tokens) if len(tokens) else np.zeros(self.dimensions)
        if self._sealed.normalise:
            # an exact sum, whatever the order in which a processor would add
            length = math.sqrt(math.fsum((vector * vector).tolist()))
            vector = vector / (length or 1.0)
        return vector.astype(np.float32)


def pinned(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """A project's configuration with the ids of its encoders, so that other files of an encoder are another project.

    Args:
        mapping: The configuration as it was composed, not yet validated.

    Returns:
        It with `id` wherever an encoder is named that is there: in `encoding.embeddings`, and as the `embedding` of a
        recommender; and what is wrong with the others.
    """
    composed, faults = deepcopy(dict(mapping)), []
    named = [(*_OF_FEATURES, name) for name in _at(composed, _OF_FEATURES)]
    for path in (*named, *_OF_ITEMS):
        said = _at(composed, path)
        try:
            embedding = Embedding.model_validate(said)
            said["id"] = sealed_of(embedding).id
        except ValidationError:
            continue  # the project's own validation tells it better
        except ConfigError as error:
            key = ".".join(map(str, path))
            faults += [Fault(f"{key}.{fault.key}", fault.message, hint=fault.hint) for fault in error.faults]
    return composed, faults


def _at(mapping: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The section at a path of keys; an empty one where there is none."""
    found: Any = mapping
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def cache_folder() -> Path | None:
    """Where vectors of texts are kept; None where no workspace is."""
    return STATE / "embeddings" if STATE.is_dir() else None


def of_folder(embedding: Embedding, cache: Path | None = None) -> TextEncoder:
    """The encoder of a sentence-transformers folder.

    Args:
        embedding: Where it lies, and how it reads.
        cache: Where vectors are kept; None: nowhere.

    Raises:
        ConfigError: A file is missing, or it is another encoder than `id` says.
        IntegrityError: It cannot be loaded.
        ExternalError: The library that cuts texts into tokens is not installed.
    """
    return opened(sealed_of(embedding), files_of(embedding.encoder), cache)


@lru_cache(maxsize=4)
def opened(sealed: Sealed, files: Files, cache: Path | None = None) -> TextEncoder:
    """An encoder from its files, once they are proved to be the sealed ones; loaded once.

    Raises:
        IntegrityError: A file is missing or another one, or cannot be loaded.
        ExternalError: The library that cuts texts into tokens is not installed.
    """
    for path, wanted in ((files.graph, sealed.graph), (files.tokenizer, sealed.tokenizer)):
        found = sha256_of_file(path)
        if found != wanted:
            raise IntegrityError.damaged(str(path), wanted, found, "mlctl run projects/NAME")
    return TextEncoder(sealed, files, cache)


class _Graph:
    """Tokens of one text to its vector, float64 (dimensions,)."""

    def __init__(self, path: Path, pooling: str) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no class but this one
            raise _refused(path, f"ONNX Runtime cannot load it: {first_line(error)}") from error
        self._inputs = [given.name for given in self._session.get_inputs()]
        outputs = {output.name: len(output.shape) for output in self._session.get_outputs()}
        by_token = [name for name, rank in outputs.items() if rank == _RANK_OF_TOKENS]
        self._output, self._pooling = (by_token or list(outputs))[0], pooling if by_token else "none"
        unknown = set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs or outputs[self._output] < _RANK_OF_TOKENS - 1:
            why = f"it takes {', '.join(self._inputs)} and gives {', '.join(outputs)}; wanted: input_ids to vectors"
            raise _refused(path, why)

    def __call__(self, tokens: Any) -> Vectors:
        import numpy as np

        told = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        given = {name: np.array([told[name]], dtype=np.int64) for name in self._inputs}
        found = self._session.run([self._output], given)[0][0].astype(np.float64)
        vector: Vectors = found
        if self._pooling == "mean":
            vector = found.sum(axis=0) / len(found)
        elif self._pooling == "cls":
            vector = found[0]
        return vector


def _tokenizer(path: Path, max_tokens: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ExternalError.tool("tokenizers", "it is not installed; pip install 'mlctl[text]'") from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise _refused(path, f"it is no tokenizer: {first_line(error)}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _refused(path: Path, why: str) -> IntegrityError:
    return IntegrityError.refused(str(path), why, "look at the encoder that project.yaml names")
