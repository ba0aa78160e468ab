"""Texts are read by an encoder of one's own: its files are part of the release, which answers without the folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from mlctl.release import open_release
from tests import desk, encoders, exported, served, world

TEAMS = {"parcel": "delivery", "courier": "delivery", "invoice": "billing", "refund": "billing", "login": "account"}
VECTORS = {
    "?": [0.0, 0.0, 0.0, 1.0],
    "parcel": [1.0, 0.1, 0.0, 0.0],
    "courier": [0.9, 0.0, 0.1, 0.0],
    "invoice": [0.0, 1.0, 0.1, 0.0],
    "refund": [0.1, 0.9, 0.0, 0.0],
    "login": [0.0, 0.0, 1.0, 0.0],
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return desk.make(tmp_path_factory.mktemp("desk") / "w", VECTORS, TEAMS)


def test_the_release_holds_the_encoder_and_answers_over_http_without_its_folder(workspace):
    release = workspace / ".mlctl/desk/release"
    sealed = json.loads((release / "encoding.json").read_text())["features"][0]["encoder"]
    held = [name for name in json.loads((release / "manifest.json").read_text())["files"] if "encoder" in name]
    assert held == [f"encoder-{sealed['id']}.onnx", f"encoder-{sealed['id']}.tokenizer.json"]
    shutil.move(workspace / "encoder", workspace / "moved")

    with served.serve(workspace, name="desk") as server:
        alone = [server.post("/predict", {"message": f"my {word} number 5 {word}"}) for word in TEAMS]
        together = server.post("/predict", [{"message": f"my {word} number 5 {word}"} for word in TEAMS])
        assert server.post("/predict", {"message": None})["reason"]
        why = server.post("/explain", {"message": "my refund"})

    assert world.mlctl(workspace, "export", "docker", "desk").returncode == 0
    with exported.serve(workspace / "deploy/desk/docker") as image:
        away = [image.post("/predict", {"message": f"my {word} number 5 {word}"})["score"] for word in TEAMS]
    shutil.move(workspace / "moved", workspace / "encoder")
    assert away == [told["score"] for told in alone]
    assert "tokenizers" in exported.listed(workspace / "deploy/desk/docker")
    assert [told["decision"] for told in alone] == list(TEAMS.values())
    assert [told["score"] for told in alone] == [told["score"] for told in together]
    assert [part["feature"] for part in why["contributions"]] == ["message"]
    offline = open_release(release, "").decide(
        pl.DataFrame({"message": [f"my {word} number 5 {word}" for word in TEAMS]})
    )
    assert offline["score"].to_list() == [told["score"] for told in alone]


def test_another_encoder_is_another_model(workspace):
    params = workspace / "projects/desk/params.yaml"
    before = params.read_text()

    encoders.write(workspace / "encoder", {**VECTORS, "login": [0.0, 0.0, 2.0, 0.0]})
    world.mlctl(workspace, "compose", "desk")

    changed = [line for line in params.read_text().splitlines() if line not in before.splitlines()]
    assert [line.split(":")[0].strip() for line in changed] == ["id"]


def test_who_has_no_encoder_hears_how_to_fetch_one(workspace):
    shutil.rmtree(workspace / "encoder")

    told = world.mlctl(workspace, "compose", "desk")

    assert told.returncode == 2
    assert "encoding.embeddings.message.encoder" in told.stderr
    assert "hf download" in told.stderr
