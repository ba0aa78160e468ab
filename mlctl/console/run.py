"""What runs did, and whose scores can be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlctl import console
from mlctl.console.gate import changes_table, gate_table

if TYPE_CHECKING:
    from mlctl.database.generations import Generation
    from mlctl.flow import Run


def run_summary(run: Run) -> None:
    """The final panel: what was made from what, the gate, where the scores are, what to type next."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(run):
        facts.add_row(Text(name, style="bold"), Text(console.printable(value)))
    console.on_stderr().print()
    console.on_stderr().print(stage_table(run.stages))
    console.on_stderr().print(gate_table(run.gate))
    colour = "red" if run.refused else "yellow" if run.overrides else "green"
    title = "refused" if run.refused else "experiment" if run.overrides else "done"
    console.on_stderr().print(
        Panel(facts, title=f"{run.project}: {title} in {run.seconds:.1f} s", border_style=colour, expand=False)
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    sha = str(run.git["sha"])[:12] if run.git["sha"] else "no commit yet"
    if run.git["sha"] and run.git["dirty"]:
        sha += " with uncommitted changes"
    facts = [
        ("data", f"version {run.dataset['version'][:12]}, {run.dataset['rows']:,} rows as of {run.dataset['as_of']}"),
        ("git", sha),
    ]
    if run.overrides:
        facts.append(("overrides", " ".join(run.overrides)))
        facts += [
            (name, f"{value:.4f}{_against(run, name)}")
            for name, value in run.metrics.items()
            if isinstance(value, float)
        ]
        facts.append(("published", "nothing: an experiment. To keep it, write it into project.yaml"))
        facts.append(
            ("next", f"dvc metrics diff   |   mlctl run projects/{run.project} (back to the committed configuration)")
        )
    elif run.refused:
        facts.append(("published", "nothing: the gate refused; what was live before is live now"))
        facts.append(
            ("next", f"mlctl gate projects/{run.project}   |   mlctl run projects/{run.project} model=logistic")
        )
    elif run.published is not None:
        how = "as before" if run.published.already else "new"
        facts.append(("release", run.release))
        facts.append(
            ("scores", f"{run.published.rows:,} rows in {run.published.view} ({how}, run {run.published.run_id})")
        )
        facts.append(
            ("next", f'mlctl db psql projects/{run.project} -- -c "select * from {run.published.view} limit 5"')
        )
    else:
        # who is judged by states is recommended to: users' histories and vectors are laid out before they are served
        act = "index" if "states" in run.metrics else "serve"
        facts += [("release", run.release), ("next", f"mlctl {act} projects/{run.project}")]
    return facts


def _against(run: Run, metric: str) -> str:
    before = run.committed.get(metric)
    return f"  ({run.metrics[metric] - before:+.4f} against the last commit)" if isinstance(before, float) else ""


def stage_table(stages: Sequence[Any]) -> Any:
    """What each stage did, its seconds, and why, as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("stage", "outcome", "seconds", "why"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for stage in stages:
        seconds = f"{stage.seconds:.1f}" if stage.outcome != "skipped" else ""
        table.add_row(stage.stage, stage.outcome, seconds, Text(console.printable(stage.why)))
    return table


def gates(reports: Sequence[Mapping[str, Any]]) -> None:
    """The gates of several projects, on stdout, with what changed where a report says it."""
    for report in reports:
        console.on_stdout().print(f"{report['project']}: {'passed' if report['passed'] else 'REFUSED'}", markup=False)
        console.on_stdout().print(gate_table(report["rules"]))
        if report.get("changes"):
            console.on_stdout().print(f"against {report['against']}:", markup=False)
            console.on_stdout().print(changes_table(report["changes"]))
        elif "against" in report:
            console.on_stdout().print(f"nothing is better or worse than at {report['against']}", markup=False)


def runs(kept: Sequence[Generation]) -> None:
    """The runs whose scores can be shown, on stdout; one of them is live."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("run", "status", "rows", "as of", "release", "published"):
        table.add_column(heading, justify="right" if heading == "rows" else "left", no_wrap=True)
    for run in kept:
        told = run.record()
        table.add_row(run.run_id, run.status, f"{run.rows:,}", told["as_of"], run.release, told["published_at"])
    console.on_stdout().print(table)


def sweep_table(runs: Sequence[Run]) -> None:
    """Every run of a sweep as one table on stdout, the committed configuration's metrics being the last commit's."""
    from rich.table import Table

    names = [name for name, value in runs[0].metrics.items() if isinstance(value, float)]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("overrides", *names, "gate", "seconds"):
        table.add_column(heading, justify="left" if heading in ("overrides", "gate") else "right")
    for run in runs:
        values = [f"{run.metrics[name]:.4f}" if isinstance(run.metrics.get(name), float) else "" for name in names]
        table.add_row(" ".join(run.overrides), *values, "refused" if run.refused else "pass", f"{run.seconds:.1f}")
    console.on_stdout().print(table)
