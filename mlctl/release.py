"""A release: a sealed, content-hashed folder that scores alone and holds no code.

  manifest.json   id (hash of the content), lineage, signature, sha256 of every other file
  model.onnx      the graph: `features` float32 (rows, columns) -> `score` float32 (rows,)
  project.json    the composed project: features, entity, decide policy
  encoding.json   features -> matrix columns, learnt in training
  golden.json     some feature rows and the scores that they must get
  card.md         what it is, for people

`seal` writes it whole or not at all. `open_release` uses nothing before every hash holds, the graph's operators are of
its kind's list, and the golden rows are answered as sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds, runtime, spec, validation
from mlctl.encoding import Encoding, encode
from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of, sha256_of_file, write_bytes, write_json

if TYPE_CHECKING:
    import polars as pl

FORMAT: Final = 1
FILES: Final = ("model.onnx", "project.json", "encoding.json", "golden.json", "card.md")
TOLERANCE: Final = 1e-6
"""How far a golden row's score may lie from the sealed one: another CPU may round the last bits differently."""


@dataclass(frozen=True)
class Release:
    """An opened, verified release."""

    id: str
    manifest: Mapping[str, Any]
    project: spec.Project
    encoding: Encoding
    onnx: bytes

    def score(self, features: pl.DataFrame) -> pl.Series:
        """P(label = 1) of every row of features.

        Raises:
            DataError: A feature is missing or has another type than in training.
        """
        import polars as pl

        matrix = encode(self.encoding, features)
        return pl.Series("score", runtime.score_onnx(self.onnx, matrix).astype("float64"))


def seal(folder: Path, contents: Mapping[str, bytes | str], about: Mapping[str, Any]) -> str:
    """Writes a release and gives its id.

    Args:
        folder: Where it goes; what lay there is replaced file by file, the manifest last.
        contents: The bytes or text of each of `FILES`.
        about: Lineage, signature and figures for the manifest.

    Returns:
        The id: the first 16 hex digits of the hash over the files' hashes.

    Raises:
        ExternalError: The folder cannot be written.
    """
    hashes = {name: sha256_of(contents[name]) for name in FILES}
    identity = sha256_of(canonical_json(hashes))[:16]
    (folder / "manifest.json").unlink(missing_ok=True)
    for name in FILES:
        data = contents[name]
        write_bytes(folder / name, data.encode() if isinstance(data, str) else data)
    manifest = {"format": FORMAT, "id": identity, "files": hashes, **about}
    write_json(folder / "manifest.json", {**manifest, "seal": sha256_of(canonical_json(manifest))})
    return identity


def read_manifest(folder: Path, next_step: str) -> dict[str, Any]:
    """The manifest, after proving that it and every file that it names are as they were sealed.

    Raises:
        IntegrityError: A file is missing or changed.
    """
    manifest = read_json(folder / "manifest.json", next_step)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise IntegrityError.refused(
            str(folder / "manifest.json"), f"it is not of format {FORMAT}, which this version reads", next_step
        )
    unsealed = {key: value for key, value in manifest.items() if key != "seal"}
    sealed, found = str(manifest.get("seal")), sha256_of(canonical_json(unsealed))
    if sealed != found or (folder / "manifest.json").read_text(encoding="utf-8") != canonical_json(manifest):
        raise IntegrityError.damaged(str(folder / "manifest.json"), sealed, found, next_step)
    for name in FILES:
        found = sha256_of_file(folder / name)
        if manifest["files"].get(name) != found:
            raise IntegrityError.damaged(str(folder / name), str(manifest["files"].get(name)), found, next_step)
    if sha256_of(canonical_json(manifest["files"]))[:16] != manifest["id"]:
        raise IntegrityError.refused(str(folder), "its id is not the hash of its files", next_step)
    return manifest


def open_release(folder: Path, next_step: str) -> Release:
    """Opens a release after proving that it is whole, safe and answers as sealed.

    Raises:
        IntegrityError: A file is missing or changed, the graph is not of its kind, or a golden row is answered
            differently.
    """
    import polars as pl

    manifest = read_manifest(folder, next_step)
    project, faults = validation.read(read_json(folder / "project.json"))
    if project is None:
        raise IntegrityError.refused(str(folder / "project.json"), str(faults[0]), next_step)
    encoding = Encoding.model_validate(read_json(folder / "encoding.json"))
    onnx = (folder / "model.onnx").read_bytes()
    runtime.check_graph(onnx, kinds.load("models", project.model.kind).OPS, len(encoding.columns()))
    release = Release(manifest["id"], manifest, project, encoding, onnx)
    golden = read_json(folder / "golden.json")
    rows = pl.DataFrame(golden["features"], schema={name: getattr(pl, kind) for name, kind in golden["schema"].items()})
    answers, wanted = release.score(rows).to_list(), golden["scores"]
    differences = [abs(got - want) for got, want in zip(answers, wanted, strict=False)]
    if not wanted or len(answers) != len(wanted):
        raise IntegrityError.refused(str(folder / "golden.json"), "rows and scores are not as many", next_step)
    # one by one, because the largest of numbers and NaN may be a number
    if wrong := [difference for difference in differences if not difference <= TOLERANCE]:
        raise IntegrityError.refused(
            str(folder), f"a golden row's score lies {wrong[0]:.2g} from the sealed one", next_step
        )
    return release


def golden_rows(features: pl.DataFrame, score: pl.Series, count: int = 32) -> str:
    """Some feature rows and their scores as JSON: evenly spread over the scores, so low, middle and high are there."""
    import polars as pl

    order = score.arg_sort()
    count = min(count, len(order))
    picks = [int(order[round(step * (len(order) - 1) / max(1, count - 1))]) for step in range(count)]
    rows = features[sorted(set(picks))]
    schema = {
        name: type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
        for name, dtype in rows.schema.items()
    }
    rows = rows.with_columns(pl.col(pl.Float64).fill_nan(None))
    scores = score.gather(sorted(set(picks))).to_list()
    return canonical_json({"schema": schema, "features": rows.to_dict(as_series=False), "scores": scores})
