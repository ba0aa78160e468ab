"""A copy of the register for people who look at MLflow: when MLFLOW_TRACKING_URI names a server, it is told.

By its REST API alone, so that nothing has to be installed. The register and the rollout stay the one truth: a server
that does not answer stops nothing, and is told what it missed by the next command. Each release is one run (metrics,
parameters, lineage as tags) and one version of the registered model; `champion` and `challenger` are its aliases.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from mlctl import rollout
from mlctl.lineage import facts
from mlctl.releases._register import Entry, entries
from mlctl.workspace import Places

_ADDRESS: Final = "MLFLOW_TRACKING_URI"
_PATIENCE_S: Final = 10.0
_TAG: Final = "mlctl.release"
_ABSENT: Final = "RESOURCE_DOES_NOT_EXIST"
_MOST_PARAMS: Final = 100
_MOST_CHARACTERS: Final = 500


class _Refused(Exception):
    """MLflow's error, by its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def tell_mlflow(places: Places) -> str:
    """Brings MLflow up to the register and the rollout, and gives what is told of it; nothing without an address.

    The same again changes nothing.
    """
    address = os.environ.get(_ADDRESS, "").rstrip("/")
    if not address.startswith(("http://", "https://")):
        return ""
    try:
        server = _Server(address)
        made = sum(server.add(entry) for entry in entries(places))
        state = rollout.read(places)
        for alias, release in (("champion", state.champion), ("challenger", state.challenger)):
            server.alias(places.name, alias, release)
    except (_Refused, OSError, ValueError) as error:
        return f"mlflow was not told ({error}); the next command tells it"
    return f"mlflow has {made} versions more of {places.name}"


class _Server:
    """An MLflow server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._known: dict[str, dict[str, str]] = {}

    def add(self, entry: Entry) -> bool:
        """Makes a run and a version of a release; False when they are there."""
        if entry.release in self._versions(entry.project):
            return False
        told = facts.told(entry.facts)
        run = self._run(entry, told)
        tags = [{"key": _TAG, "value": entry.release}, {"key": "mlctl.number", "value": str(entry.number)}]
        # a source is an absolute path or address: MLflow refuses another
        about = {"name": entry.project, "source": f"mlctl:/{entry.name}", "run_id": run, "tags": tags}
        made = self._ask("POST", "model-versions/create", about)["model_version"]
        self._known[entry.project][entry.release] = str(made["version"])
        return True

    def alias(self, name: str, alias: str, release: str) -> None:
        """Lets an alias name a release, or nothing."""
        version = self._versions(name).get(release)
        if version is not None:
            self._ask("POST", "registered-models/alias", {"name": name, "alias": alias, "version": version})
            return
        try:
            self._ask("DELETE", "registered-models/alias", {"name": name, "alias": alias})
        except _Refused as error:
            if error.code != _ABSENT:
                raise

    def _versions(self, name: str) -> dict[str, str]:
        """The versions of a registered model by release; the model is made where there is none."""
        if name not in self._known:
            try:
                self._ask("POST", "registered-models/create", {"name": name})
            except _Refused as error:
                if error.code != "RESOURCE_ALREADY_EXISTS":
                    raise
            wanted = urllib.parse.urlencode({"filter": f"name='{name}'", "max_results": 1000})
            found = self._ask("GET", f"model-versions/search?{wanted}").get("model_versions", [])
            tagged = [({tag["key"]: tag["value"] for tag in one.get("tags", [])}, str(one["version"])) for one in found]
            self._known[name] = {tags[_TAG]: version for tags, version in tagged if _TAG in tags}
        return self._known[name]

    def _run(self, entry: Entry, told: facts.Facts) -> str:
        """The run of a release: the one that an earlier try left, or a new one."""
        experiment = self._experiment(entry.project)
        wanted = {"experiment_ids": [experiment], "filter": f"tags.`{_TAG}` = '{entry.release}'", "max_results": 1}
        if found := self._ask("POST", "runs/search", wanted).get("runs"):
            return str(found[0]["info"]["run_id"])
        tags = {_TAG: entry.release, "mlctl.dataset": str(told.data.get("version", "")), "mlctl.by": entry.by}
        tags["mlflow.runName"] = entry.name
        tags["mlflow.source.git.commit"] = str((told.made_from.get("git") or {}).get("sha") or "")
        about = {"experiment_id": experiment, "start_time": 0, "tags": _pairs(tags)}
        run = str(self._ask("POST", "runs/create", about)["run"]["info"]["run_id"])
        metrics = [
            {"key": f"{group}.{metric}", "value": found["value"], "timestamp": 0, "step": 0}
            for group, of_group in told.metrics.items()
            for metric, found in of_group.items()
            if found["value"] is not None
        ]
        params = {key: str(value)[:_MOST_CHARACTERS] for key, value in list(told.params.items())[:_MOST_PARAMS]}
        self._ask("POST", "runs/log-batch", {"run_id": run, "metrics": metrics, "params": _pairs(params)})
        self._ask("POST", "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 0})
        return run

    def _experiment(self, name: str) -> str:
        try:
            query = urllib.parse.urlencode({"experiment_name": name})
            return str(self._ask("GET", f"experiments/get-by-name?{query}")["experiment"]["experiment_id"])
        except _Refused as error:
            if error.code != _ABSENT:
                raise
        return str(self._ask("POST", "experiments/create", {"name": name})["experiment_id"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"Content-Type": "application/json"}
        if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(  # noqa: S310 - the address begins with http
            f"{self._address}/api/2.0/mlflow/{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            told = error.read().decode("utf-8", errors="replace")
            try:
                said = json.loads(told)
            except ValueError:
                said = {}
            raise _Refused(str(said.get("error_code", error.code)), str(said.get("message", error))) from error


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
