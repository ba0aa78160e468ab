"""The command that shows how projects are: health."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import Projects, app, enter_all, present


@app.command(rich_help_panel="Look")
def health(
    projects: Projects = None,
    *,
    days: Annotated[int, typer.Option(min=1, max=400, help="days that are shown, back from the last scored one")] = 28,
    format: Annotated[str, typer.Option(help="html, json or md")] = "html",
    open: Annotated[bool, typer.Option("--open", help="show the page in the browser")] = False,
) -> None:
    """What was promised and what is now, day by day: drift, performance, releases, alarms, cost; one page for all."""
    from mlctl import config, console
    from mlctl import health as work

    every = enter_all(projects, format == "json")
    found = [work.told(places, config.compose(places).project, days, present()) for places in every]
    written = work.written(found, format)
    console.data(written if isinstance(written, str) else "\n".join(str(path) for path in written))
    if open and not isinstance(written, str):
        typer.launch(str(written[-1]))
