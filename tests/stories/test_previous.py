"""Where the model is not sure, the release that was live before decides: sealed into the new one, in batch and HTTP alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest

from mlctl.errors import IntegrityError
from mlctl.release import Release, open_release
from mlctl.server.answers import Answerer
from tests import served, world

DECIDE = "decide: {evidence: orders_365d, min_evidence: 2, min_confidence: 0.8, fallback: ask, fallback_by: previous}"


@pytest.fixture(scope="module")
def shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first release is the champion; the second is a plainer model, asked about fewer, that is seldom sure."""
    shop = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("previous") / "workspace")
    assert world.mlctl(shop, "promote", "shop").returncode == 0
    project = shop / "projects/shop/project.yaml"
    world.replace(project, "model: {kind: xgboost, trees: 30, depth: 3}", "model: {kind: logistic, adopt: always}")
    world.replace(project, "decide: {evidence: orders_365d}", DECIDE)
    world.commit(shop, "a second model")
    done = world.mlctl(shop, "run", "shop")
    assert done.returncode == 0, done.stderr
    assert "decides, which was live before" in done.stderr
    return shop


@pytest.fixture(scope="module")
def first(shop: Path) -> Release:
    flag = json.loads((shop / "projects/shop/rollout.flagd.json").read_text())["flags"]["shop"]
    return open_release(shop / "projects/shop/releases" / flag["variants"]["champion"], "")


@pytest.fixture(scope="module")
def second(shop: Path) -> Release:
    return open_release(shop / ".mlctl/shop/release", "")


def test_the_row_says_who_decided(shop: Path, first: Release, second: Release):
    rows = pl.concat(
        [pl.read_parquet(shop / f".mlctl/shop/features/{name}.parquet") for name in ("test", "cold")], how="diagonal"
    )
    before, own = first.score(rows), second.score(rows)
    known, once = (rows["orders_365d"] >= 2).to_numpy(), (rows["orders_365d"] >= 1).to_numpy()
    sure = np.maximum(own, 1 - own) >= 0.8
    by = np.select([known & sure, known, once], ["model", "previous", "cold_previous"], "cold_start")
    prior = second.manifest["prior"]

    told = second.decide(rows)

    assert told["reason"].to_list() == by.tolist()
    assert {"model", "previous", "cold_previous", "cold_start"} == set(by)
    said = {"model": own >= 0.5, "previous": before >= 0.5, "cold_previous": before >= 0.5}
    for row, reason in enumerate(by):
        wanted = "ask" if reason == "cold_start" else ("yes" if said[reason][row] else "no")
        score = {"cold_previous": before[row], "cold_start": prior}.get(reason, own[row])
        assert (told["decision"][row], told["score"][row]) == (wanted, score)
        assert told["confidence"][row] == max(score, 1 - score)
    assert second.decide(rows[5:6]).equals(told[5:6])


def test_the_evaluation_shows_what_it_is_worth_there(shop: Path, first: Release):
    evaluation = json.loads((shop / ".mlctl/shop/evaluation/report.json").read_text())
    fallback, cold = evaluation["cohorts"]["fallback"], evaluation["cohorts"]["cold_start"]

    assert evaluation["previous"] == first.id
    assert first.id in fallback["condition"] and first.id in cold["condition"]
    assert set(fallback["models"]) == {"logistic", "unsure"}
    apart = fallback["models"]["unsure"]["roc_auc"]["own_minus_this"]
    own, unsure = (fallback["models"][name]["roc_auc"]["value"] for name in ("logistic", "unsure"))
    assert apart["low"] <= own - unsure <= apart["high"]
    # the prior ranks nobody
    assert cold["models"]["logistic"]["roc_auc"]["value"] > 0.5


def test_it_serves_as_it_scores_without_the_champion(shop: Path, tmp_path: Path, second: Release):
    flag = shop / "projects/shop/rollout.flagd.json"
    flag.rename(tmp_path / flag.name)
    try:
        # where nobody is champion, the sealed release scores and answers
        assert world.mlctl(shop, "score", "shop").returncode == 0
        columns = "customer_id, score, decision, reason, confidence"
        lines = world.psql(shop, f"select {columns} from shop_scores order by customer_id").splitlines()
        batch = {line.split("|")[0]: line.split("|")[1:] for line in lines}
        assert {reason for _, _, reason, _ in batch.values()} >= {"model", "previous", "cold_previous"}
        assert world.mlctl(shop, "materialize", "shop").returncode == 0
        with served.serve(shop) as server:
            answers = server.post("/predict", [{"customer_id": key} for key in batch])
    finally:
        (tmp_path / flag.name).rename(flag)

    for key, answer in zip(batch, answers, strict=True):
        score, decision, reason, confidence = batch[key]
        assert (answer["decision"], answer["reason"], answer["release"]) == (decision, reason, second.id)
        assert (answer["score"], answer["confidence"]) == (float(score), float(confidence))


def test_where_the_model_fails_or_is_too_late_it_scores_and_decides_in_batch_and_server_alike(
    shop: Path, first: Release, second: Release
):
    sealed = Answerer.open(shop / ".mlctl/shop/release", "shop", "")
    failing = replace(sealed, release=replace(second, onnx=without_numbers(second.onnx)))
    rows = [row for row in sealed.examples if (row["orders_365d"] or 0) >= 2]
    table = sealed.inputs.table(rows)
    before = first.decide(table).to_dicts()
    told: list[str] = []

    batch = failing.release.decide(table).to_dicts()
    server = failing.answers_or_fallback(rows, told.append)
    late = sealed.late(rows, told.append)

    assert told == []
    assert [{name: row[name] for name in batch[0]} for row in server] == batch
    for reason, answers in (("error_previous", server), ("timeout_previous", late)):
        for answer, was in zip(answers, before, strict=True):
            assert answer == {**was, "reason": reason, "release": second.id, "variant": "champion"}


def without_numbers(graph: bytes) -> bytes:
    """A graph that has lost what it has learnt: every number in it is none."""
    broken = onnx.load_from_string(graph)
    for tensor in broken.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.nan, tensor.name))
    return broken.SerializeToString()


def test_a_changed_byte_of_it_is_refused(shop: Path, tmp_path: Path):
    folder = world.copy_workspace(shop, tmp_path / "workspace") / ".mlctl/shop/release"
    for name in ("previous.onnx", "previous.json"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(IntegrityError, match="again"):
            open_release(folder, "again")
        (folder / name).write_bytes(data)
    (folder / "previous.encoding.json").unlink()
    with pytest.raises(IntegrityError, match=r"previous\.encoding\.json is missing"):
        open_release(folder, "again")


def test_promoted_and_made_again_it_is_the_same_release_and_can_be_reproduced(
    shop: Path, tmp_path: Path, second: Release
):
    again = world.copy_workspace(shop, tmp_path / "workspace")
    world.commit(again, "outputs")
    built = world.mlctl(again, "reproduce", "shop", "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["again"] == second.id

    promoted = json.loads(world.mlctl(again, "promote", "shop", "--json").stdout)
    for stage in ("compose", "evaluate", "gate", "package"):
        assert world.mlctl(again, stage, "shop").returncode == 0

    assert promoted["release"] == second.id
    assert open_release(again / ".mlctl/shop/release", "").id == second.id


def test_a_feature_that_it_reads_and_nobody_computes_any_more_is_refused(shop: Path, tmp_path: Path, first: Release):
    other = world.copy_workspace(shop, tmp_path / "workspace")
    world.replace(other / "projects/shop/project.yaml", "windows: [30d, 90d, 365d]", "windows: [90d, 365d]")

    assert world.mlctl(other, "compose", "shop").returncode == 0
    done = world.mlctl(other, "evaluate", "shop")

    assert done.returncode == 2
    assert f"release {first.id} was live before, and it reads orders_30d" in done.stderr
    assert "decide.fallback_by: word" in done.stderr


def test_the_first_release_has_none_before_it(workspace: Path):
    words = "decide: {evidence: orders_365d, fallback: ask, fallback_by: previous}"
    world.replace(workspace / "projects/shop/project.yaml", "decide: {evidence: orders_365d}", words)
    assert world.mlctl(workspace, "compose", "shop").returncode == 0

    done = world.mlctl(workspace, "evaluate", "shop")
    for stage in ("gate", "package"):
        assert world.mlctl(workspace, stage, "shop").returncode == 0

    assert "no other release was live before; 'ask' is decided in its place" in done.stderr
    assert open_release(workspace / ".mlctl/shop/release", "").previous is None
