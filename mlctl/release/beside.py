"""What a release may hold beside its own graph: a model of those with too little evidence, and the release before it.

  cold.onnx, cold.encoding.json                            who is cold is scored by it (`decide.cold`)
  previous.onnx, previous.encoding.json, previous.json     decides where the model is not sure, or not asked
                                                           (`decide.fallback_by: previous`)

What the release before held beside its own graph is not carried on, so a release never grows with its ancestry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, kinds, spec
from mlctl.config import validation
from mlctl.decide import Decider, Second
from mlctl.encoding import Encoding, encode
from mlctl.errors import IntegrityError
from mlctl.files import read_json
from mlctl.graphs import runtime
from mlctl.judging import fitting
from mlctl.judging.policy import Policy

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

COLD_FILES: Final = ("cold.onnx", "cold.encoding.json")
PREVIOUS_FILES: Final = ("previous.onnx", "previous.encoding.json", "previous.json")


@dataclass(frozen=True)
class Graph:
    """A graph, and the encoding of features that it reads."""

    encoding: Encoding
    onnx: bytes

    @cached_property
    def of_rows(self) -> runtime.Scorer:
        """The graph, loaded once: encoded rows to float32 scores."""
        return runtime.scorer(self.onnx)

    def score(self, features: pl.DataFrame) -> np.ndarray[Any, Any]:
        """P(label = 1) or the value of every row, float64 (rows,); of several classes (rows, classes).

        Raises:
            DataError: A feature is missing or has another type than in training.
        """
        return self.of_rows(encode(self.encoding, features)).astype("float64")


@dataclass(frozen=True)
class Previous:
    """The release that was live before.

    Attributes:
        release: Its id.
        project: Its project.
        graph: Its graph.
        decider: Its policy, with the words of the release that holds it.
    """

    release: str
    project: spec.Project
    graph: Graph
    decider: Decider

    def __call__(self, features: pl.DataFrame) -> Second:
        """What it says of rows: its scores, its decisions, and about which rows it is sure.

        Raises:
            DataError: A feature is missing or has another type than in training.
        """
        scores = self.graph.score(features)
        return Second(scores, *self.decider.sure(features, scores))


def operators(project: spec.Project, model: str) -> frozenset[str]:
    """The ONNX operators that the graph of a rung may hold; only the project's own kind is calibrated."""
    own: Any = project.model
    if model == own.kind:
        return fitting.operators(own)
    ops: frozenset[str] = kinds.load("models", model).OPS
    return ops


def policy_of(sealed: Mapping[str, Any]) -> Policy:
    """The policy of decisions as a manifest has it."""
    return Policy(sealed["threshold"], sealed["min_confidence"], sealed["set_level"])


def open_cold(folder: Path, project: spec.Project, classes: int | None) -> Graph:
    """The model of those with too little evidence.

    Raises:
        IntegrityError: A file is missing, or the graph is not of its kind.
    """
    return _opened(folder, COLD_FILES, fitting.operators(kinds.options("models", project.decide.cold or {})), classes)


def open_previous(folder: Path, words: spec.Decide, next_step: str) -> Previous:
    """The release that was live before, as `describe` wrote it down.

    Args:
        folder: Where `PREVIOUS_FILES` are.
        words: The section `decide:` of the release that holds it, whose words its decisions are told in.
        next_step: What to type when it is damaged.

    Raises:
        IntegrityError: A file is missing or damaged, or the graph is not of its kind.
    """
    said = read_json(folder / PREVIOUS_FILES[2], next_step)
    theirs, faults = validation.read(said["project"])
    if theirs is None:
        raise IntegrityError.refused(str(folder / PREVIOUS_FILES[2]), str(faults[0]), next_step)
    task, known = theirs.label.task, tuple(said["classes"])
    classes = len(known) if task == "multiclass" else None
    graph = _opened(folder, PREVIOUS_FILES, operators(theirs, said["model"]), classes)
    spoken = theirs.decide.model_copy(update={"above": words.above, "below": words.below})
    decider = Decider(spoken, policy_of(said["decide"]), task, known, said["prior"])
    return Previous(said["release"], theirs, graph, decider)


def _opened(folder: Path, names: Sequence[str], allowed: frozenset[str], classes: int | None) -> Graph:
    """A graph and its encoding, the first two of the names, after the graph was checked.

    Raises:
        IntegrityError: A file is missing, or the graph is not of its kind.
    """
    learnt, onnx = encoding.read(folder / names[1]), (folder / names[0]).read_bytes()
    runtime.check_graph(onnx, allowed, learnt.width, classes)
    return Graph(learnt, onnx)


def describe(manifest: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """`previous.json` of a release: what decides as it did, besides graph and encoding."""
    told = {name: manifest[name] for name in ("model", "classes", "prior", "decide")}
    return {"release": manifest["id"], "project": dict(project), **told}
