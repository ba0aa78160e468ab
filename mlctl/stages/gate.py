"""Holds the evaluation against the project's gate; a refusal is a report and ends the command with exit code 4."""

from __future__ import annotations

from mlctl.files import read_json, sha256_of_file, write_json
from mlctl.gates import judge
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.workspace import Places


def gate(places: Places, project: Project) -> Report:
    """Judges and writes `metrics/gate.json`.

    Raises:
        IntegrityError: There is no evaluation.
    """
    path = places.evaluation / "report.json"
    evaluation = read_json(path, f"mlctl run projects/{places.name}")
    verdicts = judge(project, evaluation)
    refused = [verdict for verdict in verdicts if not verdict.passed]
    data = {
        "format_version": "1.0",
        "project": places.name,
        "passed": not refused,
        "evaluation": sha256_of_file(path),
        "rules": [verdict.record() for verdict in verdicts],
    }
    write_json(places.metrics / "gate.json", data)
    line = f"{len(verdicts) - len(refused)} of {len(verdicts)} rules passed"
    if refused:
        line += f"; refused by {', '.join(verdict.rule for verdict in refused)}"
    return Report("gate", line, data, refused=bool(refused))
