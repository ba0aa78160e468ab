"""The gate for people: as tables for the terminal, as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlctl import console

_HEADINGS: Final = ("verdict", "judged", "found (95 % interval)", "wanted")
_MARKS: Final = {"better": "better", "worse": "**worse**", "changed": "changed"}


def gate_table(rules: Sequence[Mapping[str, Any]]) -> Any:
    """The gate's verdicts as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("gate", *_HEADINGS):
        table.add_column(heading)
    for rule in rules:
        verdict = Text("pass", style="green") if rule["passed"] else Text("REFUSED", style="bold red")
        if rule.get("waived"):
            verdict = Text("WAIVED", style="bold yellow")
        found = console.printable(rule["found"] + (f" ({rule['waived']})" if rule.get("waived") else ""))
        table.add_row(rule["rule"], verdict, Text(console.printable(rule["subject"])), Text(found), rule["wanted"])
    return table


def changes_table(changes: Sequence[Mapping[str, Any]]) -> Any:
    """What became better or worse since another revision, as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("what", "where", "before", "now", ""):
        table.add_column(heading)
    styles = {"better": "green", "worse": "bold red", "changed": ""}
    for change in changes:
        cells = [Text(console.printable(change[key])) for key in ("what", "where", "before", "now")]
        table.add_row(*cells, Text(_turned(change, change["turned"]), style=styles[change["turned"]]))
    return table


def gates_markdown(reports: Sequence[Mapping[str, Any]]) -> str:
    """The gates of several projects as Markdown, with what changed where a report says it."""
    lines = ["<!-- mlctl gate -->"]
    for report in reports:
        lines += [f"### Gate of `{report['project']}`: {'passed' if report['passed'] else 'refused'}", ""]
        lines += [_row(["rule", *_HEADINGS]), "|---|---|---|---|---|"]
        for rule in report["rules"]:
            verdict = "pass" if rule["passed"] else "waived" if rule.get("waived") else "**refused**"
            found = rule["found"] + (f"; {rule['waived']}" if rule.get("waived") else "")
            lines.append(_row([rule["rule"], verdict, rule["subject"], found, rule["wanted"]]))
        lines += ["", *[f"- {line}" for line in report.get("waivers", [])], *_changes(report), ""]
    return "\n".join(lines) + "\n"


def _changes(report: Mapping[str, Any]) -> list[str]:
    if "against" not in report:
        return []
    changes = report["changes"]
    if not changes:
        return ["", f"Nothing is better or worse than at `{report['against']}`."]
    head = [
        "",
        f"Against `{report['against']}`:",
        "",
        _row(["what", "where", "before", "now", ""]),
        "|---|---|---|---|---|",
    ]
    return head + [
        _row([*(change[key] for key in ("what", "where", "before", "now")), _turned(change, _MARKS[change["turned"]])])
        for change in changes
    ]


def _turned(change: Mapping[str, Any], word: str) -> str:
    return word if change["sure"] else f"{word}, within the interval"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
