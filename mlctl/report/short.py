"""The report in short, as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlctl.report.words import interval, number, share, verdict


def short(told: Mapping[str, Any]) -> str:
    """What is decided, on what data, whether the gate lets it pass, what complexity bought, and the cohorts."""
    parts = [f"# {cell(told['project'])}", cell(told["decides"]["about"])]
    parts += [f"> {cell(sentence)}" for sentence in told["missing"]]
    parts += [_data(told), _gate(told), _ladder(told), _models(told), _cohorts(told), _lineage(told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def cell(text: Any) -> str:
    """A text that Markdown shows as it is, in one line and within its column."""
    safe = " ".join(str(text).split()).replace("\\", "\\\\").replace("<", "&lt;")
    for sign in "|`*_[]":
        safe = safe.replace(sign, f"\\{sign}")
    return safe


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in rows)


def _data(told: Mapping[str, Any]) -> str:
    data = told["data"]
    if data is None:
        return ""
    parts = [f"{part['part']} {part['rows']:,} rows" for part in data["parts"]]
    aside = sum(table["quarantined"] for table in data["tables"])
    version = f"Data version {cell(data['version'][:12])}" if data["version"] else "Data of an unknown version"
    return f"{version}; {', '.join(parts) or 'no parts yet'}; {aside:,} rows set aside by the checks."


def _gate(told: Mapping[str, Any]) -> str:
    if told["gate"] is None:
        return ""
    lines = [
        [verdict(rule).replace("refused", "**refused**"), *(cell(rule[key]) for key in ("subject", "found", "wanted"))]
        for rule in told["gate"]["rules"]
    ]
    outcome = "passed" if told["gate"]["passed"] else "refused"
    return f"## Gate: {outcome}\n\n{_table(['verdict', 'judged', 'found', 'wanted'], lines)}"


def _ladder(told: Mapping[str, Any]) -> str:
    if told["ladder"] is None:
        return ""
    ladder = told["ladder"]
    lines = [
        [
            cell(rung["name"]) + (" (adopted)" if rung["name"] == ladder["adopted"] else ""),
            interval(rung),
            interval({"low": rung["gain_low"], "high": rung["gain_high"]}) if rung["against"] else "",
        ]
        for rung in ladder["rungs"]
    ]
    return f"## Ladder\n\n{_table(['rung', cell(ladder['metric']) + ', held out', 'gain over the rung below'], lines)}"


def _models(told: Mapping[str, Any]) -> str:
    if told["models"] is None:
        return ""
    models = told["models"]
    names = models["metrics"]
    lines = [[cell(model), *(interval(models["measured"][model][name]) for name in names)] for model in models["order"]]
    return f"## Models on {models['rows']:,} test rows\n\n{_table(['model', *map(cell, names)], lines)}"


def _cohorts(told: Mapping[str, Any]) -> str:
    if not told["cohorts"]:
        return ""
    metric = told["models"]["metrics"][0]
    lines = [
        [
            cell(line["cohort"]),
            f"{line['rows']:,}",
            share(line["positive_share"]),
            interval(line["measured"][metric]) if line["measured"] else cell(line["not_measured"]),
        ]
        for line in told["cohorts"]
    ]
    return f"## Cohorts\n\n{_table(['cohort', 'rows', 'positive', cell(metric)], lines)}"


def _lineage(told: Mapping[str, Any]) -> str:
    if told["lineage"] is None:
        return ""
    found = told["lineage"]["lineage"] or {}
    git = (found.get("git") or {}).get("sha") or "no commit"
    version = number((found.get("mlctl") or {}).get("version"))
    return f"Release {cell(told['lineage']['release'])} of {cell(git[:12])}, mlctl {cell(version)}."
