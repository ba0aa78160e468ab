"""What a trial costs those who ask, and how soon a share that was taken away is gone.

Run it by

    pytest -m scale tests/scale/test_rollout_speed.py -s

It takes about three minutes. The ways take turns, so that a machine that is busy is busy for all of them.
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from pathlib import Path

import pytest

from tests import challengers, served, world

pytestmark = pytest.mark.scale

ROUNDS, REQUESTS, SWITCHES = 5, 1500, 10


@pytest.fixture
def tried(finished_workspace: Path, tmp_path: Path) -> Path:
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    assert world.mlctl(folder, "promote", "shop").returncode == 0
    kept = next(path for path in (folder / "projects/shop/releases").iterdir() if path.is_dir())
    challengers.made(kept, folder / ".mlctl/shop/release", card="once more")
    return folder


def asked(port: int, bodies: list[str]) -> tuple[list[float], list[str]]:
    """Seconds and variants of requests, one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    seconds, variants = [], []
    for body in bodies:
        started = time.perf_counter()
        connection.request("POST", "/predict", body)
        told = json.loads(connection.getresponse().read())
        seconds.append(time.perf_counter() - started)
        variants.append(told["variant"])
    connection.close()
    return seconds, variants


def test_what_a_trial_costs_those_who_ask(tried: Path) -> None:
    rows = served.rows_of(tried).to_dicts()
    bodies = [json.dumps(rows[place % len(rows)] | {"customer_id": f"c{place}"}) for place in range(REQUESTS)]
    ways = {
        "no challenger": (["0"], "the champion answers everybody"),
        "shadow": (["--shadow"], "answers in the background"),
        "split, 50 %": (["50"], "answers 50 %"),
    }
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with served.serve(tried) as server:
        assert world.mlctl(tried, "ramp", "shop", "1").returncode == 0
        server.said("answers 1 %")
        asked(server.port, bodies)
        for _ in range(ROUNDS):
            for way, (words, heard) in ways.items():
                assert world.mlctl(tried, "ramp", "shop", *words).returncode == 0
                server.said(heard)
                seconds = sorted(asked(server.port, bodies)[0])
                found[way].append((statistics.median(seconds), seconds[int(0.99 * len(seconds))]))
        text = server.ask("GET", "/metrics")[1].decode()
    print()
    for way, rounds in found.items():
        half, most = (1e6 * statistics.median(one[place] for one in rounds) for place in (0, 1))
        print(f"{way:<14} {half:6.0f} us half of the requests, {most:6.0f} us 99 % (medians of {ROUNDS} rounds)")
    print("\n".join(line for line in text.splitlines() if line.startswith("mlctl_pairs")))


def test_how_soon_a_share_is_gone(tried: Path) -> None:
    rows = served.rows_of(tried).to_dicts()
    body, took = json.dumps(rows[0] | {"customer_id": "c1"}), []
    with served.serve(tried) as server:
        for _ in range(SWITCHES):
            assert world.mlctl(tried, "ramp", "shop", "100").returncode == 0
            server.said("answers 100 %")
            switch = world.begin(tried, "ramp", "shop", "0")
            switch.communicate()
            started = time.monotonic()
            while asked(server.port, [body])[1] != ["champion"]:
                pass
            took.append(time.monotonic() - started)
    print(
        f"\na share is gone {max(took):.2f} s after `mlctl ramp shop 0` has ended, at most; {statistics.median(took):.2f} s half"
    )
    assert max(took) < 1.0
