"""Rules for Prometheus: when somebody should look at the servers of a release, and how to scrape them.

Use it beside `mlctl monitor`: that looks at days of scores, this at minutes of requests. The limits stand in the rules'
own file, to be edited; the ones of time come from `serving:`.
"""

from __future__ import annotations

from typing import Any, Final

from mlctl.exports import PORT, Files, Parcel, yaml_text
from mlctl.exports._queries import queries

_README: Final = """\
# Rules for the servers of {name}

```sh
promtool check rules {job}.rules.yml
```

Add the file to `rule_files:` of your Prometheus, and `scrape.yml` to its `scrape_configs:` (with the operator the
ServiceMonitor of `mlctl export k8s {name}` does that; the job is the Service's name, `{job}`). Limits are yours to
edit: `mlctl export` keeps what you changed.
"""


def files(parcel: Parcel) -> Files:
    """The rules, a scrape configuration, and how to use them."""
    job = parcel.dns_name
    group = {"name": f"mlctl-{job}", "interval": "30s", "rules": [_rule(parcel, *rule) for rule in _rules(parcel)]}
    scrape = [{"job_name": job, "scrape_interval": "15s", "static_configs": [{"targets": [f"localhost:{PORT}"]}]}]
    return {
        f"{job}.rules.yml": yaml_text({"groups": [group]}),
        "scrape.yml": yaml_text(scrape),
        "README.md": _README.format(name=parcel.name, job=job),
    }


def _rules(parcel: Parcel) -> list[tuple[str, str, str, str, str]]:
    """Name, expression, for how long, severity, and what it means."""
    ask = queries(parcel)
    slow_s = parcel.options.timeout_ms / 1000 / 2
    fails, turned_away = ask.share('code=~"5..",code!="503"'), ask.share('code="503"')
    refused, lost = "mlctl_releases_refused_total", "mlctl_log_lines_lost_total"
    return [
        ("NoServer", f"absent(mlctl_release_info{ask.where()})", "2m", "alarm", "no server of the project is scraped"),
        ("Errors", f"{fails} > 0.01", "5m", "alarm", "more than 1 % of requests end in an error of the server"),
        ("TurnedAway", f"{turned_away} > 0.01", "5m", "alarm", "more than 1 % of requests come to a full queue"),
        ("Slow", f"{ask.latency(0.99)} > {slow_s:g}", "10m", "warn", f"1 % of answers take longer than {slow_s:g} s"),
        ("Fallbacks", f"{ask.fallback_share()} > 0.25", "15m", "warn", "more than a quarter of answers are no model's"),
        ("SeveralReleases", f"count(count by (release) (mlctl_release_info{ask.where()} == 1)) > 1", "15m", "warn",
         "servers of one project answer with different releases"),
        ("ReleaseRefused", f"increase({refused}{ask.where()}[15m]) > 0", "0m", "alarm",
         "a new release was refused; the one before still answers"),
        ("AnswersNotWrittenDown", f"increase({lost}{ask.where()}[15m]) > 0", "0m", "alarm",
         "answers were not written down; monitors will miss them"),
    ]  # fmt: skip


def _rule(parcel: Parcel, *parts: str) -> dict[str, Any]:
    name, expression, during, severity, means = parts
    project = parcel.release.project
    about = f"{project.about} Owner: {project.owner or 'nobody is named'}. Value {{{{ $value }}}}."
    return {
        "alert": f"Mlctl{name}",
        "expr": expression,
        "for": during,
        "labels": {"severity": severity, "project": parcel.name},
        "annotations": {
            "summary": f"{parcel.name}: {means}",
            "description": about.strip(),
        },
    }
