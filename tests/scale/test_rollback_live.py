"""Challengers that go wrong under live traffic: gone within 50 bad answers or 10 seconds; a good one stays.

Run it by

    pytest -m scale tests/scale/test_rollback_live.py -s

It takes about a minute on two cores. Clients ask a real server over HTTP, each on a connection that it keeps, while the
challenger gets 10 % of the customers.
"""

from __future__ import annotations

import http.client
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlctl import rollout
from tests import challengers, served, world

pytestmark = pytest.mark.scale
CLIENTS, PERCENT, MOST_BAD, MOST_S, GOOD_REQUESTS = 4, "10", 50, 10.0, 20_000
UNSEEN_EVERY = 5
PATIENCE_S = 60


class Traffic(served.Clients):
    """Clients that ask about other customers again and again, and keep when they were answered, by whom and how."""

    def __init__(self, port: int, rows: list[dict[str, Any]], unseen: bool) -> None:
        self.answers: list[tuple[float, str, str]] = []
        self._port = port
        self._bodies = [
            json.dumps(
                row | {"customer_id": f"c{place}"} | ({"plan": "new"} if unseen and not place % UNSEEN_EVERY else {})
            )
            for place, row in enumerate(rows)
        ]
        super().__init__([partial(self._ask, first) for first in range(CLIENTS)])

    def _ask(self, place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set():
            connection.request("POST", "/predict", self._bodies[place % len(self._bodies)])
            told = json.loads(connection.getresponse().read())
            self.answers.append((time.monotonic(), told["variant"], told["reason"]))
            place += CLIENTS
        connection.close()


@pytest.mark.parametrize("how", ["shifted", "strict", "slow", "good"])
def test_a_challenger_under_live_traffic(finished_workspace: Path, tmp_path: Path, how: str) -> None:
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    assert world.mlctl(folder, "promote", "shop").returncode == 0
    kept = next(path for path in (folder / "projects/shop/releases").iterdir() if path.is_dir())
    flaw = {} if how == "good" else {how: True}
    challengers.made(kept, folder / ".mlctl/shop/release", card="once more", **flaw)
    rows = served.rows_of(folder).to_dicts()

    with served.serve(folder) as server, Traffic(server.port, rows, unseen=how == "strict") as traffic:
        assert world.mlctl(folder, "ramp", "shop", PERCENT).returncode == 0
        server.said(f"answers {PERCENT} %")
        began, before = time.monotonic(), len(traffic.answers)
        while (stands := stands_in(folder)).traffic.mode == "split":
            assert time.monotonic() < began + PATIENCE_S, "nobody sent it away"
            if how == "good" and len(traffic.answers) - before >= GOOD_REQUESTS:
                break
            time.sleep(0.01)
        ended = time.monotonic()
        time.sleep(0.5)  # whoever still got it is counted

    by_challenger = [at for at, variant, _ in traffic.answers if variant == "challenger"]
    assert {reason for _, _, reason in traffic.answers} == {"model"}, "nobody got a failure"
    if how == "good":
        assert stands.traffic.mode == "split"
        print(f"\ngood: still there after {len(traffic.answers):,} answers, {len(by_challenger):,} of them its own")
        return
    assert stands.note is not None
    evidence = stands.note.evidence
    bad = {"shifted": len(by_challenger), "strict": evidence["failed"]["bad"], "slow": len(by_challenger)}[how]
    gone_s = max(by_challenger, default=began) - min(by_challenger, default=began)
    print(
        f"\n{how}: {bad} bad answers, {gone_s:.2f} s from the first to the last, in the file {ended - began:.2f} s after"
    )
    print(f"  of {len(traffic.answers):,} answers; {stands.note.why}")
    assert bad <= MOST_BAD or gone_s <= MOST_S


def stands_in(folder: Path) -> rollout.Rollout:
    """How the rollout stands in a workspace that is not this process's own."""
    return rollout.flag_file.parsed("shop", (folder / "projects/shop/rollout.flagd.json").read_text())


def test_a_challenger_that_costs_too_much_is_kept_back_by_the_comparison(
    finished_workspace: Path, tmp_path: Path
) -> None:
    """It is no slower than a single batch may be, by a project that allows that, and dearer than all of them may be."""
    folder = world.copy_workspace(finished_workspace, tmp_path / "workspace")
    path = folder / "projects/shop/project.yaml"
    path.write_text(path.read_text() + "rollout: {guards: {slower: 1000, cost: 2}}\n")
    assert world.mlctl(folder, "compose", "shop").returncode == 0
    assert world.mlctl(folder, "promote", "shop").returncode == 0
    kept = next(path for path in (folder / "projects/shop/releases").iterdir() if path.is_dir())
    challengers.made(kept, folder / ".mlctl/shop/release", slow=True)

    with served.serve(folder) as server:
        assert world.mlctl(folder, "ramp", "shop", "--shadow").returncode == 0
        server.said("answers in the background")
        with Traffic(server.port, served.rows_of(folder).to_dicts(), unseen=False) as traffic:
            while len(traffic.answers) < GOOD_REQUESTS // 10:
                time.sleep(0.05)
    assert stands_in(folder).traffic.mode == "shadow"
    done = world.mlctl(folder, "compare", "shop", "--json")
    told = json.loads(done.stdout)
    cost = next(guard for guard in told["guards"] if guard["name"] == "cost")
    print(
        f"\ncostly: {told['verdict']}: {told['why']}; {[guard for guard in told['guards'] if guard['name'] == 'latency']}"
    )
    assert (told["verdict"], cost["holds"]) == ("keep", False)
