"""A release: a sealed, content-hashed folder that scores alone and holds no code.

  manifest.json   id (hash of the content), lineage, signature, sha256 of every other file
  model.onnx      the graph: `features` float32 (rows, columns) -> `score` float32 (rows,) or (rows, classes)
  project.json    the composed project: features, entity, decide policy
  encoding.json   features -> matrix columns, learnt in training
  golden.json     some feature rows and the scores that they must get
  card.md         what it is, for people
  baseline.json   what training saw, as sketches: monitors hold every day against it
  cold.*, previous.*    a model of those with too little evidence, and the release before it (`mlctl/release/beside.py`)
  encoder-ID.onnx, encoder-ID.tokenizer.json    where texts are read by an encoder

`seal` writes it whole or not at all. `open_release` uses nothing before every hash holds, the graph's operators are of
its kind's list, and the golden rows are answered as sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, spec
from mlctl.config import validation
from mlctl.decide import Decider
from mlctl.encoding import Encoding, encode
from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of_file
from mlctl.graphs import runtime
from mlctl.release import beside, sealed
from mlctl.release.beside import COLD_FILES, PREVIOUS_FILES, Graph, Previous
from mlctl.text_encoder import is_sealed_file

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FILES: Final = ("model.onnx", "project.json", "encoding.json", "golden.json", "card.md")
BASELINE: Final = "baseline.json"
_OPTIONAL: Final = (BASELINE, *COLD_FILES, *PREVIOUS_FILES)
TOLERANCE: Final = 1e-6
"""How far a golden row's score may lie from the sealed one: another CPU may round the last bits differently."""
ENCODER_TOLERANCE: Final = 1e-4
"""The same where an encoder reads texts: of its millions of products a row, another CPU rounds many differently."""


@dataclass(frozen=True)
class Release:
    """An opened, verified release."""

    id: str
    manifest: Mapping[str, Any]
    project: spec.Project
    encoding: Encoding
    onnx: bytes
    cold: Graph | None = None
    previous: Previous | None = None

    def score(self, features: pl.DataFrame) -> np.ndarray[Any, Any]:
        """P(label = 1) or the value of every row, float64 (rows,); of several classes (rows, classes).

        Raises:
            DataError: A feature is missing or has another type than in training.
        """
        return self.graph(encode(self.encoding, features)).astype("float64")

    @cached_property
    def graph(self) -> runtime.Scorer:
        """The graph, loaded once: encoded rows to float32 scores."""
        return runtime.scorer(self.onnx)

    def decide(self, features: pl.DataFrame) -> pl.DataFrame:
        """Score and decision of every row.

        Grain: one row per row of `features`: score, decision, reason, confidence (`mlctl/decide.py`).

        Raises:
            DataError: A feature is missing or has another type than in training.
        """
        return self.decider()(features, self.score(features))

    def decider(self) -> Decider:
        """What turns this release's scores into decisions."""
        return Decider(
            words=self.project.decide,
            policy=beside.policy_of(self.manifest["decide"]),
            task=self.project.label.task,
            classes=tuple(self.manifest["classes"]),
            prior=self.manifest["prior"],
            rule=self.project.model.rule,
            of_cold=None if self.cold is None else self.cold.score,
            previous=self.previous,
        )


def seal(folder: Path, contents: Mapping[str, bytes | str], about: Mapping[str, Any]) -> str:
    """Writes a release and gives its id.

    Args:
        folder: Where it goes; what lay there is replaced file by file, the manifest last.
        contents: The bytes or text of each of `FILES`, of `BASELINE`, of `COLD_FILES` and `PREVIOUS_FILES` where it
            holds such graphs, and of the encoders' files where there are any.
        about: Lineage, signature and figures for the manifest.

    Returns:
        The id: the first 16 hex digits of the hash over the files' hashes.

    Raises:
        ExternalError: The folder cannot be written.
    """
    names = (*FILES, *(name for name in contents if name not in FILES and _belongs(name)))
    return sealed.seal(folder, {name: contents[name] for name in names}, about)


def read_manifest(folder: Path, next_step: str) -> dict[str, Any]:
    """The manifest, after proving that it and every file that it names are as they were sealed.

    Raises:
        IntegrityError: A file is missing or changed.
    """
    manifest = sealed.read_manifest(folder, next_step, _belongs)
    for name in FILES:
        if name not in manifest["files"]:
            raise IntegrityError.damaged(str(folder / name), "None", sha256_of_file(folder / name), next_step)
    return manifest


def _belongs(name: str) -> bool:
    return name in (*FILES, *_OPTIONAL) or is_sealed_file(name)


def open_release(folder: Path, next_step: str) -> Release:
    """Opens a release after proving that it is whole, safe and answers as sealed.

    Raises:
        IntegrityError: A file is missing or changed, the graph is not of its kind, or a golden row is answered
            differently.
    """
    import numpy as np
    import polars as pl

    manifest = read_manifest(folder, next_step)
    project, faults = validation.read(read_json(folder / "project.json"))
    if project is None:
        raise IntegrityError.refused(str(folder / "project.json"), str(faults[0]), next_step)
    learnt = encoding.read(folder / "encoding.json", next_step)
    onnx = (folder / "model.onnx").read_bytes()
    classes = len(manifest["classes"]) if project.label.task == "multiclass" else None
    runtime.check_graph(onnx, beside.operators(project, manifest["model"]), learnt.width, classes)
    files, words = manifest["files"], project.decide
    cold = beside.open_cold(folder, project, classes) if COLD_FILES[0] in files else None
    previous = beside.open_previous(folder, words, next_step) if PREVIOUS_FILES[0] in files else None
    release = Release(manifest["id"], manifest, project, learnt, onnx, cold, previous)
    golden = read_json(folder / "golden.json")
    rows = pl.DataFrame(golden["features"], schema={name: getattr(pl, kind) for name, kind in golden["schema"].items()})
    asked = [(release.score(rows), golden["scores"])]
    if cold is not None:
        asked.append((cold.score(rows), golden["cold_scores"]))
    if previous is not None:
        asked.append((previous.graph.score(rows), golden["previous_scores"]))
    read = (one.encoding for one in (cold, previous and previous.graph) if one)
    tolerance = ENCODER_TOLERANCE if any(one.encoders for one in (learnt, *read)) else TOLERANCE
    for answers, told in asked:
        wanted = np.asarray(told, dtype=np.float64)
        if not len(wanted) or answers.shape != wanted.shape:
            raise IntegrityError.refused(str(folder / "golden.json"), "rows and scores are not as many", next_step)
        differences = (np.abs(answers - wanted) / np.maximum(1.0, np.abs(wanted))).ravel()
        # asked this way round, because NaN is not below the limit either
        if len(wrong := differences[~(differences <= tolerance)]):
            raise IntegrityError.refused(
                str(folder), f"a golden row's score lies {wrong[0]:.2g} from the sealed one", next_step
            )
    return release


def golden_rows(features: pl.DataFrame, answers: Mapping[str, np.ndarray[Any, Any]], count: int = 32) -> str:
    """Some feature rows and their answers as JSON: evenly spread over the `scores`, from low to high."""
    import numpy as np
    import polars as pl

    scores = answers["scores"]
    order = np.argsort(scores if scores.ndim == 1 else scores.max(axis=1), kind="stable")
    count = min(count, len(order))
    picks = [int(order[round(step * (len(order) - 1) / max(1, count - 1))]) for step in range(count)]
    rows = features[sorted(set(picks))]
    schema = {
        name: type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
        for name, dtype in rows.schema.items()
    }
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    told = {name: values[sorted(set(picks))].tolist() for name, values in answers.items()}
    return canonical_json({"schema": schema, "features": rows.to_dict(as_series=False), **told})
