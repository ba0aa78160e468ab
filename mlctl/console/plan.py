"""What would be done, before it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mlctl import console
from mlctl.changes import Planned, ProjectPlan
from mlctl.errors import listed

_SHOWN: Final = 20


def planned(found: Planned, out: Path | None) -> None:
    """The plans on stdout, and how to apply them."""
    for project in found.projects:
        _project(project)
    seconds = sum(project.seconds for project in found.projects)
    console.words(f"  all       {seconds:,.0f} s by the ledger, for {len(found.projects)} projects")
    if out is not None:
        console.words(f"  next      mlctl apply {out}")
    elif any(project.steps for project in found.projects):
        console.words(
            f"  next      mlctl retrain{f' --as-of {found.as_of}' if found.as_of else ''}, or --out plan.json"
        )


def _project(project: ProjectPlan) -> None:
    told = listed(project.kinds) or "no change"
    lines = [f"{project.project}: {told}" + ("" if project.steps else "; nothing is to be done")]
    for change in project.changes[:_SHOWN]:
        lines.append(f"  {change.kind:<17} {change.key}: {change.before or 'not there'} -> {change.now or 'gone'}")
    if len(project.changes) > _SHOWN:
        lines.append(f"  and {len(project.changes) - _SHOWN} changes more (--json shows all)")
    if project.partitions["partitions"]:
        columns = listed(project.partitions["columns"], 6)
        lines.append(f"  history           {project.partitions['partitions']} partitions no longer hold: {columns}")
    lines += [f"  touched           {sentence}" for sentence in project.touched]
    for line in lines:
        console.on_stdout().print(console.printable(line), markup=False)
    if project.steps:
        console.on_stdout().print(_steps(project))


def _steps(project: ProjectPlan) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("step", "seconds", "why"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for step in project.steps:
        seconds = "not measured" if step.seconds is None else f"{step.seconds:.1f}"
        table.add_row(step.name, seconds, Text(console.printable(step.why)))
    return table
