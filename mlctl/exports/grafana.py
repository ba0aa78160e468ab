"""A dashboard for Grafana: requests, seconds, who answers what and why, releases and challengers.

Use it where Prometheus scrapes the servers; `mlctl export prometheus` says how. Import the file, or let Grafana
provision it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mlctl.exports import Files, Parcel
from mlctl.exports._queries import Queries, queries

_WIDTH: Final = 12
_HEIGHT: Final = 8
Panel = tuple[str, str, list[tuple[str, str]]]
"""Title, unit, and queries with their legends."""


def files(parcel: Parcel) -> Files:
    """The dashboard."""
    job = parcel.dns_name
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    board = {
        "uid": f"mlctl-{job}"[:40],
        "title": f"{parcel.name}: answers over HTTP",
        "description": parcel.release.project.about,
        "tags": ["mlctl", parcel.name],
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "editable": True,
        "templating": {"list": [source]},
        "annotations": {"list": [_releases(queries(parcel))]},
        "panels": [_panel(place, *panel) for place, panel in enumerate(_panels(queries(parcel)))],
    }
    return {f"{job}.dashboard.json": json.dumps(board, indent=2, ensure_ascii=False) + "\n"}


def _panels(ask: Queries) -> list[Panel]:
    where = ask.where()
    return [
        ("Requests", "reqps", [(ask.by("code", "mlctl_requests_total"), "{{code}}")]),
        ("Seconds until an answer", "s", [(ask.latency(share), f"{share:.0%}") for share in (0.5, 0.95, 0.99)]),
        ("Answers by reason", "ops", [(ask.by("reason", "mlctl_predictions_total"), "{{reason}}")]),
        ("Answers that no model gave", "percentunit", [(ask.fallback_share(), "fallback")]),
        ("Answers by release", "ops", [
            (ask.by("release, variant", "mlctl_predictions_total"), "{{variant}} {{release}}"),
        ]),
        ("Challenger's share", "percent", [(f"max(mlctl_challenger_percent{where})", "of the entities")]),
        ("Rows that wait, and rows scored together", "short", [
            (f"max(mlctl_queue_rows{where})", "wait"),
            (f"{ask.rate('mlctl_batch_rows_sum')} / {ask.rate('mlctl_batch_rows_count')}", "together"),
        ]),
        ("Seconds of computing by variant", "s", [(ask.by("variant", "mlctl_variant_seconds_total"), "{{variant}}")]),
        ("Rows that both releases answered", "ops", [
            (ask.rate("mlctl_pairs_total"), "both"),
            (ask.rate("mlctl_pairs_dropped_total"), "left out for want of time"),
        ]),
        ("What must not happen", "short", [
            (f"sum(increase(mlctl_releases_refused_total{where}[1h]))", "releases refused"),
            (f"sum(increase(mlctl_log_lines_lost_total{where}[1h]))", "answers not written down"),
            (f"sum(increase(mlctl_challengers_sent_away_total{where}[1h]))", "challengers sent away"),
        ]),
    ]  # fmt: skip


def _panel(place: int, title: str, unit: str, asked: list[tuple[str, str]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": place % 2 * _WIDTH, "y": place // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(asked)
        ],
    }


def _releases(ask: Queries) -> dict[str, Any]:
    """A mark on every panel where another release began to answer."""
    return {
        "name": "releases",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "enable": True,
        "iconColor": "blue",
        "expr": f"mlctl_release_info{ask.where()} == 1 unless mlctl_release_info{ask.where()} offset 1m == 1",
        "titleFormat": "release {{release}}",
        "step": "60s",
    }
