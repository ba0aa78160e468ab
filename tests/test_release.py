"""A release opens exactly as it was sealed, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from onnx import helper, load_from_string

from mlctl import kinds, release
from mlctl.config import validation
from mlctl.encoding import encode, learn
from mlctl.errors import ExternalError, IntegrityError
from mlctl.files import canonical_json, sha256_of
from mlctl.graphs import runtime
from mlctl.models import TrainingTable
from tests.test_spec import VALID

FEATURES = pl.DataFrame(
    {
        "orders": [float(n % 7) if n % 5 else None for n in range(60)],
        "plan": [None if n % 11 == 0 else "none monthly annual".split()[n % 3] for n in range(60)],
        "active": [n % 2 == 0 for n in range(60)],
    }
)
AGAIN = "mlctl package projects/shop"
ABOUT = {
    "prior": 0.25,
    "model": "logistic",
    "classes": ["0", "1"],
    "decide": {"threshold": 0.5, "min_confidence": 0.0, "set_level": None},
}


def contents() -> dict[str, bytes | str]:
    project, _ = validation.read({**VALID, "model": {"kind": "logistic"}})
    assert project is not None
    encoding = learn(FEATURES)
    labels = (FEATURES["orders"].fill_null(0) > 3).cast(pl.Float32).to_numpy()
    fitted = kinds.load("models", "logistic").fit(
        project.model,
        TrainingTable(encode(encoding, FEATURES), labels, tuple(f"c{n}" for n in range(len(encoding.columns())))),
    )
    scores = runtime.score_onnx(fitted.onnx, encode(encoding, FEATURES)).astype("float64")
    return {
        "model.onnx": fitted.onnx,
        "project.json": canonical_json(project.mapping()),
        "encoding.json": encoding.model_dump_json(),
        "golden.json": release.golden_rows(FEATURES, {"scores": scores}),
        "card.md": "# shop\n",
    }


@pytest.fixture(scope="module")
def made() -> dict[str, bytes | str]:
    return contents()


@pytest.fixture
def folder(made, tmp_path) -> Path:
    release.seal(tmp_path / "release", made, {**ABOUT, "lineage": {"git": "abc"}})
    return tmp_path / "release"


def sealed_anew(folder: Path, made: dict[str, bytes | str], **changes: bytes | str) -> None:
    """Everything hashes to what the manifest says: only the content itself can be wrong."""
    release.seal(folder, {**made, **{name.replace("_", "."): data for name, data in changes.items()}}, ABOUT)


def refused(folder: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        release.open_release(folder, AGAIN)
    assert caught.value.exit_code == 6
    return caught.value


def test_what_was_sealed_is_opened_and_scores_alone(made, folder):
    opened = release.open_release(folder, AGAIN)

    golden = json.loads(made["golden.json"])
    assert opened.manifest["prior"] == 0.25
    assert opened.project.mapping() == json.loads(made["project.json"])
    assert (
        opened.score(FEATURES).tolist()
        == runtime.score_onnx(made["model.onnx"], encode(opened.encoding, FEATURES)).astype("float64").tolist()
    )
    assert len(golden["scores"]) == 32
    assert sorted(golden["scores"])[0] == min(opened.score(FEATURES))
    assert sorted(golden["scores"])[-1] == max(opened.score(FEATURES))


def test_the_id_is_the_hash_of_the_files_and_of_nothing_else(made, folder, tmp_path):
    other = release.seal(tmp_path / "other", made, {"prior": 0.5, "lineage": {"git": "def"}})
    changed = release.seal(tmp_path / "changed", {**made, "card.md": "# other\n"}, {})

    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["id"] == other != changed
    assert other == sha256_of(canonical_json({name: sha256_of(made[name]) for name in release.FILES}))[:16]


def test_the_same_contents_make_the_same_bytes(made, tmp_path):
    for name in ("a", "b"):
        release.seal(tmp_path / name, contents() if name == "b" else made, {"prior": 0.25})

    for name in (*release.FILES, "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_there_is_no_code_in_a_release(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([*release.FILES, "manifest.json"])
    for path in folder.iterdir():
        assert path.suffix in (".onnx", ".json", ".md")
        assert not path.read_bytes().startswith((b"\x80", b"PK", b"\x7fELF"))


@pytest.mark.parametrize("name", [*release.FILES, "manifest.json"])
def test_one_changed_bit_anywhere_is_refused_and_the_file_is_named(folder, name):
    whole = (folder / name).read_bytes()
    step = 1 if name == "manifest.json" else max(1, len(whole) // 7)
    for position in [*range(0, len(whole), step), len(whole) - 1]:
        for bit in (1, 32) if name == "manifest.json" else (1, 128):
            data = bytearray(whole)
            data[position] ^= bit
            (folder / name).write_bytes(data)
            error = str(refused(folder))
            assert name in error or "format" in error, (position, bit, error)
    (folder / name).write_bytes(whole)
    release.open_release(folder, AGAIN)


@pytest.mark.parametrize("name", [*release.FILES, "manifest.json"])
def test_a_missing_an_empty_and_a_longer_file_are_refused(folder, name):
    whole = (folder / name).read_bytes()
    for data in (None, b"", whole[:-1], whole + b"\n"):
        (folder / name).unlink()
        if data is not None:
            (folder / name).write_bytes(data)
        assert name in str(refused(folder))
        (folder / name).write_bytes(whole)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "0" * 16),
        ("prior", 0.9),
        ("lineage", {"git": "abd"}),
        ("format", 1),
        ("format", None),
        ("seal", ""),
        ("files", {}),
        ("extra", 1),
    ],
)
def test_a_manifest_that_was_edited_is_refused(folder, key, value):
    path = folder / "manifest.json"
    path.write_text(canonical_json({**json.loads(path.read_text()), key: value}))

    assert "manifest.json" in str(refused(folder))


def test_an_id_of_other_files_is_refused_though_the_manifest_is_sealed_with_it(folder):
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_text()), "id": "0" * 16}
    del manifest["seal"]
    path.write_text(canonical_json({**manifest, "seal": sha256_of(canonical_json(manifest))}))

    assert "its id is not the hash of its files" in str(refused(folder))


@pytest.mark.parametrize("row", [0, 15, 31])
@pytest.mark.parametrize("off", [2e-6, -0.5, float("nan")])
def test_one_golden_row_that_is_answered_otherwise_is_refused(folder, made, row, off):
    golden = json.loads(made["golden.json"])
    golden["scores"][row] += off

    sealed_anew(folder, made, golden_json=json.dumps(golden))

    assert "golden row" in str(refused(folder))


def test_a_last_bit_of_another_processor_is_no_damage(folder, made):
    golden = json.loads(made["golden.json"])
    golden["scores"] = [score + 5e-7 for score in golden["scores"]]

    sealed_anew(folder, made, golden_json=json.dumps(golden))

    release.open_release(folder, AGAIN)


@pytest.mark.parametrize("change", ["no rows", "fewer scores", "more scores"])
def test_golden_rows_and_their_scores_are_as_many_and_there_are_some(folder, made, change):
    golden: dict[str, Any] = json.loads(made["golden.json"])
    if change == "no rows":
        golden["features"], golden["scores"] = {name: [] for name in golden["features"]}, []
    golden["scores"] = {"no rows": [], "fewer scores": golden["scores"][:-1], "more scores": [*golden["scores"], 0.5]}[
        change
    ]

    sealed_anew(folder, made, golden_json=json.dumps(golden))

    assert "golden" in str(refused(folder))


def graph_with(made: dict[str, bytes | str], change) -> bytes:
    graph = load_from_string(made["model.onnx"])
    change(graph)
    return graph.SerializeToString()


def foreign_operator(graph) -> None:
    graph.graph.node.append(helper.make_node("Sign", ["features"], ["unused"], "unused"))


def foreign_domain(graph) -> None:
    graph.opset_import.append(helper.make_opsetid("com.evil", 1))


def outside_data(graph) -> None:
    tensor = graph.graph.initializer[0]
    tensor.data_location = 1
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def another_input(graph) -> None:
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value += 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (foreign_operator, "Sign"),
        (foreign_domain, "com.evil"),
        (outside_data, "outside the file"),
        (another_input, "its inputs are"),
    ],
)
def test_a_graph_that_its_kind_cannot_have_made_is_refused_though_every_hash_holds(folder, made, change, why):
    sealed_anew(folder, made, model_onnx=graph_with(made, change))

    assert why in str(refused(folder))


@pytest.mark.parametrize(("name", "text"), [("project_json", "{}"), ("project_json", "[1"), ("model_onnx", "no graph")])
def test_contents_that_make_no_sense_are_refused_though_every_hash_holds(folder, made, name, text):
    sealed_anew(folder, made, **{name: text})

    refused(folder)


def test_sealing_that_fails_half_way_leaves_nothing_that_opens(folder, made):
    (folder / "golden.json").unlink()
    (folder / "golden.json").mkdir()

    with pytest.raises(ExternalError, match=r"golden\.json"):
        release.seal(folder, {**made, "encoding.json": made["encoding.json"] + "\n"}, {})

    assert "manifest.json is missing" in str(refused(folder))


@pytest.mark.parametrize("rows", [1, 2, 20, 31, 32, 33, 60])
def test_golden_rows_reach_from_the_lowest_score_to_the_highest(rows):
    scores = np.array([(n * 37 % 60) / 60 for n in range(rows)])

    golden = json.loads(release.golden_rows(FEATURES.head(rows), {"scores": scores}))

    assert len(golden["scores"]) == min(rows, 32)
    assert (min(golden["scores"]), max(golden["scores"])) == (scores.min(), scores.max())
    assert all(len(values) == len(golden["scores"]) for values in golden["features"].values())


def test_golden_rows_of_few_rows_are_all_rows():
    golden = json.loads(release.golden_rows(FEATURES.head(3), {"scores": np.array([0.3, 0.1, 0.2])}))

    assert golden["scores"] == [0.3, 0.1, 0.2]
    assert golden["features"]["orders"] == [None, 1.0, 2.0]
    assert golden["schema"] == {"orders": "Float64", "plan": "String", "active": "Boolean"}
