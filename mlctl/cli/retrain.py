"""The command that brings releases up to date with the newest data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Projects, app, enter_all, exit_with, moment_of, note, present
from mlctl.errors import EXIT_REFUSED

Latest = Annotated[bool, typer.Option("--latest", help="with the data of this day")]
AsOf = Annotated[str | None, typer.Option(help="with the data of this moment; default: the data that is pinned")]
NoCommit = Annotated[bool, typer.Option("--no-commit", help="leave what was made staged and commit nothing")]

_RETRAIN = """From the newest data to a challenger or champion that answers, and a commit of what was made.

    Examples:

      mlctl retrain --latest                        every project, with the data of this day

      mlctl retrain --latest projects/churn         one project

      mlctl retrain churn --as-of 2026-12-01        with the data of a moment

    Killed anywhere, the same command goes on. Exit code 4 when a gate refuses: the champion stays what it was.
    """


@app.command(rich_help_panel="Work", help=_RETRAIN)
def retrain(
    projects: Projects = None,
    latest: Latest = False,
    as_of: AsOf = None,
    no_commit: NoCommit = False,
    json: AsJson = False,
) -> None:
    """From the newest data to a challenger or champion that answers, and a commit of what was made."""
    from mlctl import console, retraining
    from mlctl.console import retrain as shown

    wanted = moment_of("--as-of", as_of) or (_today() if latest else None)
    every = tuple(enter_all(projects, json))
    order = retraining.Order(every, wanted, not no_commit, note("retrained: mlctl retrain"))
    with console.progress() as tell:
        done = retraining.retrain(order, tell)
    console.json_data(done.record()) if json else shown.retrained(done)
    exit_with(EXIT_REFUSED if done.refused else 0)


def _today() -> datetime:
    return present().replace(hour=0, minute=0, second=0, microsecond=0)
