"""Sources and columns, projects that were drafted from them, and what this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlctl import console

if TYPE_CHECKING:
    from mlctl.drafts.discovery import Draft
    from mlctl.drafts.scaffold import Made


def discovered(draft: Draft, written: Sequence[object] = ()) -> None:
    """What discovery drafts, on stdout as YAML, or where it was written; what to ask, as words."""
    from mlctl.drafts.drafting import draft_text

    for path in written:
        console.words(f"  wrote     {path}")
    if not written:
        console.data(draft_text(draft))
    for question in draft.questions():
        console.words(f"  ask       {question}")


def initialised(made: Made, name: str) -> None:
    """What init wrote, what it left out, and what to type next."""
    console.words(
        f"  init      {made.folder}/project.yaml ({made.kind} data) and README.md with {len(made.questions)} questions"
    )
    for column, why in made.left_out.items():
        console.words(f"  left out  {column}: {why}")
    console.words(f"  next      mlctl run projects/{name}")


def dictionary_table(entries: Sequence[Any]) -> None:
    """The dictionary on stdout."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("column", "type", "meaning", "owner", "read by", "last finding"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        about = entry.about + (f" [{entry.unit}]" if entry.unit else "") + (" (personal)" if entry.pii else "")
        cells = [
            f"{entry.source}.{entry.column}",
            entry.type,
            about,
            entry.owner,
            ", ".join(entry.readers),
            entry.finding,
        ]
        table.add_row(*[Text(console.printable(cell)) for cell in cells])
    console.on_stdout().print(table)


def doctor_table(findings: Sequence[Any]) -> None:
    """The doctor's findings on stdout, with one line to mend each problem."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("", "what", "found", "mend"):
        table.add_column(heading)
    marks = {
        "ok": Text("ok", style="green"),
        "warn": Text("warn", style="yellow"),
        "fail": Text("FAIL", style="bold red"),
    }
    for finding in findings:
        table.add_row(
            marks[finding.state],
            finding.what,
            Text(console.printable(finding.found)),
            Text(console.printable(finding.mend)),
        )
    console.on_stdout().print(table)
