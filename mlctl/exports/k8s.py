"""Kustomize: a base that a cluster takes as it is, and overlays for staging and production to be edited.

Deployment with start, ready and live probes, Service, autoscaler, disruption budget, and a monitor for the Prometheus
operator. The image is that of `docker`.
"""

from __future__ import annotations

import shlex
from typing import Any, Final

from mlctl.exports import DSN, HOME, LIVE, PORT, READY, USER, Files, Parcel, yaml_text
from mlctl.exports._program import fetch

_FETCH_EVERY_S: Final = 300


def files(parcel: Parcel) -> Files:
    """`base` and `overlays/staging`, `overlays/production`."""
    name, colon, tag = parcel.image.rpartition(":")
    # without a tag, a colon stands before the registry's port
    if not colon or "/" in tag:
        name, tag = parcel.image, "latest"
    resources = {
        "deployment.yaml": _deployment(parcel),
        "service.yaml": _service(parcel),
        "hpa.yaml": _autoscaler(parcel),
        "pdb.yaml": _budget(parcel),
        "servicemonitor.yaml": _monitor(parcel),
    }
    base = {
        **_kind("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        "resources": list(resources),
        "labels": [{"pairs": _labels(parcel), "includeSelectors": False}],
    }
    made: Files = {f"base/{path}": yaml_text(document) for path, document in resources.items()}
    made["base/kustomization.yaml"] = yaml_text(base)
    for stage, fewest in (("staging", 1), ("production", 3)):
        patch = [{"op": "replace", "path": "/spec/minReplicas", "value": fewest}]
        overlay = {
            **_kind("kustomize.config.k8s.io/v1beta1", "Kustomization"),
            "namespace": f"{parcel.dns_name}-{stage}",
            "resources": ["../../base"],
            "images": [{"name": name, "newTag": tag}],
            "patches": [{"target": {"kind": "HorizontalPodAutoscaler"}, "patch": yaml_text(patch)}],
        }
        made[f"overlays/{stage}/kustomization.yaml"] = yaml_text(overlay)
    return made


def container(parcel: Parcel) -> dict[str, Any]:
    """The container that answers: probes, limits, no rights; also for `kserve`."""
    # an encoder is some hundred million weights at most; without one a server takes 150 MiB
    requested, most = ("1Gi", "2Gi") if parcel.reads_by_encoder else ("256Mi", "512Mi")
    return {
        **_confined(parcel),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**_asks(READY), "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**_asks(READY), "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**_asks(LIVE), "periodSeconds": 10, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "500m", "memory": requested}, "limits": {"memory": most}},
    }


def _confined(parcel: Parcel) -> dict[str, Any]:
    """What every container of the image has: no rights, two volumes, and the database's secret where there is one."""
    secret = {"name": f"{parcel.dns_name}-database", "key": "dsn", "optional": not parcel.fetches}
    named = [{"name": DSN, "valueFrom": {"secretKeyRef": secret}}]
    return {
        "image": parcel.image,
        **({"env": named} if parcel.database is not None else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "log", "mountPath": f"{HOME}/.mlctl"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _fetching(parcel: Parcel) -> dict[str, Any]:
    """The containers that fetch features by key: one that ends before the server starts, one that goes on beside it."""
    if not parcel.fetches:
        return {}
    words = ["python", *fetch(parcel)]
    again = f"while sleep {_FETCH_EVERY_S}; do {shlex.join(words)} || true; done"
    # the second starts before the server too, and goes on beside it
    acts: tuple[tuple[str, list[str], dict[str, str]], ...] = (
        ("fetch", words, {}),
        ("fetch-again", ["sh", "-c", again], {"restartPolicy": "Always"}),
    )
    return {
        "initContainers": [
            {
                "name": name,
                **_confined(parcel),
                "command": command,
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                **more,
            }
            for name, command, more in acts
        ]
    }


def pod(parcel: Parcel, name: str) -> dict[str, Any]:
    """The pod around it."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": parcel.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **_fetching(parcel),
        "containers": [{"name": name, **container(parcel)}],
        "volumes": [{"name": "log", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "tmp", "emptyDir": {}}],
    }


def _deployment(parcel: Parcel) -> dict[str, Any]:
    inside = pod(parcel, parcel.dns_name)
    # the endpoint is taken out of the Service while the process still answers
    inside["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    inside["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _selector(parcel)},
        }
    ]
    return {
        **_kind("apps/v1", "Deployment"),
        "metadata": _named(parcel),
        "spec": {
            "revisionHistoryLimit": 5,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": _selector(parcel)},
            "template": {
                "metadata": {
                    "labels": {**_selector(parcel), **_labels(parcel)},
                    "annotations": {"mlctl/release": parcel.release.id},
                },
                "spec": inside,
            },
        },
    }


def _service(parcel: Parcel) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        **_kind("v1", "Service"),
        "metadata": _named(parcel),
        "spec": {"selector": _selector(parcel), "ports": ports},
    }


def _autoscaler(parcel: Parcel) -> dict[str, Any]:
    busy = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    return {
        **_kind("autoscaling/v2", "HorizontalPodAutoscaler"),
        "metadata": _named(parcel),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": parcel.dns_name},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [busy],
        },
    }


def _budget(parcel: Parcel) -> dict[str, Any]:
    return {
        **_kind("policy/v1", "PodDisruptionBudget"),
        "metadata": _named(parcel),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(parcel)}},
    }


def _monitor(parcel: Parcel) -> dict[str, Any]:
    return {
        **_kind("monitoring.coreos.com/v1", "ServiceMonitor"),
        "metadata": _named(parcel),
        "spec": {
            "selector": {"matchLabels": _selector(parcel)},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    }


def _kind(version: str, kind: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind}


def _named(parcel: Parcel) -> dict[str, Any]:
    return {"name": parcel.dns_name, "labels": _selector(parcel)}


def _selector(parcel: Parcel) -> dict[str, str]:
    return {"app.kubernetes.io/name": parcel.dns_name}


def _labels(parcel: Parcel) -> dict[str, str]:
    return {"app.kubernetes.io/version": parcel.release.id, "app.kubernetes.io/managed-by": "mlctl"}


def _asks(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 2}
