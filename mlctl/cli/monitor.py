"""The command that watches: monitor."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, moment_of, present
from mlctl.errors import EXIT_ALARM


@app.command(rich_help_panel="Look")
def monitor(
    project: Project,
    date: Annotated[str | None, typer.Option(help="the day to judge; default: the latest that was scored")] = None,
    since: Annotated[str | None, typer.Option(help="judge every day from this one on")] = None,
    json: AsJson = False,
) -> None:
    """Hold what was scored against training: drift, late labels, freshness; exit code 9 when something alarms."""
    from mlctl import config, console
    from mlctl.console import monitor as shown
    from mlctl.watching import watch

    places = enter(project, json)
    first, last = moment_of("--since", since), moment_of("--date", date)
    composed = config.compose(places).project
    report = watch.watch(places, composed, first and first.date(), last and last.date(), present())
    console.json_data(report.record()) if json else shown.monitored(report)
    exit_with(EXIT_ALARM if report.alarmed else 0)
