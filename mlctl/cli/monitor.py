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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="tell nobody and begin nothing: only show what was found")
    ] = False,
    json: AsJson = False,
) -> None:
    """Hold what was scored against training: drift, late labels, freshness; exit code 9 when something alarms."""
    from mlctl import config, console, responding
    from mlctl.console import alerts, progress
    from mlctl.console import monitor as shown
    from mlctl.watching import watch

    places = enter(project, json)
    first, last = moment_of("--since", since), moment_of("--date", date)
    composed = config.compose(places).project
    report = watch.watch(places, composed, first and first.date(), last and last.date(), present())
    with progress() as tell:
        response = None if dry_run else responding.respond(places, composed, report, present(), tell)
    if json:
        console.json_data({**report.record(), "response": response and response.record()})
    else:
        shown.monitored(report)
        alerts.responded(response)
    exit_with(EXIT_ALARM if report.alarmed else 0)
