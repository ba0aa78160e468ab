"""MLflow is told by its REST API: here a server of the documented paths, over real HTTP, that keeps what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from mlctl import releases, rollout
from mlctl.lineage.facts import Facts
from mlctl.releases._register import claim
from mlctl.rollout import Note, Traffic
from mlctl.workspace import Places

SHOP = Places("shop")
NOTE = Note("ann", datetime(2026, 11, 28, tzinfo=UTC), "a test")
FACTS = Facts(
    params={"model.depth": 3},
    metrics={"everybody": {"roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9, "better": "higher"}}},
)


class Kept(ThreadingHTTPServer):
    """Registered models, versions, aliases, experiments and runs, as MLflow's documentation describes the paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models: set[str] = set()
        self.versions: list[dict[str, Any]] = []
        self.aliases: dict[str, str] = {}
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.busy = False

    def answer(  # noqa: PLR0911, PLR0912 - one path, one answer
        self, method: str, path: str, said: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        if path == "registered-models/create":
            if said["name"] in self.models:
                return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "exists"}
            self.models.add(said["name"])
        elif path == "model-versions/search":
            return 200, {"model_versions": self.versions} if self.versions else {}
        elif path == "model-versions/create":
            if not urlparse(said["source"]).path.startswith("/"):  # as a server of 3.17 does
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid model version source"}
            if self.busy:
                return 503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "try again"}
            self.versions.append({**said, "version": str(len(self.versions) + 1)})
            return 200, {"model_version": self.versions[-1]}
        elif path == "registered-models/alias" and method == "POST":
            self.aliases[said["alias"]] = said["version"]
        elif path == "registered-models/alias":
            if self.aliases.pop(said["alias"], None) is None:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such alias"}
        elif path == "experiments/get-by-name":
            if said["experiment_name"] not in self.experiments:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
            return 200, {"experiment": {"experiment_id": self.experiments[said["experiment_name"]]}}
        elif path == "experiments/create":
            self.experiments[said["name"]] = "7"
            return 200, {"experiment_id": "7"}
        elif path == "runs/create":
            self.runs[f"run{len(self.runs)}"] = said
            return 200, {"run": {"info": {"run_id": f"run{len(self.runs) - 1}"}}}
        elif path == "runs/search":
            found = [
                {"info": {"run_id": name}}
                for name, run in self.runs.items()
                if any(said["filter"] == f"tags.`{tag['key']}` = '{tag['value']}'" for tag in run["tags"])
            ]
            return 200, {"runs": found} if found else {}
        elif path in ("runs/log-batch", "runs/update"):
            self.runs[said["run_id"]] |= said
        else:
            return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path}
        return 200, {}


class Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, Kept)
        asked = urlparse(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = json.loads(body) if body else {key: values[0] for key, values in parse_qs(asked.query).items()}
        status, told = self.server.answer(self.command, asked.path.removeprefix("/api/2.0/mlflow/"), said)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.chdir(tmp_path)
    with Kept() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{running.server_port}")
        yield running
        running.shutdown()


def test_each_release_is_a_run_and_a_version_once_and_the_aliases_follow_the_rollout(server: Kept) -> None:
    for release in ("aaaa", "bbbb"):
        claim(SHOP, release, FACTS, NOTE)
    rollout.change(SHOP, rollout.read(SHOP), Traffic("aaaa", "bbbb"), NOTE)

    server.busy = True
    assert "mlflow was not told (try again)" in releases.tell_mlflow(SHOP)
    server.busy = False
    assert releases.tell_mlflow(SHOP) == "mlflow has 2 versions more of shop"
    assert releases.tell_mlflow(SHOP) == "mlflow has 0 versions more of shop"
    assert server.aliases == {"champion": "1", "challenger": "2"}
    assert [version["run_id"] for version in server.versions] == ["run0", "run1"]
    run = server.runs["run0"]
    assert run["metrics"] == [{"key": "everybody.roc_auc", "value": 0.8, "timestamp": 0, "step": 0}]
    assert run["params"] == [{"key": "model.depth", "value": "3"}]
    assert (run["experiment_id"], run["status"]) == ("7", "FINISHED")

    rollout.change(SHOP, rollout.read(SHOP), Traffic("bbbb"), NOTE)
    releases.tell_mlflow(SHOP)
    assert server.aliases == {"champion": "2"}


def test_a_server_that_is_away_stops_nothing_and_without_an_address_nobody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    claim(SHOP, "aaaa", FACTS, NOTE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "the next command tells it" in releases.tell_mlflow(SHOP)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert releases.tell_mlflow(SHOP) == ""
