"""Releases that are kept, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlctl import console
from mlctl.lineage.differences import PARTS, Difference


def releases_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """The releases of each project on stdout, the newest first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("release", "id", "answers", "gate", "metric", "data as of", "commit", "registered", "by"):
        table.add_column(heading, no_wrap=heading != "by")
    for lines in found.values():
        for line in lines:
            style = "bold green" if line["alias"] == "champion" else ""
            cells = [line[key] for key in ("gate", "metric", "as_of", "commit", "registered_at")]
            cells.append(line["by"].partition(" <")[0])
            who = Text(console.printable(line["answers"]), style=style)
            table.add_row(line["name"], line["release"], who, *[Text(console.printable(cell)) for cell in cells])
    console.on_stdout().print(table)


def differences_table(title: str, found: Sequence[Difference], why: Sequence[str]) -> None:
    """What differs and why, on stdout."""
    console.on_stdout().print(console.printable(title), markup=False)
    for cause in why or ["no input changed"]:
        console.on_stdout().print(f"  why: {console.printable(cause)}", markup=False)
    if found:
        console.on_stdout().print(_table(found))


def _table(found: Sequence[Difference]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("", "what", "before", "now", ""):
        table.add_column(heading, overflow="fold")
    for part in PARTS:
        for place, row in enumerate(row for row in found if row.part == part):
            cells = [part if place == 0 else "", row.what, row.before, row.now, row.remark]
            table.add_row(*[Text(console.printable(cell)) for cell in cells])
    return table
