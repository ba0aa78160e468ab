"""A KServe InferenceService: the image of `docker` behind KServe's routing, by the Open Inference Protocol.

Use it where a cluster runs KServe and its clients speak `/v2`. Not beside `k8s`: each would deploy the release.
"""

from __future__ import annotations

from mlctl.exports import Files, Parcel, yaml_text
from mlctl.exports.k8s import pod


def files(parcel: Parcel) -> Files:
    """`inferenceservice.yaml`."""
    inside = pod(parcel, "kserve-container")
    # KServe has its own name for the port, by which it knows HTTP/1
    inside["containers"][0]["ports"][0]["name"] = "http1"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        inside["containers"][0][probe]["httpGet"]["port"] = "http1"
    document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": parcel.dns_name, "annotations": {"mlctl/release": parcel.release.id}},
        "spec": {"predictor": {"minReplicas": 1, "maxReplicas": 10, **inside}},
    }
    return {"inferenceservice.yaml": yaml_text(document)}
