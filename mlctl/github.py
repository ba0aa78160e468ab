"""The gate as GitHub Actions reads it: an annotation for each refused rule, the tables in the job's summary."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def annotate(reports: Sequence[Mapping[str, Any]], markdown: str) -> str:
    """Workflow commands for stdout; the Markdown goes to the job's summary where there is one, else behind them.

    Args:
        reports: The gates' reports.
        markdown: The same as tables.
    """
    lines = []
    for report in reports:
        for rule in report["rules"]:
            if not rule["passed"]:
                message = f"{rule['subject']}: {rule['found']}, wanted {rule['wanted']}"
                place = f"file=projects/{report['project']}/project.yaml,title=gate {_escaped_property(rule['rule'])}"
                lines.append(f"::error {place}::{_escaped(message)}")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(markdown)
    else:
        lines.append(markdown)
    passed = sum(bool(report["passed"]) for report in reports)
    lines.append(f"::notice title=gate::{passed} of {len(reports)} projects passed")
    return "\n".join(lines)


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
