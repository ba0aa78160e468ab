"""Holds the evaluation against the project's gate; a refusal is a report and ends the command with exit code 4.

A time is never the same twice, so `gate.json` holds only on which side of its limit it is; people are told the number.
Judged again on the same inputs, that side is taken from `gate.json`, so that every format tells one verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from mlctl import gates
from mlctl.files import canonical_json, read_json, sha256_of, sha256_of_file, write_json
from mlctl.gates import Verdict, waivers
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages._gate_evidence import evidence
from mlctl.stages.recommending._gate_evidence import of_lists
from mlctl.workspace import Places


def gate(places: Places, project: Project, today: date) -> Report:
    """Judges and writes `metrics/gate.json`.

    Args:
        places: The project's paths.
        project: The project.
        today: The day on which a waiver must not have ended.

    Raises:
        ConfigError: params.yaml is missing or was edited.
        DataError: A cohort's condition cannot be computed.
        IntegrityError: There is no evaluation, or what it judged is missing or damaged.
    """
    path = places.evaluation / "report.json"
    evaluation = read_json(path, f"mlctl run projects/{places.name}")
    identity = sha256_of_file(path)
    asked = _asked(project, identity)
    earlier = _earlier(places, asked)
    measured = of_lists if project.ranks() else evidence
    found = measured(places, project, evaluation, timed=not earlier)
    verdicts = [
        earlier.get(verdict.rule, verdict) if project.gate[verdict.rule].is_timed() else verdict
        for verdict in gates.judge(project, evaluation, found)
    ]
    entries = waivers.of_params(places, today)
    verdicts = waivers.waive(verdicts, entries, identity)
    data = {
        "format_version": "1.1",
        "project": places.name,
        "passed": gates.opens(verdicts),
        "evaluation": identity,
        "asked": asked,
        "rules": [verdict.record() for verdict in verdicts],
        "waivers": [entry.line() for entry in entries if entry.refused],
        "groups": _groups(evaluation),
    }
    write_json(places.metrics / "gate.json", data)
    clocks = [f"{name} {found.measures[name]:.4g}" for name in gates.TIMED if name in found.measures]
    details = (*[f"measured on this machine: {clock}" for clock in clocks], *waivers.told(verdicts, entries))
    return Report("gate", _line(verdicts), data, refused=not data["passed"], details=details)


def _asked(project: Project, evaluation: str) -> str:
    """A hash of what is judged and by what."""
    return sha256_of(canonical_json([project.mapping()["gate"], evaluation]))


def _earlier(places: Places, asked: str) -> dict[str, Verdict]:
    """What the gate said before of the same evaluation by the same rules; nothing when it did not."""
    path = places.metrics / "gate.json"
    report: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    if report.get("asked") != asked:
        return {}
    return {record["rule"]: Verdict(**{**record, "waived": ""}) for record in report["rules"]}


def _groups(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The model's metrics of everybody and each cohort, to be compared with those of another revision."""
    parts = {gates.EVERYBODY: evaluation[gates.EVERYBODY], **evaluation["cohorts"]}
    own = evaluation["model"]
    return {
        name: {
            metric: {"better": part["better"][metric], **{end: values[end] for end in ("value", "low", "high")}}
            for metric, values in part["models"][own].items()
        }
        for name, part in parts.items()
        if "models" in part
    }


def _line(verdicts: list[Verdict]) -> str:
    rules: dict[str, bool] = {}
    for verdict in verdicts:
        rules[verdict.rule] = rules.get(verdict.rule, True) and verdict.passed
    line = f"{sum(rules.values())} of {len(rules)} rules passed"
    refused = dict.fromkeys(verdict.rule for verdict in verdicts if not verdict.opens())
    waived = dict.fromkeys(verdict.rule for verdict in verdicts if verdict.waived)
    if waived:
        line += f"; waived: {', '.join(waived)}"
    if refused:
        line += f"; refused by {', '.join(refused)}"
    return line
