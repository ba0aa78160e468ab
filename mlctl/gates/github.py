"""The gate as GitHub Actions reads it: an annotation for each refused rule, the tables in the job's summary."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def annotate(
    reports: Sequence[Mapping[str, Any]], markdown: str, places: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """Workflow commands for stdout; the Markdown goes to the job's summary where there is one, else behind them.

    Args:
        reports: The gates' reports.
        markdown: The same as tables.
        places: By project and rule, the `file:line` that says the rule; default: the project's YAML, without a line.
    """
    lines = []
    for report in reports:
        said = (places or {}).get(report["project"], {})
        for rule in report["rules"]:
            if not rule["passed"]:
                lines.append(_annotation(report["project"], rule, said.get(rule["rule"], "")))
        lines += [f"::warning title=waiver::{_escaped(line)}" for line in report.get("waivers", [])]
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(markdown)
    else:
        lines.append(markdown)
    passed = sum(bool(report["passed"]) for report in reports)
    lines.append(f"::notice title=gate::{passed} of {len(reports)} projects passed")
    return "\n".join(lines)


def _annotation(project: str, rule: Mapping[str, Any], said: str) -> str:
    """An error for what is refused, a warning for what is waived, at the line that says the rule."""
    path, _, line = said.rpartition(":")
    known = bool(path) and line.isdigit()
    place = f"file={_escaped_property(path)},line={line}" if known else f"file=projects/{project}/project.yaml"
    message = f"{rule['subject']}: {rule['found']}, wanted {rule['wanted']}"
    waived = rule.get("waived")
    command, told = ("warning", f"{message}; {waived}") if waived else ("error", message)
    return f"::{command} {place},title=gate {_escaped_property(rule['rule'])}::{_escaped(told)}"


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
