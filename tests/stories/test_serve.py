"""A release answers over HTTP as it does in a batch; what cannot be answered is told by field, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlctl.server import prediction_log
from tests import challengers, served, world


@pytest.fixture(scope="module")
def rows(served_shop: Path) -> pl.DataFrame:
    return served.rows_of(served_shop)


def metric(server: served.Server, name: str, **labels: str) -> float:
    text = server.ask("GET", "/metrics")[1].decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def test_the_answers_are_those_of_the_batch_to_the_bit(server, release, rows):
    wanted = release.decide(rows).to_dicts()

    together = server.post("/predict", rows.to_dicts())
    alone = [server.post("/predict", row) for row in rows.head(20).to_dicts()]

    for answers in (together, alone):
        for want, got in zip(wanted, answers, strict=False):
            assert {name: got[name] for name in want} == want
            assert (got["release"], got["variant"]) == (release.id, "champion")
    assert len(together) == rows.height
    assert len({answer["id"] for answer in together + alone}) == rows.height + 20


def test_a_row_says_why_and_whose(server, rows):
    row = {**rows.to_dicts()[0], "customer_id": "c7"}

    status, told, _ = server.ask("POST", "/predict", row, x_request_id="order-81")
    assert status == 200
    assert told["id"] == "order-81"
    why = server.post("/explain", row)

    assert {"score", "decision", "reason", "confidence", "release", "variant"} < told.keys()
    assert why["score"] == told["score"]
    assert {"feature", "adds"} == why["contributions"][0].keys()


BAD = [
    (b"", 400, None),
    (b"{", 400, None),
    (b"[" * 100_000, 400, None),
    (b'{"orders_30d": 1e400}', 400, None),
    (b"\xff\xfe", 400, None),
    ("text", 400, None),
    ([], 422, None),
    ([[]], 422, "[0]"),
    ({}, 422, "days_since_order"),
    ({"orders_30d": "3"}, 422, "orders_30d"),
    ({"orders_30d": True}, 422, "orders_30d"),
    ({"plan": 5}, 422, "plan"),
    ({"order_30d": 1}, 422, "order_30d"),
    ({"customer_id": [1]}, 422, "customer_id"),
]


@pytest.mark.parametrize(("change", "status", "field"), BAD)
def test_what_cannot_be_answered_is_told_by_field(server, rows, change, status, field):
    body = {**rows.to_dicts()[0], **change} if isinstance(change, dict) and change else change

    found, told, _ = server.ask("POST", "/predict", body)

    assert found == status
    assert told.get("field") == field
    assert told["error"]


def test_a_misspelt_feature_is_told_with_the_right_one(server, rows):
    row = rows.to_dicts()[0]
    row["plann"] = row.pop("plan")

    assert "plan" in server.ask("POST", "/predict", row)[1]["error"]


def test_limits_and_routes(server, rows):
    row = rows.to_dicts()[0]

    assert server.ask("POST", "/predict", [row] * 1001)[0] == 413
    assert server.ask("POST", "/predict", b" " * (2**20 + 1))[0] == 413
    assert server.ask("POST", "/predict", row, content_encoding="gzip")[0] == 415
    assert server.ask("GET", "/predict")[0] == 405
    assert server.ask("POST", "/metrics")[0] == 405
    assert server.ask("GET", "/nothing")[0] == 404
    assert server.ask("GET", "/v2/models/other")[0] == 404
    assert server.ask("GET", "/v2/health/live")[:2] == (200, {"live": True})
    assert server.ask("GET", "/v2/health/ready")[:2] == (200, {"ready": True})
    assert b"<h2>Ask</h2>" in server.ask("GET", "/docs")[1]


def test_requests_and_answers_are_counted(server, rows, release):
    before = metric(server, "mlctl_predictions_total", release=release.id)
    refused = metric(server, "mlctl_requests_total", code="422")

    server.post("/predict", rows.head(7).to_dicts())
    server.ask("POST", "/predict", {})

    assert metric(server, "mlctl_predictions_total", release=release.id) == before + 7
    assert metric(server, "mlctl_requests_total", code="422") == refused + 1
    assert metric(server, "mlctl_release_info", release=release.id) == 1


def test_a_route_that_a_client_made_up_has_no_counter_of_its_own(server, release):
    for path in ("/v2/health/made_up", "/v2/models/shop_made_up", "/v2/models/shop/versions/made_up", "/made_up"):
        assert server.ask("GET", path)[0] == 404
    assert server.ask("GET", f"/v2/models/shop/versions/{release.id}/ready")[0] == 200

    text = server.ask("GET", "/metrics")[1].decode()

    assert "made_up" not in text
    assert 'route="/v2/models/shop/versions"' in text


def test_every_answer_is_written_down_before_it_goes_out(server, served_shop, rows):
    row = {**rows.to_dicts()[3], "customer_id": "c42"}

    told = server.post("/predict", row)

    (line,) = [
        line for line in prediction_log.read(served_shop / ".mlctl/shop/predictions") if line["id"] == told["id"]
    ]
    assert line["customer_id"] == "c42"
    assert {name: line[name] for name in told} == told
    assert "inputs" not in line


def test_an_address_in_use_and_a_missing_or_damaged_release_are_told(server, served_shop, tmp_path):
    taken = world.mlctl(served_shop, "serve", "shop", "--port", str(server.port))
    assert taken.returncode == 7
    assert "--port" in taken.stderr

    none = world.mlctl(served_shop, "serve", "shop", "--release", str(tmp_path / "none"))
    assert none.returncode == 6

    damaged = shutil.copytree(served_shop / ".mlctl/shop/release", tmp_path / "damaged")
    graph = bytearray((damaged / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (damaged / "model.onnx").write_bytes(graph)
    refused = world.mlctl(served_shop, "serve", "shop", "--release", str(damaged))
    assert refused.returncode == 6
    assert "model.onnx" in refused.stderr


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_a_release_of_another_project_answers_nobody_wherever_it_lies(workspace, tmp_path, words):
    own, elsewhere = workspace / ".mlctl/shop/release", tmp_path / "release"
    identity = challengers.made(own, elsewhere, card="of prices\n", project="prices")
    kept = workspace / "projects/shop/releases" / identity
    shutil.copytree(elsewhere, kept)
    told = {"project": "prices", "number": 1, "release": identity, "registered_at": "", "by": "", "facts": {}}
    kept.with_suffix(".json").write_text(json.dumps(told))
    shutil.rmtree(own)
    shutil.copytree(elsewhere, own)

    named = ["shop", "--release", str(elsewhere)]
    for asked in (named, ["shop"], [f"shop/{identity}"]):
        refused = world.mlctl(workspace, "serve", *asked, "--port", "0", *words)

        assert refused.returncode == 6, refused.stderr
        assert "is of another lineage" in refused.stderr
        assert "it is a release of projects/prices, and a release of projects/shop belongs here" in refused.stderr
        assert "next:" in refused.stderr
        assert "answers on" not in refused.stderr


@pytest.mark.parametrize("anew", [False, True])
def test_sigterm_under_load_loses_no_request(workspace, rows, anew):
    with served.serve(workspace) as server, served.Load(server.port, rows.to_dicts()[0], anew=anew) as load:
        load.reached(200)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=20)

    assert load.lost == []
    assert server.process.returncode == 0
    written = [line["id"] for line in prediction_log.read(workspace / ".mlctl/shop/predictions")]
    assert sorted(written) == sorted(answer["id"] for answer in load.answers)


def test_kill_9_under_load_loses_no_line_of_the_log(workspace, rows):
    with served.serve(workspace) as server, served.Load(server.port, rows.to_dicts()[0]) as load:
        load.reached(200)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()

    written = {line["id"] for line in prediction_log.read(workspace / ".mlctl/shop/predictions")}
    assert {answer["id"] for answer in load.answers} <= written


def test_a_new_release_takes_over_between_requests_and_a_bad_one_does_not(workspace, rows):
    folder = workspace / ".mlctl/shop/release"
    first = json.loads((folder / "manifest.json").read_text())["id"]
    with served.serve(workspace) as server, served.Load(server.port, rows.to_dicts()[0]) as load:
        load.reached(50)
        made = world.mlctl(workspace, "run", "shop", "model=logistic", "model.adopt=always")
        assert made.returncode == 0, made.stderr
        second = json.loads((folder / "manifest.json").read_text())["id"]
        assert server.said("takes over").split()[1] == second
        load.reached(len(load.answers) + 50)
        card = (folder / "card.md").read_text()
        (folder / "card.md").write_text(card + "better than ever\n")
        os.utime(folder / "manifest.json")
        assert second in server.said("is not taken")
        load.reached(len(load.answers) + 50)
        (folder / "card.md").write_text(card)
        # whole, and as new to the server as any other, but another project's
        challengers.made(folder, folder, card="of prices\n", project="prices")
        told = server.said("is of another lineage")
        assert f"is not taken, {second} goes on answering" in told
        assert "a release of projects/prices" in told
        load.reached(len(load.answers) + 50)
        assert metric(server, "mlctl_releases_refused_total") == 2

    assert load.lost == []
    seen = list(dict.fromkeys(answer["release"] for answer in load.answers))
    assert seen == [first, second]


def test_several_workers_share_the_port_and_a_dead_one_is_followed(workspace, rows):
    row = rows.to_dicts()[0]
    with served.serve(workspace, "--workers", "2") as server:
        server.said("answers on")
        alive = [int(pid) for pid, words in world.at_work(workspace).items() if "--workers" not in words]
        assert len(alive) == 2
        for _ in range(20):
            server.post("/predict", row)
        assert metric(server, "mlctl_predictions_total") == 20
        os.kill(alive[0], signal.SIGKILL)
        assert "another begins" in server.said(f"worker {alive[0]} ended")
        server.said("answers on")
        assert server.post("/predict", row)["decision"]
    assert world.at_work(workspace) == {}


@pytest.fixture(scope="module")
def tight(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Server]:
    """A server with narrow limits."""
    workspace = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("tight") / "workspace")
    path = workspace / "projects/shop/project.yaml"
    limits = "body_timeout_ms: 200, queue_rows: 1, batch_rows: 1"
    path.write_text(path.read_text() + f"serving: {{kind: http, {limits}}}\n")
    assert world.mlctl(workspace, "run", "shop").returncode == 0
    with served.serve(workspace) as server:
        yield server


def test_a_body_that_does_not_come_is_refused_and_others_are_answered(tight, rows):
    slow = socket.create_connection(("127.0.0.1", tight.port))
    slow.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    started = time.monotonic()
    tight.post("/predict", rows.to_dicts()[0])
    assert time.monotonic() - started < 0.2
    assert slow.recv(100).startswith(b"HTTP/1.1 408")
    slow.close()


def test_who_comes_to_a_full_queue_is_refused_at_once_and_counted(tight, rows):
    body = json.dumps(rows.to_dicts()[0])
    before = metric(tight, "mlctl_requests_total", route="/predict", code="503")
    statuses: list[int] = []
    clients = [http.client.HTTPConnection("127.0.0.1", tight.port, timeout=served.MOST_S) for _ in range(64)]
    for _ in range(20):
        for client in clients:
            client.request("POST", "/predict", body)
        for client in clients:
            answer = client.getresponse()
            told = json.loads(answer.read())
            statuses.append(answer.status)
            if answer.status != 200:
                assert answer.getheader("retry-after") == "1"
                assert told == {"error": "too many requests wait already"}
    for client in clients:
        client.close()
    refused = statuses.count(503)

    assert set(statuses) == {200, 503}
    assert metric(tight, "mlctl_requests_total", route="/predict", code="503") - before == refused
    # of those some were refused by their bytes alone, which is no answer's time
    timed = metric(tight, "mlctl_request_duration_seconds_count", route="/predict")
    assert timed < metric(tight, "mlctl_requests_total", route="/predict")


def test_what_the_openapi_says_is_true_and_no_request_made_from_it_breaks_the_server(server):
    url = f"http://127.0.0.1:{server.port}"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    program = Path(sys.executable).parent / "schemathesis"
    words = [str(program), "--no-color", "run", f"{url}/openapi.json", "--checks", checks, "--max-examples", "40"]
    phases = ["--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--seed", "7"]

    done = subprocess.run([*words, *phases], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]
    assert metric(server, "mlctl_requests_total", code="500") == 0
