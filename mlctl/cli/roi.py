"""The command about what a project brings: roi."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, moment_of, present


@app.command(rich_help_panel="Look")
def roi(
    project: Project,
    since: Annotated[str | None, typer.Option(help="count from this moment on; default: from the beginning")] = None,
    json: AsJson = False,
) -> None:
    """What acting brought, measured against those held out (cost.holdout_share), and what each unit of money became."""
    from mlctl import config, console
    from mlctl import returns as work
    from mlctl.console import cost as shown

    places = enter(project, json)
    found = work.returns(places, config.compose(places).project, moment_of("--since", since), present())
    console.json_data(found.record()) if json else shown.returns(found)
