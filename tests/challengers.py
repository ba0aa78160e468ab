"""Releases that differ from another one in a known way, sealed as `package` seals, to be tried against it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl

from mlctl.files import canonical_json
from mlctl.release import COLD_FILES, FILES, open_release, seal

_BIAS = 6.0


def made(source: Path, target: Path, card: str = "", shifted: bool = False, strict: bool = False) -> str:
    """Seals a release that is like the one in `source`, and gives its id.

    Args:
        source: The release's folder.
        target: Where it goes.
        card: Words more in its card: the same model by another id.
        shifted: Its scores are all near 1.
        strict: It fails on a category that training has not seen.
    """
    contents: dict[str, Any] = {
        name: (source / name).read_bytes() for name in (*FILES, *COLD_FILES) if (source / name).is_file()
    }
    contents["card.md"] += card.encode()
    if strict:
        encoding = json.loads(contents["encoding.json"])
        encoding["policy"]["unseen"] = "refuse"
        contents["encoding.json"] = canonical_json(encoding)
    if shifted:
        contents["model.onnx"] = _shifted(contents["model.onnx"])
        contents["golden.json"] = _answered(source, contents["golden.json"], contents["model.onnx"])
    manifest = json.loads((source / "manifest.json").read_text())
    about = {name: value for name, value in manifest.items() if name not in ("format", "id", "files", "seal")}
    return seal(target, contents, about)


def _shifted(model: bytes) -> bytes:
    """The same linear model with its intercept lifted."""
    loaded = onnx.load_model_from_string(model)
    intercept = next(node.input[1] for node in loaded.graph.node if node.op_type == "Add")
    stored = next(one for one in loaded.graph.initializer if one.name == intercept)
    stored.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stored) + np.float32(_BIAS), intercept))
    return loaded.SerializeToString()


def _answered(source: Path, golden: bytes, model: bytes) -> str:
    told = json.loads(golden)
    release = replace(open_release(source, ""), onnx=model)
    rows = pl.DataFrame(told["features"], schema={name: getattr(pl, kind) for name, kind in told["schema"].items()})
    return canonical_json({**told, "scores": release.score(rows).tolist()})
