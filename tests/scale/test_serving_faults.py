"""What a server must survive many times over: endings under load, new releases under load, requests that nobody means well.

Run it by

    pytest -m scale tests/scale/test_serving_faults.py -s

It takes about an hour on two cores, most of it the million requests and those made from the OpenAPI.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlctl.server import prediction_log
from tests import served, world

pytestmark = pytest.mark.scale

ENDINGS, SWAPS = 100, 100
OF_OPENAPI, MOST_RUNS = 100_000, 40
SLICES, REQUESTS = 10, 100_000
"""A million requests, in slices that can be run one at a time (`-k "slice-3"`)."""
HOSTILE = (
    "null", "true", "[]", "{}", "NaN", "-Infinity", "1e308", "-1e400", "-0.0", "0.1e-320", "9007199254740993",
    "18446744073709551616", '""', '"\\u0000"', '"\\ud800"', '"\\u202eabc"', '"' + "x" * 3000 + '"', "[" * 60 + "]" * 60,
    '{"a":' * 60 + "1" + "}" * 60, '"1; drop table scores"', "[1,2]", "1.5", '"nan"', "\xff", "'", "//", "1,",
)  # fmt: skip
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@pytest.fixture
def workspace(finished_workspace: Path, tmp_path: Path) -> Path:
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    made = world.mlctl(folder, "materialize", "shop")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize("anew", [False, True], ids=["kept connections", "new connections"])
def test_a_hundred_endings_under_load_lose_no_request(workspace: Path, anew: bool) -> None:
    row = served.rows_of(workspace).to_dicts()[0]
    answered: list[str] = []
    for ending in range(ENDINGS):
        with served.serve(workspace) as server, served.Load(server.port, row, anew=anew) as load:
            load.reached(20 + 7 * ending % 100)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=20)
        assert load.lost == [], ending
        assert server.process.returncode == 0
        answered += [answer["id"] for answer in load.answers]

    written = [line["id"] for line in prediction_log.read(workspace / ".mlctl/shop/predictions")]
    assert sorted(written) == sorted(answered)
    print(f"\n{ENDINGS} endings, {len(answered):,} answers, all of them in the log once")


def test_a_hundred_new_releases_under_load_give_no_error(workspace: Path, tmp_path: Path) -> None:
    row = served.rows_of(workspace).to_dicts()[0]
    place = workspace / ".mlctl/shop/release"
    kept = [shutil.copytree(place, tmp_path / "first")]
    made = world.mlctl(workspace, "run", "shop", "model=logistic", "model.adopt=always")
    assert made.returncode == 0, made.stderr
    kept.append(shutil.copytree(place, tmp_path / "second"))
    with served.serve(workspace) as server, served.Load(server.port, row) as load:
        begun = time.monotonic()
        for swap in range(SWAPS):
            manifest = json.loads((kept[swap % 2] / "manifest.json").read_text())
            lay(kept[swap % 2], place)
            assert server.said("takes over").split()[1] == manifest["id"]
            load.reached(len(load.answers) + 20)
        rate = len(load.answers) / (time.monotonic() - begun)

    assert load.lost == []
    turns = [answer["release"] for answer in load.answers]
    print(f"\n{SWAPS} new releases at {rate:,.0f} requests a second, {len(turns):,} answers, no error")
    assert len(set(turns)) == 2
    assert rate >= 500


def lay(release: Path, place: Path) -> None:
    """Puts a release where another lies, as sealing does: the manifest goes first and comes last."""
    (place / "manifest.json").unlink()
    for path in release.iterdir():
        if path.name != "manifest.json":
            shutil.copyfile(path, place / path.name)
    shutil.copyfile(release / "manifest.json", place / "manifest.json.tmp")
    os.replace(place / "manifest.json.tmp", place / "manifest.json")


@pytest.fixture(scope="module")
def lasting(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[served.Server, Path]]:
    """One server for all slices: what it would lose with every request adds up."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("lasting") / "workspace")
    made = world.mlctl(folder, "materialize", "shop")
    assert made.returncode == 0, made.stderr
    with served.serve(folder) as server:
        yield server, folder


@pytest.mark.parametrize("part", range(SLICES), ids=lambda part: f"slice-{part}")
def test_a_million_requests_that_nobody_means_well_get_no_5xx(lasting: tuple[served.Server, Path], part: int) -> None:
    server, folder = lasting
    row = served.rows_of(folder).to_dicts()[0]
    before, held = server.post("/predict", row), resident_mib(server)
    asked = requests(row, random.Random(7 + part))
    seen: Counter[str] = Counter()
    while seen.total() < REQUESTS:
        seen.update(answered(server.port, [next(asked) for _ in range(64)]))
    after, holds = server.post("/predict", row), resident_mib(server)
    assert server.process.poll() is None

    counts = dict(sorted(seen.items()))
    print(f"\n{seen.total():,} requests: {counts}; {held:.0f} MiB before, {holds:.0f} MiB after")
    assert [status for status in seen if status.startswith("5")] == []
    assert seen["200"] > REQUESTS / 100
    assert {**before, "id": ""} == {**after, "id": ""}
    assert holds < held + 64


def test_a_hundred_thousand_requests_made_from_the_openapi_get_what_it_says_and_no_5xx(
    lasting: tuple[served.Server, Path],
) -> None:
    server, _ = lasting
    url, held = f"http://127.0.0.1:{server.port}", resident_mib(server)
    earlier, codes = requests_by_code(server), Counter[str]()
    program = Path(sys.executable).parent / "schemathesis"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    for seed in range(MOST_RUNS):
        words = ["run", f"{url}/openapi.json", "--checks", checks, "--max-examples", "2000", "--seed", str(seed)]
        phases = ["--phases", "examples,coverage,fuzzing", "--generation-database", "none"]
        done = subprocess.run([str(program), *words, *phases], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        codes = requests_by_code(server) - earlier
        holds = resident_mib(server)
        print(
            f"\n{codes.total():,} requests: {dict(sorted(codes.items()))}; {held:.0f} MiB before, {holds:.0f} MiB after"
        )
        if codes.total() > OF_OPENAPI:
            break
    assert codes.total() > OF_OPENAPI
    assert [code for code in codes if code.startswith("5")] == []
    assert server.process.poll() is None


def requests_by_code(server: served.Server) -> Counter[str]:
    """How many requests a server has answered with each status, by its own count."""
    found: Counter[str] = Counter()
    for line in server.ask("GET", "/metrics")[1].decode().splitlines():
        if told := re.match(r'mlctl_requests_total\{.*code="(\d+)".*\} (\S+)', line):
            found[told[1]] += int(float(told[2]))
    return found


def resident_mib(server: served.Server) -> float:
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def requests(row: dict[str, Any], draw: random.Random) -> Iterator[bytes]:
    """Good requests with something broken in most of them, each whole as HTTP."""
    tensors = [
        {"name": name, "datatype": "BYTES" if isinstance(value, str) else "FP64", "shape": [1], "data": [value]}
        for name, value in row.items()
    ]
    bodies = {
        "/predict": [row, [row, row], {"customer_id": "u00001"}],
        "/v2/models/shop/infer": [{"inputs": tensors}, {"inputs": [{**tensors[0], "name": "customer_id"}]}],
        "/get-online-features": [{"features": list(row)[:2], "entities": {"customer_id": ["u00001", "x"]}}],
        "/explain": [row],
    }
    good = {path: [json.dumps(body) for body in found] for path, found in bodies.items()}
    paths = ["/predict"] * 6 + ["/v2/models/shop/infer"] * 6 + ["/get-online-features"] * 3 + ["/explain"]
    while True:
        path = draw.choice(paths)
        body = broken(draw.choice(good[path]), draw)
        if draw.random() < 0.01:
            path = draw.choice(["/", "/%00", "/v2/models/x/infer", "/predict?a=" + "b" * 99, "/v2/../etc/passwd"])
        header = ""
        if draw.random() < 0.1:
            header = f"inference-header-content-length: {draw.choice(['0', '-1', '7', 'x', '9' * 30, len(body)])}\r\n"
        method = "POST" if draw.random() < 0.98 else draw.choice(["GET", "PUT", "DELETE", "OPTIONS"])
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{header}\r\n"
        yield head.encode() + body


def broken(text: str, draw: random.Random) -> bytes:
    """A body with a value put in the place of another, and bytes turned, cut out or doubled."""
    way = draw.random()
    if way < 0.1:
        return text.encode()
    if way < 0.6:
        places = [found.span() for found in re.finditer(r'(?<=: )("[^"]*"|[-\d.e]+|null|true|false)', text)]
        start, end = draw.choice(places or [(0, len(text))])
        return (text[:start] + draw.choice(HOSTILE) + text[end:]).encode("latin-1")
    data = bytearray(text.encode())
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(data) + 1)
        size = draw.randint(0, 9)
        data[start : start + size] = draw.choice([b"", bytes(draw.randrange(256) for _ in range(size)), data[:size]])
    return bytes(data)


def answered(port: int, batch: list[bytes]) -> list[str]:
    """The status of each request of a batch that is sent at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"".join(batch))
        client.shutdown(socket.SHUT_WR)
        parts = []
        while part := client.recv(1 << 20):
            parts.append(part)
    return [status.decode() for status in STATUS.findall(b"".join(parts))]
