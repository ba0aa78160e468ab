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
from mlctl.release import BASELINE, COLD_FILES, FILES, open_release, seal

_BIAS = 6.0
_WIDE = 1000


def made(
    source: Path,
    target: Path,
    *,
    card: str = "",
    project: str = "shop",
    shifted: bool = False,
    strict: bool = False,
    slow: bool = False,
) -> str:
    """Seals a release that is like the one in `source`, and gives its id.

    Args:
        source: The release's folder.
        target: Where it goes.
        card: Words more in its card: the same model by another id.
        project: Whose it is.
        shifted: Its scores are all near 1.
        strict: It fails on a category that training has not seen.
        slow: It gives the same scores, after some milliseconds of multiplying by nothing for every row.
    """
    contents: dict[str, Any] = {
        name: (source / name).read_bytes() for name in (*FILES, *COLD_FILES) if (source / name).is_file()
    }
    contents["card.md"] += card.encode()
    if (source / BASELINE).is_file():
        # its own, so that what it scores is not added to what the other one scored
        baseline = json.loads((source / BASELINE).read_text())
        contents[BASELINE] = canonical_json({**baseline, "importance": {**baseline["importance"], "card": 0.0}})
    if strict:
        encoding = json.loads(contents["encoding.json"])
        encoding["policy"]["unseen"] = "refuse"
        contents["encoding.json"] = canonical_json(encoding)
    if shifted:
        contents["model.onnx"] = _shifted(contents["model.onnx"])
        contents["golden.json"] = _answered(source, contents["golden.json"], contents["model.onnx"])
    if slow:
        contents["model.onnx"] = _slowed(contents["model.onnx"])
    manifest = json.loads((source / "manifest.json").read_text())
    about = {name: value for name, value in manifest.items() if name not in ("format", "id", "files", "seal")}
    return seal(target, contents, {**about, "project": project})


def _shifted(model: bytes) -> bytes:
    """The same linear model with its intercept lifted."""
    loaded = onnx.load_model_from_string(model)
    intercept = next(node.input[1] for node in loaded.graph.node if node.op_type == "Add")
    stored = next(one for one in loaded.graph.initializer if one.name == intercept)
    stored.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stored) + np.float32(_BIAS), intercept))
    return loaded.SerializeToString()


def _slowed(model: bytes) -> bytes:
    """The same linear model, to whose sums the outcome of large products is added, which is 0."""
    loaded = onnx.load_model_from_string(model)
    place, last = next((place, node) for place, node in enumerate(loaded.graph.node) if node.output[0] == "sums")
    last.output[0] = "quick"
    weights = next(stored for stored in loaded.graph.initializer if stored.name == "weights")
    held = {"in": np.zeros((weights.dims[0], _WIDE)), "through": np.eye(_WIDE), "out": np.zeros(_WIDE)}
    loaded.graph.initializer.extend(
        onnx.numpy_helper.from_array(matrix, f"slow_{name}") for name, matrix in held.items()
    )
    way = ["clipped", "slow_0", "slow_1", "slow_2", "slow_3", "nothing"]
    by = ["slow_in", "slow_through", "slow_through", "slow_through", "slow_out"]
    added = [
        onnx.helper.make_node("MatMul", [before, matrix], [after], after)
        for before, matrix, after in zip(way, by, way[1:], strict=False)
    ]
    added.append(onnx.helper.make_node("Add", ["quick", "nothing"], ["sums"], "sums_again"))
    for offset, node in enumerate(added, 1):
        loaded.graph.node.insert(place + offset, node)
    return loaded.SerializeToString()


def _answered(source: Path, golden: bytes, model: bytes) -> str:
    told = json.loads(golden)
    release = replace(open_release(source, ""), onnx=model)
    rows = pl.DataFrame(told["features"], schema={name: getattr(pl, kind) for name, kind in told["schema"].items()})
    return canonical_json({**told, "scores": release.score(rows).tolist()})
