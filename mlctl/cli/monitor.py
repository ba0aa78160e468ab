"""The command that watches: monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, moment_of, present
from mlctl.errors import EXIT_ALARM, EXIT_REFUSED

if TYPE_CHECKING:
    from mlctl.workspace import Places


@app.command(rich_help_panel="Look")
def monitor(  # noqa: PLR0913  (options of a command line are named)
    project: Project,
    *,
    date: Annotated[str | None, typer.Option(help="the day to judge; default: the latest that was scored")] = None,
    since: Annotated[str | None, typer.Option(help="judge every day from this one on")] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="plant decays into the past, and tell how soon labels show them; exit 4 if not"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="tell nobody and begin nothing: only show what was found")
    ] = False,
    json: AsJson = False,
) -> None:
    """Hold what was scored against training: drift, late labels, freshness; exit code 9 when something alarms."""
    from mlctl import config, console, responding
    from mlctl.console import alerts, progress
    from mlctl.console import monitor as shown
    from mlctl.costs import ledger
    from mlctl.watching import watch

    places = enter(project, json)
    if replay:
        _replay(places, json)
        return
    first, last = moment_of("--since", since), moment_of("--date", date)
    composed = config.compose(places).project
    with ledger.entered(places, "monitor", present()):
        report = watch.watch(places, composed, first and first.date(), last and last.date(), present())
    with progress() as tell:
        response = None if dry_run else responding.respond(places, composed, report, present(), tell)
    if json:
        console.json_data({**report.record(), "response": response and response.record()})
    else:
        shown.monitored(report)
        alerts.responded(response)
    exit_with(EXIT_ALARM if report.alarmed else 0)


def _replay(places: Places, json: bool) -> None:
    """Replays the past, and ends with the code of a refusal where a planted decay was missed or an alarm was false."""
    from mlctl import config, console
    from mlctl.console import monitor as shown
    from mlctl.watching.replay import replay

    with console.progress() as tell:
        found = replay(places, config.compose(places).project, tell)
    console.json_data(found.record()) if json else shown.replayed(found)
    exit_with(0 if found.proved else EXIT_REFUSED)
