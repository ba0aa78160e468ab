"""Who made what from what: dataset version + git SHA + parameters, and the library versions beside them.

The git SHA of an artefact is the last commit that touched what it is made from (code, presets, the project's YAML), so
committing the artefact's own pointers does not change its lineage. Uncommitted changes to those files are told.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import mlctl
from mlctl import git
from mlctl.files import sha256_of

LIBRARIES: Final = ("polars", "numpy", "scikit-learn", "xgboost", "onnx", "onnxruntime")


@cache
def code() -> dict[str, str]:
    """The version of mlctl and a digest of its source files, independent of line ends and of where it lies."""
    folder = Path(mlctl.__file__).parent
    parts = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        parts.append(f"{path.relative_to(folder).as_posix()} {sha256_of(text)}")
    return {"version": mlctl.__version__, "code": sha256_of("\n".join(parts))[:16]}


def of_project(name: str, dataset: str, params: str) -> dict[str, Any]:
    """The lineage of what is made now, from the current folder's git checkout.

    Args:
        name: The project.
        dataset: Hash of the snapshot.
        params: Hash of the composed configuration.
    """
    return {"dataset": dataset, "params": params, "git": git_state(name), "mlctl": code(), **surroundings()}


def surroundings() -> dict[str, Any]:
    """The versions of `python` and of the `libraries` that make bytes."""
    import platform

    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "libraries": {library: version(library) for library in LIBRARIES},
    }


def git_state(name: str) -> dict[str, Any]:
    """The commit that the project's inputs come from: `sha` (None outside git) and whether they are `dirty`."""
    inputs = [
        path
        for path in (
            "mlctl",
            "conf",
            f"projects/{name}/project.yaml",
            f"projects/{name}/admitted.yaml",
            f"projects/{name}/tuned.yaml",
        )
        if Path(path).exists()
    ]
    sha = (git.said("log", "-1", "--format=%H", "--", *inputs) or "").strip()
    if not sha:
        return {"sha": None, "dirty": True}
    return {"sha": sha, "dirty": bool((git.said("status", "--porcelain", "--", *inputs) or "").strip())}
