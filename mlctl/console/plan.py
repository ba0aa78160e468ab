"""What would be done, before it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mlctl import console
from mlctl.changes import Applied, Planned, ProjectPlan
from mlctl.console.history import backfilled
from mlctl.console.retrain import retrained
from mlctl.errors import listed

_SHOWN: Final = 20


def planned(found: Planned, out: Path | None) -> None:
    """The plans on stdout, and how to apply them."""
    for project in found.projects:
        _project(project)
    seconds = sum(project.seconds for project in found.projects)
    cost = " + ".join(_sums(found.projects))
    console.words(f"  all       {seconds:,.0f} s, {cost} by the ledger and `cost:`, for {len(found.projects)} projects")
    steps = {step.name for project in found.projects for step in project.steps}
    if out is not None:
        console.words(f"  next      mlctl apply {out}")
    elif steps == {"backfill"}:
        console.words("  next      mlctl plan --out plan.json, then mlctl apply plan.json")
    elif steps:
        console.words(
            f"  next      mlctl retrain{f' --as-of {found.as_of}' if found.as_of else ''}, or --out plan.json"
        )


def applied(done: Applied) -> None:
    """What became of the releases, and of each stretch of history."""
    retrained(done.retrained)
    for name, stretches in done.backfilled.items():
        console.words(f"  {name}")
        for one in stretches:
            backfilled(one, None)


def _sums(projects: Sequence[ProjectPlan]) -> list[str]:
    """The money of all projects, by currency."""
    sums: dict[str, float] = {}
    for project in projects:
        sums[project.currency] = sums.get(project.currency, 0.0) + project.money
    return [f"{amount:,.4f} {currency}" for currency, amount in sums.items()]


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
    for heading in ("step", "seconds", project.currency, "why"):
        table.add_column(heading, justify="left" if heading in ("step", "why") else "right")
    for step in project.steps:
        seconds = "not measured" if step.seconds is None else f"{step.seconds:.1f}"
        cost = "" if step.money is None else f"{step.money:.5f}"
        table.add_row(step.name, seconds, cost, Text(console.printable(step.why)))
    return table
