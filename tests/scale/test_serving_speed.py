"""Answers over HTTP beside the least Python that answers: a bare ASGI application with the same graph.

Needs `wrk` (Debian's package), `skl2onnx` for the bare application of texts, and two cores: the server has one, the load
the other. Run it by

    pytest -m scale tests/scale/test_serving_speed.py -s

The figures of a run stand in .github/docs/serving.md.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlctl import online
from mlctl.online import Served
from mlctl.times import moment
from tests import world

pytestmark = pytest.mark.scale

PROJECT = """\
name: tab
entity: {key: row_id}
sources: {rows: {kind: csv, path: rows.csv}}
features: {profile: {kind: lookup, source: rows, columns: all, exclude: [label]}}
label: {kind: lookup, source: rows, column: label, is: 1}
split: {kind: random}
model: {kind: xgboost, trees: 200, depth: 6, learning_rate: 0.1, adopt: always}
serving: {kind: http}
refresh: {as_of: 2026-01-01}
"""
_BARE = """\
import os
import numpy as np, onnxruntime as ort, orjson
so = ort.SessionOptions()
so.intra_op_num_threads = 1
graph = ort.InferenceSession(os.environ["GRAPH"], so)
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    message = await receive()
    said = orjson.loads(message["body"])
    ANSWERED
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": told})
"""
BARE = _BARE.replace(
    "ANSWERED",
    """row = np.array([said["features"]], np.float32)
    score = float(graph.run(None, {"features": row})[0][0])
    told = orjson.dumps({"score": score, "version": "1"})""",
)
BARE_TEXT = _BARE.replace(
    "ANSWERED",
    """label, shares = graph.run(None, {"text": np.array([said["message"]])})
    told = orjson.dumps({"label": label[0], "score": float(shares.max()), "version": "1"})""",
)
TEXT_PROJECT = """\
name: txt
entity: {key: row_id}
sources: {rows: {kind: csv, path: rows.csv}}
features: {message: {kind: lookup, source: rows, column: message}}
encoding: {text: {message: {words: [1, 1], pieces: null, min_rows: 1}}}
label: {kind: lookup, source: rows, column: topic, task: multiclass}
split: {kind: random}
model: {kind: logistic, adopt: always}
serving: {kind: http}
refresh: {as_of: 2026-01-01}
"""
LEAST_SHARE = 0.4
MOST_P99_MS = 1.5
MOST_P99_LOOKUP_MS = 1.7
MOST_READY_S = 1.0
MOST_RSS_MIB = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of 200 trees of depth 6 over 30 numbers."""
    made = world.make_workspace(tmp_path_factory.mktemp("serving") / "workspace", PROJECT, "tab")
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(50_000, 30)).round(5)
    label = (rows[:, 0] * rows[:, 1] + rows[:, 2] ** 2 + rows[:, 3] + draw.normal(size=len(rows)) > 1).astype(int)
    keys = {"row_id": [f"r{row:06d}" for row in range(len(rows))]}
    columns = {f"x{column:02d}": rows[:, column] for column in range(30)}
    pl.DataFrame({**keys, **columns, "label": label}).write_csv(made / "rows.csv")
    done = world.mlctl(made, "run", "tab")
    assert done.returncode == 0, done.stderr
    return made


@contextmanager
def running(words: list[str], folder: Path, url: str, **environment: str) -> Iterator[tuple[int, float]]:
    """A server on the first core: its pid, and the seconds until it was ready."""
    started = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", "0", *words], cwd=folder, env=world.surroundings(**environment), stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    break
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None
                assert time.perf_counter() - started < 60
        yield process.pid, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def load(url: str, body: str, connections: int, folder: Path) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds, of wrk on the second core."""
    script = folder / "load.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.body=[==[{body}]==]\nwrk.headers['Content-Type']='application/json'\n"
        "done=function(s,l,r) io.write(string.format('WRK %d %d %d %f\\n', s.requests, s.duration, "
        "s.errors.status+s.errors.read+s.errors.timeout, l:percentile(99))) end\n"
    )
    words = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", "-d3s", "-s", str(script), url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    requests, micros, errors, p99_us = map(float, re.search(r"WRK (.*)", said)[1].split())
    assert errors == 0
    return requests / micros * 1e6, p99_us / 1e3


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def beside_bare(folder: Path, name: str, bare: tuple[str, str], bodies: dict[str, str]) -> None:
    """Measures a release and a bare application, one after the other, and holds the release to what was promised.

    Args:
        folder: The workspace.
        name: The project.
        bare: The bare application's source, and its graph's path.
        bodies: What `bare` and `mlctl` are asked.
    """
    (folder / "bare.py").write_text(bare[0])
    python = [sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    servers = {
        "bare": ([*python, "--log-level", "warning", "--port", "8471", "bare:app"], "http://127.0.0.1:8471/"),
        "mlctl": ([str(world.MLCTL), "serve", name, "--port", "8472"], "http://127.0.0.1:8472/predict"),
    }
    found: dict[str, dict[int, tuple[float, float]]] = {}
    ready: dict[str, float] = {}
    rss: dict[str, float] = {}
    for who, (words, url) in servers.items():
        with running(words, folder, url, GRAPH=bare[1]) as (pid, seconds):
            load(url, bodies[who], 8, folder)
            found[who] = {connections: load(url, bodies[who], connections, folder) for connections in (1, 8, 64)}
            ready[who], rss[who] = seconds, memory_mib(pid)
    print()
    for who, measured in found.items():
        told = ", ".join(f"{count}: {rate:,.0f}/s p99 {p99:.2f} ms" for count, (rate, p99) in measured.items())
        print(f"{who}: {told}; ready {ready[who]:.2f} s, {rss[who]:.0f} MiB")
    shares = {count: found["mlctl"][count][0] / found["bare"][count][0] for count in (1, 8, 64)}
    print({count: f"{share:.0%}" for count, share in shares.items()})
    assert min(shares.values()) >= LEAST_SHARE
    assert found["mlctl"][1][1] <= MOST_P99_MS
    assert ready["mlctl"] <= MOST_READY_S
    assert rss["mlctl"] <= MOST_RSS_MIB


def test_a_row_of_numbers_over_http(folder: Path) -> None:
    golden = json.loads((folder / ".mlctl/tab/release/golden.json").read_text())
    row = {name: values[0] for name, values in golden["features"].items()}
    bodies = {"bare": json.dumps({"features": list(row.values())}), "mlctl": json.dumps(row)}
    beside_bare(folder, "tab", (BARE, str(folder / ".mlctl/tab/release/model.onnx")), bodies)


def test_a_message_over_http(tmp_path: Path) -> None:
    """Messages of 40 words, 20 topics; the bare application has scikit-learn's terms and weights as one graph."""
    folder = world.make_workspace(tmp_path / "workspace", TEXT_PROJECT, "txt")
    messages, topics = written(4000)
    keys = [f"r{row:05d}" for row in range(len(messages))]
    pl.DataFrame({"row_id": keys, "message": messages, "topic": topics}).write_csv(folder / "rows.csv")
    done = world.mlctl(folder, "run", "txt")
    assert done.returncode == 0, done.stderr
    graph = folder / "text.onnx"
    graph.write_bytes(by_scikit_learn(messages, topics))
    body = json.dumps({"message": messages[0]})
    beside_bare(folder, "txt", (BARE_TEXT, str(graph)), {"bare": body, "mlctl": body})


def written(count: int) -> tuple[list[str], list[str]]:
    """Messages and their topics: 30 words as frequent as words are, and 10 of the topic's own."""
    draw = np.random.default_rng(0)
    words = [f"w{word}" for word in range(20_000)]
    weights = 1 / np.arange(1, len(words) + 1)
    own = [draw.choice(len(words), 300) for _ in range(20)]
    messages = []
    for row in range(count):
        drawn = [*draw.choice(len(words), 30, p=weights / weights.sum()), *draw.choice(own[row % 20], 10)]
        messages.append(" ".join(words[word] for word in drawn))
    return messages, [f"topic {row % 20}" for row in range(count)]


def by_scikit_learn(messages: list[str], topics: list[str]) -> bytes:
    """Terms, weights and logistic regression as one graph: `text` to label and probabilities."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    terms = TfidfVectorizer(max_features=20_000, token_pattern=r"[a-zA-Z0-9_]+", lowercase=False)
    learnt = make_pipeline(terms, LogisticRegression(max_iter=200)).fit(messages, topics)
    plain = {id(learnt.steps[-1][1]): {"zipmap": False}}
    given = [("text", StringTensorType([None]))]
    graph: bytes = to_onnx(learnt, initial_types=given, options=plain, target_opset=18).SerializeToString()
    return graph


def test_fifty_features_are_looked_up_by_key(folder: Path) -> None:
    """The store of 50,000 entities, with 20 columns more than the release needs."""
    made = world.mlctl(folder, "materialize", "tab")
    assert made.returncode == 0, made.stderr
    stored = folder / ".mlctl/tab/online"
    first = stored / online.current(stored)
    manifest = json.loads((first / "manifest.json").read_text())
    rows = pl.read_ipc(first / "features.arrow")
    more = [f"more_{place:02d}" for place in range(50 - (rows.width - 1))]
    rows = rows.with_columns([pl.col("x00").alias(name) for name in more])
    features = [Served(name, moment(manifest["as_of"]), None, "fallback") for name in rows.columns[1:]]
    assert len(features) == 50
    about = {name: manifest[name] for name in ("as_of", "dataset", "release", "key")}
    online.write(stored, "fifty", online.Tables(rows), about, features)
    url = "http://127.0.0.1:18081"
    words = [str(world.MLCTL), "serve", "tab", "--port", "18081"]
    with running(words, folder, f"{url}/v2/health/ready") as (pid, ready_s):
        figures = {
            route: [load(f"{url}{route}", body, connections, folder) for connections in (1, 8, 64)]
            for route, body in (
                ("/get-online-features", '{"entities":{"row_id":["r000777"]}}'),
                ("/predict", '{"row_id":"r000777"}'),
            )
        }
        rss_mib = memory_mib(pid)
    for route, measured in figures.items():
        shown = ", ".join(f"{rate:,.0f}/s (p99 {p99:.2f} ms)" for rate, p99 in measured)
        print(f"\n{route} by key at 1, 8, 64 connections: {shown}")
    print(f"ready in {ready_s:.2f} s, {rss_mib:.0f} MiB")
    assert figures["/get-online-features"][0][1] <= MOST_P99_LOOKUP_MS
    assert ready_s <= MOST_READY_S
    assert rss_mib <= MOST_RSS_MIB
