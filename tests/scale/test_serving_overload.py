"""What is answered when more is asked than can be: by an encoder that takes milliseconds a text, at 2 and 10 times its peak.

Requests come at a rate, whatever becomes of those before them, on connections that are kept. Run it by

    pytest -m scale tests/scale/test_serving_overload.py -s

The figures of a run stand in .github/docs/serving.md.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from tests import encoders, served, world

pytestmark = pytest.mark.scale

PROJECT = """\
name: desk
entity: {key: ticket}
sources: {tickets: {kind: csv, path: tickets.csv}}
features: {message: {kind: lookup, source: tickets, column: text}}
encoding: {embeddings: {message: {encoder: encoder}}}
label: {kind: lookup, source: tickets, column: team, task: multiclass}
split: {kind: stratified}
model: {kind: logistic}
serving: {kind: http, queue_rows: 64, log: none}
"""
WORDS = {
    word: np.random.default_rng(place).normal(size=256).tolist()
    for place, word in enumerate(("?", "parcel", "invoice"))
}
LAYERS, SECONDS = 60, 6.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Server]:
    folder = world.make_workspace(tmp_path_factory.mktemp("desk") / "w", PROJECT, "desk")
    slow(encoders.write(folder / "encoder", WORDS))
    lines = [f"t{n},{('parcel', 'invoice')[n % 2]} {n % 7},{('a', 'b')[n % 2]}" for n in range(200)]
    (folder / "tickets.csv").write_text("\n".join(["ticket,text,team", *lines]) + "\n")
    made = world.mlctl(folder, "run", "desk")
    assert made.returncode == 0, made.stderr
    with served.serve(folder, name="desk") as running:
        yield running


def slow(folder: Path) -> None:
    """Gives the encoder as many products as a small transformer has."""
    draw, size = np.random.default_rng(7), 256
    inner = (draw.normal(size=(size, 4 * size)) / 16).astype(np.float32)
    outer = (draw.normal(size=(4 * size, size)) / 32).astype(np.float32)
    table = np.array(list(WORDS.values()), dtype=np.float32)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["x0"])]
    for layer in range(LAYERS):
        nodes.append(helper.make_node("MatMul", [f"x{layer}", "inner"], [f"h{layer}"]))
        nodes.append(helper.make_node("Tanh", [f"h{layer}"], [f"t{layer}"]))
        nodes.append(helper.make_node("MatMul", [f"t{layer}", "outer"], [f"x{layer + 1}"]))
    nodes.append(helper.make_node("Identity", [f"x{LAYERS}"], ["last_hidden_state"]))
    given = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    told = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", size])
    learnt = [
        numpy_helper.from_array(array, name) for name, array in (("table", table), ("inner", inner), ("outer", outer))
    ]
    graph = helper.make_graph(nodes, "slow", [given], [told], learnt)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), folder / "model.onnx")


class Client:
    """Requests on connections that are kept, each text another one."""

    def __init__(self, port: int) -> None:
        self._port, self._free, self._sent = port, [], 0  # type: ignore[var-annotated]
        self.seen: list[tuple[int, float]] = []

    async def ask(self) -> None:
        self._sent += 1
        body = json.dumps({"message": f"parcel {'invoice ' * (self._sent % 5)}{self._sent}"}).encode()
        began = time.perf_counter()
        if self._free:
            reader, writer = self._free.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            began = time.perf_counter()
        writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        told = json.loads(await reader.readexactly(length))
        status = int(head[9:12])
        self.seen.append((status if told.get("reason") != "timeout" else 0, time.perf_counter() - began))
        self._free.append((reader, writer))


def at_rate(port: int, rate: float) -> Client:
    """What became of requests that come at a rate."""

    async def play() -> Client:
        client = Client(port)
        asked: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < SECONDS:
            while len(asked) < 20_000 and client._sent < rate * now:
                task = asyncio.create_task(client.ask())
                asked.add(task)
                task.add_done_callback(asked.discard)
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        await asyncio.gather(*asked)
        return client

    return asyncio.run(play())


def peak_of(port: int) -> float:
    """Answers a second for as many clients as the queue holds at a time."""

    async def play() -> float:
        client = Client(port)
        began = time.perf_counter()

        async def one() -> None:
            while time.perf_counter() - began < SECONDS:
                await client.ask()

        await asyncio.gather(*(one() for _ in range(16)))
        return len(client.seen) / (time.perf_counter() - began)

    return asyncio.run(play())


def test_goodput_stays_and_who_is_refused_hears_it_soon(server: served.Server) -> None:
    peak = peak_of(server.port)
    print(f"\npeak {peak:,.0f} answers a second")
    for times in (2, 10):
        client = at_rate(server.port, times * peak)
        good = sum(status == 200 for status, _ in client.seen) / SECONDS
        refused = [took for status, took in client.seen if status == 503]
        late = sum(status == 0 for status, _ in client.seen)
        p50, p99 = median(refused) * 1000, quantiles(refused, n=100)[98] * 1000
        told = f"{good:,.0f} answers a second ({good / peak:.0%} of the peak), {len(refused):,} refused in {p50:.1f} ms"
        print(f"{times:2} times: {len(client.seen) / SECONDS:,.0f} asked a second, {told} (p99 {p99:.1f}), {late} late")
        assert good >= 0.9 * peak
        assert p50 < 10
