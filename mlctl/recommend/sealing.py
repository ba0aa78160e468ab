"""A recommender's release: tables and JSON in one sealed folder, and no code.

  manifest.json      id, lineage, stamp of the vectors, sha256 of every other file
  project.json       the composed project
  model.json         the parts, their form and numbers, the weights by state
  items.parquet      the catalogue: id, columns for filters, content_sha256
  PART.parquet       vectors, factors, scores or weights of one part
  terms.parquet      what turns a new item's text into its vector
  encoder-ID.onnx, encoder-ID.tokenizer.json    the same, where an encoder of one's own reads the texts
  golden.json        some histories and their answers
  card.md            what it is, for people

`open_recommender` uses nothing before every hash holds and the golden histories are answered as sealed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl.config import validation
from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of
from mlctl.recommend.answering import Recommender, Stamp
from mlctl.recommend.blends import Blend
from mlctl.recommend.encoders import Encoder, Lsa, OnnxText
from mlctl.recommend.forms import Factors, Form, Popular, Vectors, Weights
from mlctl.release import sealed
from mlctl.spec import Project
from mlctl.text import Terms
from mlctl.text_encoder import Sealed, is_sealed_file, sealed_files

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

TOLERANCE: Final = 1e-4
"""How far a golden answer's score may lie from the sealed one: another CPU may round the last bits differently."""
_PLAIN: Final = ("project.json", "model.json", "golden.json", "card.md", "items.parquet", "terms.parquet")
_FORMS: Final[dict[str, type[Any]]] = {"popular": Popular, "vectors": Vectors, "factors": Factors, "weights": Weights}
_NUMBERS: Final = ("half_life", "alpha", "regularization")


def contents(
    project: Project, model: Blend, encoder: Encoder | None, items: pl.DataFrame, golden: Sequence[Sequence[str]]
) -> dict[str, bytes | str]:
    """The files of a release but its card.

    Args:
        project: The composed project.
        model: What scores.
        encoder: What turns texts into vectors; None where no text is read.
        items: As `Recommender.items`.
        golden: Histories to be answered whenever the release is opened.
    """
    # the order in which they come back, so that vectors stand in the same columns
    model = replace(model, parts=dict(sorted(model.parts.items())))
    project_json = canonical_json(
        {key: value for key, value in project.mapping().items() if key not in ("database", "refresh")}
    )
    files: dict[str, bytes | str] = {"project.json": project_json, "items.parquet": _bytes(items)}
    files |= tables(model.parts, encoder)
    told = described(model)
    if isinstance(encoder, Lsa):
        told["encoder"] = {"kind": "lsa", "terms": encoder.terms.model_dump(mode="json")}
    if isinstance(encoder, OnnxText):
        told["encoder"] = {"kind": "onnx_text", "sealed": encoder.sealed.model_dump(mode="json")}
        names = [path.name for path in sealed_files(encoder.sealed)]
        files |= {name: path.read_bytes() for name, path in zip(names, encoder.files, strict=True)}
    files["model.json"] = canonical_json(told)
    stamp = stamp_of(files, model, project, encoder)
    opened = Recommender("", {}, project, items, _key(project), model, encoder, stamp)
    files["golden.json"] = canonical_json(_golden(opened, golden))
    return files


def tables(parts: Mapping[str, Form], encoder: Encoder | None) -> dict[str, bytes | str]:
    """The numbers of parts, a file each, and the terms of the encoder."""
    files: dict[str, bytes | str] = {f"{name}.parquet": _bytes(_table(form)) for name, form in parts.items()}
    if isinstance(encoder, Lsa):
        files["terms.parquet"] = _bytes(_terms(encoder))
    return files


def described(model: Blend) -> dict[str, Any]:
    """What a blend is besides its tables, JSON-ready."""
    parts: dict[str, Any] = {}
    for name, form in model.parts.items():
        kind = next(word for word, made in _FORMS.items() if isinstance(form, made))
        numbers = {key: getattr(form, key) for key in _NUMBERS if hasattr(form, key)}
        parts[name] = {"form": kind, "items": form.items, **numbers}
    return {
        "parts": parts,
        "weights": {state: dict(mixed) for state, mixed in model.weights.items()},
        "states": [list(state) for state in model.states],
    }


def read_blend(folder: Path, told: Mapping[str, Any]) -> Blend:
    """The blend that `described` told of, with its tables from a folder."""
    parts = {name: _form(folder / f"{name}.parquet", said) for name, said in sorted(told["parts"].items())}
    return Blend(parts, told["weights"], tuple((str(name), int(least)) for name, least in told["states"]))


def stamp_of(files: Mapping[str, bytes | str], model: Blend, project: Project, encoder: Encoder | None) -> Stamp:
    """What made the vectors of a release: the tables that they are read from, which texts are read, and by what."""
    tables = {name: sha256_of(files[f"{name}.parquet"]) for name, form in model.parts.items() if _has_vectors(form)}
    section = project.items
    texts = {"text": list(section.text) if section else [], "terms": sha256_of(files.get("terms.parquet", ""))}
    if isinstance(encoder, OnnxText):
        texts["encoder"] = encoder.sealed.id
    vectors = model.item_vectors()
    dimension = 0 if vectors is None else int(vectors.shape[1])
    parts = {"model": sha256_of(canonical_json(tables)), "preprocessing": sha256_of(canonical_json(texts))}
    digest = sha256_of(canonical_json({**parts, "dimension": dimension}))
    return Stamp(parts["model"][:16], parts["preprocessing"][:16], dimension, digest[:16])


def seal(folder: Path, files: Mapping[str, bytes | str], about: Mapping[str, Any]) -> str:
    """Writes a release and gives its id.

    Raises:
        ExternalError: The folder cannot be written.
    """
    return sealed.seal(folder, files, about)


def read_manifest(folder: Path, next_step: str) -> dict[str, Any]:
    """The manifest, after proving that it and every file that it names are as they were sealed.

    Raises:
        IntegrityError: A file is missing or changed.
    """

    def belongs(name: str) -> bool:
        return name in _PLAIN or name.endswith(".parquet") or is_sealed_file(name)

    return sealed.read_manifest(folder, next_step, belongs)


def open_recommender(folder: Path, next_step: str) -> Recommender:
    """Opens a release after proving that it is whole and answers as sealed.

    Args:
        folder: The sealed folder.
        next_step: What to type where it is not whole.

    Raises:
        IntegrityError: A file is missing or changed, a vector is not finite, or a golden history is answered
            differently.
        ExternalError: An encoder of one's own is sealed in it, and the library that cuts texts is not installed.
    """
    import polars as pl

    manifest = read_manifest(folder, next_step)
    project, faults = validation.read(read_json(folder / "project.json"))
    if project is None or not project.ranks():
        why = str(faults[0]) if faults else "it is no release of a recommender"
        raise IntegrityError.refused(str(folder / "project.json"), why, next_step)
    told = read_json(folder / "model.json")
    model = read_blend(folder, told)
    items = pl.read_parquet(folder / "items.parquet")
    if any(form.items != items.height for form in model.parts.values()):
        raise IntegrityError.refused(str(folder), "its parts are not of the same items", next_step)
    encoder = _encoder(folder, told)
    files = {name: (folder / name).read_bytes() for name in manifest["files"] if name.endswith(".parquet")}
    stamp = stamp_of(files, model, project, encoder)
    opened = Recommender(manifest["id"], manifest, project, items, _key(project), model, encoder, stamp)
    _prove(folder, opened, next_step)
    return opened


def _prove(folder: Path, opened: Recommender, next_step: str) -> None:
    import numpy as np

    vectors = opened.item_vectors
    if not np.isfinite(vectors).all():
        raise IntegrityError.refused(str(folder), "it holds vectors that are not finite", next_step)
    golden = read_json(folder / "golden.json")
    answers = _golden(opened, [entry["history"] for entry in golden["answers"]])
    if not golden["answers"]:
        raise IntegrityError.refused(str(folder / "golden.json"), "it has no histories", next_step)
    for wanted, found in zip(golden["answers"], answers["answers"], strict=True):
        same = wanted["state"] == found["state"] and len(wanted["scores"]) == len(found["scores"])
        apart = np.abs(np.asarray(wanted["scores"]) - np.asarray(found["scores"])) if same else np.asarray([np.inf])
        # asked this way round, because NaN is not below the limit either
        if not (apart <= TOLERANCE).all():
            raise IntegrityError.refused(
                str(folder), f"the golden history {wanted['history'][:3]} is answered differently", next_step
            )


def _golden(opened: Recommender, histories: Sequence[Sequence[str]]) -> dict[str, Any]:
    section = opened.project.items
    k = section.k if section else 10
    answers = opened.recommend(histories, k)
    told = [
        {
            "history": list(history),
            "items": list(answer.items),
            "scores": [round(score, 6) for score in answer.scores],
            "state": answer.state,
        }
        for history, answer in zip(histories, answers, strict=True)
    ]
    return {"k": k, "answers": told}


def _key(project: Project) -> str:
    return project.items.key if project.items else ""


def _has_vectors(form: Form) -> bool:
    return not isinstance(form, Weights)


def _bytes(table: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    table.write_parquet(written, compression="zstd", statistics=False)
    return written.getvalue()


def _table(form: Form) -> pl.DataFrame:
    """A form's numbers. Grain: an item, or a pair of items. Time: none."""
    import polars as pl

    if isinstance(form, Popular):
        return pl.DataFrame({"score": form.score})
    if isinstance(form, Weights):
        pairs = form.matrix.tocoo()
        return pl.DataFrame(
            {
                "had": pl.Series(pairs.row).cast(pl.Int32),
                "item": pl.Series(pairs.col).cast(pl.Int32),
                "weight": pl.Series(pairs.data).cast(pl.Float32),
            }
        )
    if isinstance(form, Vectors) and form.given is not None:
        return pl.DataFrame([_vectors("vector", form.vectors), _vectors("given", form.given)])
    return pl.DataFrame([_vectors("vector", form.vectors if isinstance(form, Vectors) else _factors(form))])


def _factors(form: Form) -> Array:
    if not isinstance(form, Factors):
        raise TypeError(type(form).__name__)
    return form.factors


def _vectors(name: str, vectors: Array) -> pl.Series:
    import polars as pl

    return pl.Series(name, vectors, dtype=pl.Array(pl.Float32, int(vectors.shape[1])))


def _form(path: Path, said: Mapping[str, Any]) -> Form:
    import numpy as np
    import polars as pl
    from scipy.sparse import csr_array

    table = pl.read_parquet(path)
    made: Form
    if said["form"] == "popular":
        made = Popular(table["score"].to_numpy())
    elif said["form"] == "weights":
        places = (table["had"].to_numpy(), table["item"].to_numpy())
        shape = (said["items"], said["items"])
        made = Weights(csr_array((table["weight"].to_numpy(), places), shape=shape), said["half_life"])
    elif said["form"] == "factors":
        made = Factors(np.asarray(table["vector"].to_numpy()), said["alpha"], said["regularization"], said["half_life"])
    else:
        given = np.asarray(table["given"].to_numpy()) if "given" in table.columns else None
        made = Vectors(np.asarray(table["vector"].to_numpy()), said["half_life"], given)
    return made


def _terms(encoder: Lsa) -> pl.DataFrame:
    import polars as pl

    names = {"term": list(encoder.names), "rarity": list(encoder.rarity)}
    return pl.DataFrame(names).with_columns(_vectors("vector", encoder.vectors))


def _encoder(folder: Path, told: Mapping[str, Any]) -> Encoder | None:
    import numpy as np
    import polars as pl

    if "encoder" not in told:
        return None
    if told["encoder"]["kind"] == "onnx_text":
        sealed = Sealed.model_validate(told["encoder"]["sealed"])
        return OnnxText.of_files(sealed, sealed_files(sealed, folder))
    table = pl.read_parquet(folder / "terms.parquet")
    terms = Terms.model_validate(told["encoder"]["terms"])
    return Lsa(terms, tuple(table["term"]), tuple(table["rarity"]), np.asarray(table["vector"].to_numpy()))
