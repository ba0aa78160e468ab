"""Features by key: what a server looks up is what a batch computes, to the bit, and a replay of the log proves it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from mlctl.release import Release, open_release
from mlctl.serving.batch import score_everybody
from tests import served, world

ABOUT = ("score", "decision", "reason", "confidence", "release", "variant")


@pytest.fixture(scope="module")
def shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an online store."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("features") / "workspace")
    made = world.mlctl(folder, "materialize", "shop", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["already"] is False
    return folder


@pytest.fixture(scope="module")
def running(shop: Path) -> Iterator[served.Server]:
    with served.serve(shop) as server:
        yield server


@pytest.fixture(scope="module")
def scores(shop: Path) -> list[dict[str, Any]]:
    """What the batch says of everybody, in the order of keys."""
    release: Release = open_release(shop / ".mlctl/shop/release", "")
    tables = {path.stem: pl.read_parquet(path) for path in (shop / ".mlctl/shop/checked").glob("*.parquet")}
    tables = {name: tables[name] for name in release.project.sources}
    as_of = datetime.fromisoformat(json.loads((shop / "data/shop/snapshot.json").read_text())["as_of"])
    as_of = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    return score_everybody(release, tables, as_of, as_of).to_dicts()


def test_everybody_asked_by_key_gets_the_score_of_the_batch(running: served.Server, scores: list[dict[str, Any]]):
    keys = [{"customer_id": row["customer_id"]} for row in scores]

    answers = [a for start in range(0, len(keys), 500) for a in running.post("/predict", keys[start : start + 500])]

    assert [{name: a[name] for name in ABOUT} for a in answers] == [
        {name: row[name] for name in ABOUT} for row in scores
    ]
    assert running.post("/predict", keys[0])["score"] == scores[0]["score"]


def test_who_is_unknown_gets_the_fallback_and_what_a_row_says_goes_first(
    running: served.Server, scores: list[dict[str, Any]]
):
    known = scores[0]["customer_id"]
    features = running.post("/get-online-features", {"entities": {"customer_id": [known]}})
    number = next(
        name
        for name, result in zip(features["metadata"]["feature_names"][1:], features["results"][1:], strict=True)
        if isinstance(result["values"][0], float)
    )

    unknown, other = running.post("/predict", [{"customer_id": "nobody"}, {"customer_id": known, number: 1e6}])

    assert (unknown["reason"], unknown["score"]) == ("unknown_entity", None)
    assert other["score"] is not None
    status, told, _ = running.ask("POST", "/explain", {"customer_id": "nobody"})
    assert (status, told["field"]) == (422, "customer_id")
    assert running.post("/explain", {"customer_id": known})["score"] == scores[0]["score"]


@pytest.mark.parametrize("binary", [False, True], ids=["json", "bytes"])
def test_a_client_of_the_open_inference_protocol_sends_keys_alone(
    running: served.Server, scores: list[dict[str, Any]], binary: bool
):
    known = scores[:50]
    keys = triton.InferInput("customer_id", [len(known) + 1, 1], "BYTES")
    texts = [[str(row["customer_id"])] for row in known] + [["nobody"]]
    keys.set_data_from_numpy(np.array(texts, dtype=object), binary_data=binary)

    answer = triton.InferenceServerClient(f"127.0.0.1:{running.port}").infer("shop", [keys])

    for name in ("score", "decision", "reason"):
        found = [value.decode() if isinstance(value, bytes) else value for value in answer.as_numpy(name)]
        assert found[:-1] == [row[name] for row in known]
    assert answer.as_numpy("reason")[-1] == b"unknown_entity"


def test_a_tensor_of_a_feature_goes_before_what_is_looked_up(running: served.Server, scores: list[dict[str, Any]]):
    key = scores[0]["customer_id"]
    asked = running.post("/get-online-features", {"entities": {"customer_id": [key]}})
    found = {
        name: result["values"][0]
        for name, result in zip(asked["metadata"]["feature_names"], asked["results"], strict=True)
    }
    number = next(name for name, value in found.items() if isinstance(value, float))
    tensors = [{"name": "customer_id", "datatype": "BYTES", "shape": [1], "data": [key]}]
    tensors += [{"name": number, "datatype": "FP64", "shape": [1], "data": [found[number] + 1000.0]}]

    said = running.post("/v2/models/shop/infer", {"inputs": tensors, "outputs": [{"name": "score"}]})

    assert said["outputs"][0]["data"] == [
        running.post("/predict", {"customer_id": key, number: found[number] + 1000.0})["score"]
    ]


def test_neither_key_nor_features_is_refused(running: served.Server):
    client = triton.InferenceServerClient(f"127.0.0.1:{running.port}")
    name = next(iter(client.get_model_metadata("shop")["inputs"]))["name"]
    tensor = triton.InferInput(name, [1], "FP64")
    tensor.set_data_from_numpy(np.array([1.0]))

    with pytest.raises(InferenceServerException, match="nor for the key customer_id"):
        client.infer("shop", [tensor])


def test_without_a_store_features_are_asked_for(server: served.Server):
    status, told, _ = server.ask("POST", "/predict", {"customer_id": "c1"})
    absent, why, _ = server.ask("POST", "/get-online-features", {"entities": {"customer_id": ["c1"]}})

    assert status == 422
    assert "the feature is missing" in told["error"]
    assert absent == 404
    assert "mlctl materialize" in why["error"]


def test_the_log_replays_to_the_same_bits_and_a_changed_answer_is_found(
    shop: Path, scores: list[dict[str, Any]], tmp_path: Path
):
    folder = world.copy_workspace(shop, tmp_path / "workspace")
    shutil.rmtree(folder / ".mlctl/shop/predictions")
    nothing = world.mlctl(folder, "parity", "shop")
    with served.serve(folder) as server:
        server.post("/predict", [{"customer_id": row["customer_id"]} for row in scores[:50]] + [{"customer_id": "no"}])
    good = world.mlctl(folder, "parity", "shop", "--json")
    log = next((folder / ".mlctl/shop/predictions").glob("*.ndjson"))
    lines = log.read_text().splitlines()
    line = json.loads(lines[7])
    line["score"] += 2**-40
    log.write_text("\n".join([*lines[:7], json.dumps(line), *lines[8:]]) + "\n")
    bad = world.mlctl(folder, "parity", "shop")

    assert nothing.returncode == 4
    assert "nothing is proved" in nothing.stderr
    assert good.returncode == 0, good.stderr
    told = json.loads(good.stdout)
    assert (told["replayed"], told["looked_up"], told["differing"]) == (50, 50, 0)
    assert told["not_replayed"] == {"the fallback answered (unknown_entity)": 1}
    assert bad.returncode == 4
    assert f"{line['id']}: score was" in bad.stderr


def test_a_running_server_takes_the_next_generation_and_refuses_a_damaged_one(shop: Path, tmp_path: Path):
    folder = world.copy_workspace(shop, tmp_path / "workspace")
    online = folder / ".mlctl/shop/online"
    first = json.loads((online / "current.json").read_text())["id"]
    as_of = json.loads((online / first / "manifest.json").read_text())["as_of"]
    earlier = f"{int(as_of[:4]) - 1}{as_of[4:10]}"
    again = world.mlctl(folder, "materialize", "shop")
    assert "already" in again.stderr
    with served.serve(folder) as server:
        made = world.mlctl(folder, "materialize", "shop", "--as-of", earlier, "--json")
        assert made.returncode == 0, made.stderr
        second = json.loads(made.stdout)["id"]
        server.said(f"generation {second}")

        rows = online / first / "features.arrow"
        rows.write_bytes(rows.read_bytes()[:-100])
        (online / "current.json").write_text(json.dumps({"format_version": "1.0", "id": first}))
        server.said("the new online store is not taken")
        key = {"entities": {"customer_id": ["c1"]}}

        assert server.post("/get-online-features", key)["metadata"]["generation"] == second


def test_who_cannot_have_moved_is_not_computed_again_and_the_files_are_those_of_a_full_computation(
    shop: Path, tmp_path: Path
):
    folder = world.copy_workspace(shop, tmp_path / "workspace")
    as_of = json.loads(world.mlctl(folder, "materialize", "shop", "--json").stdout)["as_of"]
    day_before = (datetime.fromisoformat(as_of) - timedelta(days=1)).date().isoformat()
    world.mlctl(folder, "materialize", "shop", "--full", "--as-of", day_before)

    made = json.loads(world.mlctl(folder, "materialize", "shop", "--json").stdout)
    files = {path.name: path.read_bytes() for path in (folder / ".mlctl/shop/online" / made["id"]).iterdir()}
    full = json.loads(world.mlctl(folder, "materialize", "shop", "--full", "--json").stdout)

    assert 0 < made["computed"] < full["computed"] / 2
    assert full["computed"] == full["rows"]
    assert {path.name: path.read_bytes() for path in (folder / ".mlctl/shop/online" / full["id"]).iterdir()} == files


def test_servers_on_other_machines_fetch_the_store_from_the_database(workspace: Path):
    made = json.loads(world.mlctl(workspace, "materialize", "shop", "--database", "put", "--json").stdout)
    online = workspace / ".mlctl/shop/online"
    before = {path.name: path.read_bytes() for path in (online / made["id"]).iterdir()}
    shutil.rmtree(online)

    fetched = world.mlctl(workspace, "materialize", "shop", "--database", "get", "--json")

    assert json.loads(fetched.stdout)["id"] == made["id"], fetched.stderr
    assert {path.name: path.read_bytes() for path in (online / made["id"]).iterdir()} == before
    assert "was here already" in world.mlctl(workspace, "materialize", "shop", "--database", "get").stderr


@pytest.mark.parametrize("words", [("--as-of", "2099-01-01"), ("--as-of", "soon")])
def test_a_moment_that_is_none_is_refused_and_the_store_stays(shop: Path, words: tuple[str, ...]):
    before = (shop / ".mlctl/shop/online/current.json").read_bytes()

    done = world.mlctl(shop, "materialize", "shop", *words)

    assert done.returncode == 2
    assert (shop / ".mlctl/shop/online/current.json").read_bytes() == before
