"""A sentence-transformers folder: which files are the encoder, and what its configuration says."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic import Field

from mlctl.errors import ConfigError
from mlctl.files import canonical_json, sha256_of, sha256_of_file
from mlctl.kinds import Record

if TYPE_CHECKING:
    from mlctl.text_encoder import Embedding

_GRAPHS: Final = ("model.onnx", "onnx/model.onnx")
_TOKENS: Final = 256
_SEALED: Final = re.compile(r"encoder-[0-9a-f]{16}\.(onnx|tokenizer\.json)")
_POOLINGS: Final = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


class Files(NamedTuple):
    """The two files that make vectors."""

    graph: Path
    tokenizer: Path


class Sealed(Record):
    """An encoder as a release names it."""

    id: str = Field(description="hash of all that stands below")
    graph: str = Field(description="SHA-256 of the graph")
    tokenizer: str = Field(description="SHA-256 of the tokenizer")
    pooling: Literal["mean", "cls"] = Field(description="mean over the tokens, or the first one")
    normalise: bool = Field(description="whether vectors have length 1")
    max_tokens: int = Field(description="tokens behind so many are not read")


def sealed_files(sealed: Sealed, folder: Path = Path()) -> Files:
    """The files of an encoder as they lie in a release."""
    return Files(folder / f"encoder-{sealed.id}.onnx", folder / f"encoder-{sealed.id}.tokenizer.json")


def is_sealed_file(name: str) -> bool:
    """Whether a release's file of this name is one of an encoder."""
    return _SEALED.fullmatch(name) is not None


def files_of(encoder: str) -> Files:
    """The files of a folder.

    Raises:
        ConfigError: The folder or a file of it is missing; says how to fetch it.
    """
    folder = Path(encoder)
    graph = next((folder / name for name in _GRAPHS if (folder / name).is_file()), None)
    if graph is None or not (folder / "tokenizer.json").is_file():
        lacks = "there is no such folder"
        if folder.is_dir():
            lacks = "it holds no tokenizer.json" if graph else "it holds no model.onnx, nor onnx/model.onnx"
        wanted = "--include 'onnx/model.onnx' '*.json' '1_Pooling/*'"
        hint = f"fetch one: hf download sentence-transformers/all-MiniLM-L6-v2 {wanted} --local-dir {folder}"
        raise ConfigError.of_encoder("encoder", f"{encoder}: {lacks}", hint)
    return Files(graph, folder / "tokenizer.json")


def sealed_of(embedding: Embedding) -> Sealed:
    """The encoder that a folder holds now.

    Raises:
        ConfigError: A file is missing, its configuration asks for what is not done here, or `id` names another encoder.
    """
    found = files_of(embedding.encoder)
    folder = found.tokenizer.parent
    settings = {
        "graph": _hash(found.graph, _stamp(found.graph)),
        "tokenizer": _hash(found.tokenizer, _stamp(found.tokenizer)),
        "pooling": embedding.pooling or _pooling(folder),
        "normalise": embedding.normalise,
        "max_tokens": embedding.max_tokens or _max_tokens(folder),
    }
    identity = sha256_of(canonical_json(settings))[:16]
    if embedding.id not in (None, identity):
        hint = "put the old files back, or take the new id and train again"
        raise ConfigError.of_encoder("id", f"{embedding.encoder} is {identity}, not {embedding.id}", hint)
    return Sealed.model_validate({"id": identity, **settings})


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=16)
def _hash(path: Path, _stamp: tuple[int, int, int]) -> str:
    return sha256_of_file(path)


def _pooling(folder: Path) -> str:
    """Which pooling the folder's configuration names.

    Raises:
        ConfigError: One that is not done here.
    """
    asked = _read(folder / "1_Pooling" / "config.json")
    names = [name for name, on in asked.items() if name.startswith("pooling_mode_") and on is True]
    if not names:
        return "mean"
    if len(names) > 1 or names[0] not in _POOLINGS:
        hint = "say pooling: mean or cls"
        raise ConfigError.of_encoder("pooling", f"{folder}/1_Pooling asks for {' and '.join(names)}", hint)
    return _POOLINGS[names[0]]


def _max_tokens(folder: Path) -> int:
    said = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    return said if isinstance(said, int) and said > 0 else _TOKENS


def _read(path: Path) -> dict[str, Any]:
    """A file of JSON; nothing where there is none.

    Raises:
        ConfigError: It is no object of JSON.
    """
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError.of_encoder("encoder", f"{path} is not JSON: {error}") from error
    return said if isinstance(said, dict) else {}
