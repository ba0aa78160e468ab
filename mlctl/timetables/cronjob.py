"""CronJobs of Kubernetes: one for each act, on a volume that holds the workspace.

Use it where the workspace lives in a cluster. The image holds mlctl; the claim `mlctl-workspace` holds the clone.
"""

from __future__ import annotations

from typing import Any

from mlctl.exports import yaml_text
from mlctl.timetables import Act, Files, Timetable

_ONCE_S = 24 * 3600
_SKIP_S = 300


def files(of: Timetable) -> Files:
    """A manifest for each act."""
    return {f"{act.name}.yaml": yaml_text(_job(of, act)) for act in of.acts}


def _job(of: Timetable, act: Act) -> dict[str, Any]:
    container = {
        "name": act.name,
        "image": of.image,
        "command": ["/bin/sh", "-c", act.line()],
        "workingDir": "/workspace",
        "volumeMounts": [{"name": "workspace", "mountPath": "/workspace"}],
        "envFrom": [{"secretRef": {"name": f"{of.dns_name}-secrets", "optional": True}}],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": "mlctl-workspace"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"mlctl-{of.dns_name}-{act.name}"},
        "spec": {
            "schedule": act.when.text,
            "timeZone": of.schedule.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _ONCE_S if of.schedule.catch_up == "once" else _SKIP_S,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            # the same command goes on where a killed one stopped
            "jobTemplate": {"spec": {"backoffLimit": 1, "template": {"spec": pod}}},
        },
    }
