"""Texts are read by an encoder of one's own: its files are part of the release, which answers without the folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from mlctl.release import open_release
from tests import encoders, served, world

PROJECT = """\
name: desk
entity: {key: ticket}
sources: {tickets: {kind: csv, path: tickets.csv}}
features: {message: {kind: lookup, source: tickets, column: text}}
encoding: {embeddings: {message: {encoder: encoder}}}
label: {kind: lookup, source: tickets, column: team, task: multiclass}
split: {kind: stratified}
model: {kind: logistic}
gate: {right_team: {metric: accuracy, min: 0.9}}
serving: {kind: http}
"""
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
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = world.make_workspace(tmp_path_factory.mktemp("desk") / "w", PROJECT, "desk")
    encoders.write(folder / "encoder", VECTORS)
    words = list(TEAMS)
    lines = [f"t{n},my {words[n % 5]} number {n % 13} {words[n % 5]},{TEAMS[words[n % 5]]}" for n in range(400)]
    (folder / "tickets.csv").write_text("\n".join(["ticket,text,team", *lines]) + "\n")
    world.mlctl(folder, "run", "desk")
    return folder


def test_the_release_holds_the_encoder_and_answers_over_http_without_its_folder(desk):
    release = desk / ".mlctl/desk/release"
    sealed = json.loads((release / "encoding.json").read_text())["features"][0]["encoder"]
    held = [name for name in json.loads((release / "manifest.json").read_text())["files"] if "encoder" in name]
    assert held == [f"encoder-{sealed['id']}.onnx", f"encoder-{sealed['id']}.tokenizer.json"]
    shutil.move(desk / "encoder", desk / "moved")

    with served.serve(desk, name="desk") as server:
        alone = [server.post("/predict", {"message": f"my {word} number 5 {word}"}) for word in TEAMS]
        together = server.post("/predict", [{"message": f"my {word} number 5 {word}"} for word in TEAMS])
        assert server.post("/predict", {"message": None})["reason"]
        why = server.post("/explain", {"message": "my refund"})

    shutil.move(desk / "moved", desk / "encoder")
    assert [told["decision"] for told in alone] == list(TEAMS.values())
    assert [told["score"] for told in alone] == [told["score"] for told in together]
    assert [part["feature"] for part in why["contributions"]] == ["message"]
    offline = open_release(release, "").decide(
        pl.DataFrame({"message": [f"my {word} number 5 {word}" for word in TEAMS]})
    )
    assert offline["score"].to_list() == [told["score"] for told in alone]


def test_another_encoder_is_another_model(desk):
    params = desk / "projects/desk/params.yaml"
    before = params.read_text()

    encoders.write(desk / "encoder", {**VECTORS, "login": [0.0, 0.0, 2.0, 0.0]})
    world.mlctl(desk, "compose", "desk")

    changed = [line for line in params.read_text().splitlines() if line not in before.splitlines()]
    assert [line.split(":")[0].strip() for line in changed] == ["id"]


def test_who_has_no_encoder_hears_how_to_fetch_one(desk):
    shutil.rmtree(desk / "encoder")

    told = world.mlctl(desk, "compose", "desk")

    assert told.returncode == 2
    assert "encoding.embeddings.message.encoder" in told.stderr
    assert "hf download" in told.stderr
