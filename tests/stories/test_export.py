"""What is exported is what platforms take: it starts away from the workspace, and their own schemas accept it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import numpy as np
import onnxruntime
import polars as pl
import pytest
import yaml
from google.protobuf import text_format

from mlctl import exports, kinds
from mlctl.encoding import encode
from mlctl.errors import ConfigError
from mlctl.release import Release, open_release
from mlctl.spec import Database
from tests import exported, served, world

KINDS = ("docker", "k8s", "kserve", "systemd", "triton")


@pytest.fixture(scope="module")
def shop(finished_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose release was exported for every platform."""
    folder = world.copy_workspace(finished_workspace, tmp_path_factory.mktemp("export") / "workspace")
    for kind in KINDS:
        made = world.mlctl(folder, "export", kind, "shop", "--json")
        assert made.returncode == 0, made.stderr
        told = json.loads(made.stdout)
        assert {str(path.relative_to(folder / told["folder"])) for path in files(folder, kind)} == set(told["files"])
    return folder


@pytest.fixture(scope="module")
def sealed(shop: Path) -> Release:
    return open_release(shop / ".mlctl/shop/release", "")


def files(folder: Path, kind: str) -> list[Path]:
    return [path for path in (folder / "deploy/shop" / kind).rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def parcel(shop: Path) -> exports.Parcel:
    return exports.parcel("shop", shop / ".mlctl/shop/release", None, "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again_changes_nothing_and_what_somebody_changed_is_kept(
    shop: Path, parcel: exports.Parcel, kind: str
):
    folder = shop / "deploy/shop" / kind
    before = {path: path.read_bytes() for path in files(shop, kind)}
    exports.export(kind, parcel, folder, force=False)
    assert {path: path.read_bytes() for path in files(shop, kind)} == before
    text = min(path for path in before if path.suffix in (".yaml", ".md", ".pbtxt"))
    text.write_text("mine\n")

    with pytest.raises(ConfigError, match="--force"):
        exports.export(kind, parcel, folder, force=False)
    assert text.read_text() == "mine\n"
    exports.export(kind, parcel, folder, force=True)

    assert {path: path.read_bytes() for path in files(shop, kind)} == before


def test_a_platform_that_is_none_is_told_with_the_nearest(shop: Path):
    done = world.mlctl(shop, "export", "kserv", "shop")

    assert done.returncode == 2
    assert "did you mean 'kserve'?" in done.stderr


def test_the_image_starts_by_its_entrypoint_with_the_libraries_it_lists_and_no_others(shop: Path, sealed: Release):
    folder = shop / "deploy/shop/docker"
    with exported.serve(folder) as server:
        golden = json.loads((folder / "app/release/golden.json").read_text())
        row = {name: values[0] for name, values in golden["features"].items()}
        answer = server.post("/predict", row)
        why = server.post("/explain", row)
        page = server.ask("GET", "/docs")[0]

    assert (answer["release"], answer["score"]) == (sealed.id, why["score"])
    assert page == 200
    assert "USER 65532" in (folder / "Dockerfile").read_text()
    assert not {"dvc", "scikit-learn", "xgboost", "hydra-core", "psycopg"} & exported.listed(folder)

    # what a release alone has answered is counted beside it, and watched wherever that is carried to
    kept = Path(".mlctl/shop/sketches")
    shutil.copytree(folder / "app" / kept, shop / kept, dirs_exist_ok=True)
    watched = json.loads(world.mlctl(shop, "monitor", "shop", "--json", "--dry-run").stdout)["days"][-1]
    assert (watched["rows"], watched["releases"]) == (1, [sealed.id])


def manifests(folder: Path) -> dict[str, dict[str, Any]]:
    found = [yaml.safe_load(path.read_text()) for path in (folder / "deploy/shop/k8s/base").glob("*.yaml")]
    return {one["kind"]: one for one in found}


def test_the_cluster_takes_every_manifest(shop: Path):
    found = manifests(shop)
    base = shop / "deploy/shop/k8s/base"

    for kind in ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        kubernetes_validate.validate(found[kind], kubernetes_validate.latest_version(), strict=True)
    assert set(found["Kustomization"]["resources"]) == {path.name for path in base.glob("*.yaml")} - {
        "kustomization.yaml"
    }
    for stage in ("staging", "production"):
        overlay = base.parent / "overlays" / stage
        told = yaml.safe_load((overlay / "kustomization.yaml").read_text())
        assert [(overlay / path).resolve() for path in told["resources"]] == [base.resolve()]
        assert f"{told['images'][0]['name']}:{told['images'][0]['newTag']}" == image(found)


def image(found: dict[str, dict[str, Any]]) -> str:
    return str(found["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"])


def test_the_manifests_name_each_other_and_routes_that_answer(shop: Path, server: served.Server, sealed: Release):
    found = manifests(shop)
    pod = found["Deployment"]["spec"]["template"]
    inside = pod["spec"]["containers"][0]
    labels = pod["metadata"]["labels"]

    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server.ask("GET", inside[probe]["httpGet"]["path"])[0] == 200
    assert server.ask("GET", found["ServiceMonitor"]["spec"]["endpoints"][0]["path"])[0] == 200
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    monitored = found["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= found["Service"]["metadata"]["labels"].items()
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert inside["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert image(found) == f"shop:{sealed.id}"


@pytest.mark.parametrize(
    ("words", "name", "tag"), [("r.example:5000/shop", "r.example:5000/shop", "latest"), ("r/shop:2", "r/shop", "2")]
)
def test_an_image_may_have_a_registry_with_a_port_and_no_tag(
    shop: Path, tmp_path: Path, words: str, name: str, tag: str
):
    made = world.mlctl(shop, "export", "k8s", "shop", "--image", words, "--to", str(tmp_path))

    assert made.returncode == 0, made.stderr
    told = yaml.safe_load((tmp_path / "overlays/staging/kustomization.yaml").read_text())
    assert told["images"] == [{"name": name, "newTag": tag}]


def test_where_features_are_looked_up_they_are_fetched_before_the_start_and_again(parcel: exports.Parcel):
    parcel = parcel.with_database(Database(), stored=True)
    made = kinds.load("exports", "k8s").files(parcel)
    deployment = yaml.safe_load(made["base/deployment.yaml"])
    unit = kinds.load("exports", "systemd").files(parcel)["shop.service"]

    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)
    pod = deployment["spec"]["template"]["spec"]
    first, beside = pod["initContainers"]
    assert first["command"] == ["python", "-m", "mlctl.cli", "materialize", "shop", "--database", "get"]
    assert beside["restartPolicy"] == "Always"
    secret = {"name": "shop-database", "key": "dsn", "optional": False}
    for container in (first, beside, *pod["containers"]):
        assert container["env"] == [{"name": "MLCTL_DSN", "valueFrom": {"secretKeyRef": secret}}]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "ExecStartPre=/opt/shop/venv/bin/python -m mlctl.cli materialize shop --database get\n" in unit
    assert "psycopg" in kinds.load("exports", "docker").files(parcel)["requirements.txt"]


def test_kserve_gets_the_container_by_the_name_that_it_looks_for(shop: Path):
    told = yaml.safe_load((shop / "deploy/shop/kserve/inferenceservice.yaml").read_text())
    predictor = told["spec"]["predictor"]
    container = predictor["containers"][0]

    assert (told["apiVersion"], container["name"]) == ("serving.kserve.io/v1beta1", "kserve-container")
    assert container["ports"] == [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}]
    spec = {name: value for name, value in predictor.items() if name not in ("minReplicas", "maxReplicas")}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": spec}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_triton_gets_a_repository_whose_graph_is_as_described(shop: Path, sealed: Release):
    # the client's package wants its gRPC extra, which the message itself does not need
    path = Path(importlib.util.find_spec("tritonclient").submodule_search_locations[0]) / "grpc/model_config_pb2.py"  # type: ignore[union-attr,index]
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    folder = shop / "deploy/shop/triton/shop"
    config = text_format.Parse((folder / "config.pbtxt").read_text(), module.ModelConfig())
    session = onnxruntime.InferenceSession(str(folder / "1/model.onnx"), providers=["CPUExecutionProvider"])
    golden = json.loads((folder.parents[1] / "docker/app/release/golden.json").read_text())
    rows = pl.DataFrame(golden["features"], schema={n: getattr(pl, kind) for n, kind in golden["schema"].items()})

    scores = session.run(["score"], {"features": encode(sealed.encoding, rows)})[0]

    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (config.name, config.backend) == ("shop", "onnxruntime")
    assert [(one.name, one.data_type, list(one.dims)) for one in config.input] == [
        (taken.name, module.TYPE_FP32, [taken.shape[1]])
    ]
    assert [one.name for one in config.output] == [given.name]
    # Triton puts the rows in front: no dimension is left behind them
    assert (list(config.output[0].dims), list(config.output[0].reshape.shape)) == ([1], [])
    assert len(given.shape) == 1
    assert np.abs(scores - np.asarray(golden["scores"])).max() < 1e-6


def test_the_unit_starts_what_the_folder_holds(shop: Path):
    folder = shop / "deploy/shop/systemd"
    unit = (folder / "shop.service").read_text()
    words = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])  # type: ignore[index]

    assert words[:4] == ["/opt/shop/venv/bin/python", "-m", "mlctl.cli", "serve"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert (folder / "app" / Path(words[words.index("--release") + 1]).relative_to("/opt/shop/app")).is_dir()
    assert "DynamicUser=yes" in unit
    assert "TimeoutStopSec=20" in unit
