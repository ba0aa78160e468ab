"""The Open Inference Protocol, spoken by somebody else's client and by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests import served

NUMPY = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}


@pytest.fixture(scope="module")
def client(server: served.Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


@pytest.fixture(scope="module")
def rows(served_shop: Path) -> pl.DataFrame:
    return served.rows_of(served_shop).drop_nulls().head(9)


def tensors(client: triton.InferenceServerClient, rows: pl.DataFrame, binary: bool) -> list[triton.InferInput]:
    made = []
    for said in client.get_model_metadata("shop")["inputs"]:
        tensor = triton.InferInput(said["name"], [rows.height], said["datatype"])
        tensor.set_data_from_numpy(rows[said["name"]].to_numpy().astype(NUMPY[said["datatype"]]), binary_data=binary)
        made.append(tensor)
    return made


def test_the_server_and_its_model_are_told(client, release):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shop")
    assert client.is_model_ready("shop", release.id)
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    told = client.get_model_metadata("shop")
    assert told["versions"] == [release.id]
    assert {output["name"] for output in told["outputs"]} >= {"score", "decision", "reason", "confidence"}


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("got", [True, False])
def test_a_real_client_gets_the_batch_s_answers_in_json_and_in_bytes(client, release, rows, sent, got):
    wanted = release.decide(rows)
    outputs = [triton.InferRequestedOutput(name, binary_data=got) for name in wanted.columns]

    told = client.infer("shop", tensors(client, rows, sent), request_id="r-7", outputs=outputs)

    assert told.get_response()["id"] == "r-7"
    assert told.as_numpy("score").tolist() == wanted["score"].to_list()
    assert told.as_numpy("confidence").tolist() == wanted["confidence"].to_list()
    decisions = [text.decode() if isinstance(text, bytes) else text for text in told.as_numpy("decision").tolist()]
    assert decisions == wanted["decision"].to_list()


def test_a_release_may_be_named_and_another_is_not_here(client, release, rows):
    assert client.infer("shop", tensors(client, rows, True), model_version=release.id).as_numpy("score") is not None

    with pytest.raises(InferenceServerException, match=release.id):
        client.infer("shop", tensors(client, rows, True), model_version="1")


def whole(rows: pl.DataFrame) -> dict:
    kinds = {pl.String: "BYTES", pl.Boolean: "BOOL"}
    return {
        "inputs": [
            {
                "name": name,
                "datatype": kinds.get(rows.schema[name], "FP64"),
                "shape": [rows.height],
                "data": rows[name].to_list(),
            }
            for name in rows.columns
        ]
    }


def test_a_missing_value_is_null_in_json_and_nan_in_bytes(server, release, rows):
    one = rows.head(1).with_columns(pl.lit(None, pl.Float64).alias("spend"))
    wanted = release.decide(one)["score"].to_list()
    by_json = whole(one)
    in_bytes = json.loads(json.dumps(by_json))
    spent = next(tensor for tensor in in_bytes["inputs"] if tensor["name"] == "spend")
    del spent["data"]
    spent["parameters"] = {"binary_data_size": 8}
    head = json.dumps(in_bytes).encode()

    told = server.post("/v2/models/shop/infer", by_json)
    status, again, _ = server.ask(
        "POST",
        "/v2/models/shop/infer",
        head + struct.pack("<d", float("nan")),
        Inference_Header_Content_Length=str(len(head)),
    )

    for answer in (told, again):
        assert answer["outputs"][0]["data"] == wanted
    assert status == 200


def without(body: dict, name: str) -> dict:
    return {"inputs": [tensor for tensor in body["inputs"] if tensor["name"] != name]}


def changed(body: dict, **changes: object) -> dict:
    first, *rest = body["inputs"]
    return {"inputs": [{**first, **changes}, *rest]}


BAD = {
    "no inputs": lambda body: {},
    "inputs no array": lambda body: {"inputs": {}},
    "an input missing": lambda body: without(body, "plan"),
    "an input twice": lambda body: {"inputs": [*body["inputs"], body["inputs"][0]]},
    "an unknown input": lambda body: changed(body, name="order_30d"),
    "a shape too deep": lambda body: changed(body, shape=[3, 3, 3]),
    "a shape below 0": lambda body: changed(body, shape=[-1]),
    "no shape": lambda body: changed(body, shape=None),
    "too few values": lambda body: changed(body, data=[1.0]),
    "a text for a number": lambda body: changed(body, data=["x"] * 9),
    "an array for a number": lambda body: changed(body, data=[[1, 2]] * 9),
    "a true for a number": lambda body: changed(body, data=[True] * 9),
    "an output that is not there": lambda body: {**body, "outputs": [{"name": "label"}]},
    "an output without name": lambda body: {**body, "outputs": [7]},
    "an id that is no text": lambda body: {**body, "id": 5},
    "bytes that are not there": lambda body: changed(body, data=None, parameters={"binary_data_size": 72}),
    "parameters no object": lambda body: {**body, "parameters": [1]},
}


@pytest.mark.parametrize("fault", BAD)
def test_a_wrong_request_is_refused_with_the_reason(server, rows, fault):
    status, told, _ = server.ask("POST", "/v2/models/shop/infer", BAD[fault](whole(rows)))

    assert status in (400, 422)
    assert len(told["error"]) > 10


@pytest.mark.parametrize("header", ["-1", "x", "999999999", "1" * 400, "3"])
def test_a_frame_that_lies_is_refused(server, rows, header):
    body = json.dumps(whole(rows)).encode()

    assert server.ask("POST", "/v2/models/shop/infer", body, Inference_Header_Content_Length=header)[0] == 400


@pytest.mark.parametrize(
    "data", [b"\x01", b"\xff\xff\xff\xff", b"\x02\0\0\0\xff\xfe", b"\x01\0\0\0a" * 3, b""], ids=repr
)
def test_texts_in_bytes_that_are_broken_are_refused(server, rows, data):
    body = without(whole(rows), "plan")
    plan = {"name": "plan", "datatype": "BYTES", "shape": [9], "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [*body["inputs"], plan]}).encode()

    found = server.ask("POST", "/v2/models/shop/infer", head + data, Inference_Header_Content_Length=str(len(head)))

    assert found[0] == 422
    assert "inputs[" in found[1]["error"]
