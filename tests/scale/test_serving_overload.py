"""What is answered when more is asked than can be: by an encoder that takes milliseconds a text, at 2 and 10 times its peak.

Requests come at a rate, whatever becomes of those before them, on connections that are kept; the server has one core,
the load the other. Run it by

    pytest -m scale tests/scale/test_serving_overload.py -s

The figures of a run stand in .github/docs/serving.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from tests import desk, served
from tests.scale import open_loop

pytestmark = pytest.mark.scale

WORDS = {
    word: np.random.default_rng(place).normal(size=256).tolist()
    for place, word in enumerate(("?", "parcel", "invoice"))
}
LAYERS, SECONDS, ROUNDS = 60, 6.0, 3
TEXTS = 250_000
"""Each is asked once: the encoder remembers what it has read."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Server]:
    teams, serving = {"parcel": "a", "invoice": "b"}, "{kind: http, queue_rows: 64, log: none}"
    folder = desk.make(tmp_path_factory.mktemp("desk") / "w", WORDS, teams, serving, slow)
    own = os.sched_getaffinity(0)
    with served.serve(folder, name="desk") as running:
        for thread in Path(f"/proc/{running.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {min(own)})
        os.sched_setaffinity(0, {max(own)})
        yield running
        os.sched_setaffinity(0, own)


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


def test_goodput_stays_and_who_is_refused_hears_it_soon(server: served.Server) -> None:
    bodies = (json.dumps({"message": f"parcel {'invoice ' * (n % 5)}{n}"}).encode() for n in range(TEXTS))
    asked = open_loop.requests(bodies)
    peaks: list[float] = []
    found: dict[int, list[tuple[float, float]]] = {2: [], 10: []}
    # in turn, since a machine is not as quick in one minute as in the next
    for _ in range(ROUNDS):
        peaks.append(open_loop.closed_loop(server.port, asked, 16, SECONDS).rate(200))
        print(f"\npeak {peaks[-1]:,.0f} answers a second")
        for times, rounds in found.items():
            seen = open_loop.at_rate(server.port, asked, times * peaks[-1], SECONDS)
            good, refused = seen.rate(200), of(seen.took[503])
            told = f"{good:,.0f} answers a second; {len(seen.took[503]):,} refused in {refused[50]:.2f} ms"
            print(
                f"{times:2} times: {len(seen.late) / SECONDS:,.0f} asked a second, {told} "
                f"(p90 {refused[90]:.2f}, p99 {refused[99]:.2f}), {len(seen.took.get(0, ())):,} too late; "
                f"the load was {of(seen.late)[99]:.2f} ms behind (p99)"
            )
            rounds.append((good, refused[99]))
    for times, rounds in found.items():
        share, wait = median(good for good, _ in rounds) / median(peaks), median(wait for _, wait in rounds)
        print(f"{times:2} times: {share:.0%} of the peak (medians), p99 of a refusal {wait:.1f} ms")
        assert share >= 0.9
        assert wait < 10


def of(seconds: list[float]) -> list[float]:
    """Percentiles in milliseconds."""
    return [0.0, *(1000 * one for one in quantiles(seconds, n=100))]
