"""The command that tells everything about a project on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter

Format = Annotated[str, typer.Option(help="html, json or md")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="the file; default: .mlctl/NAME/report/index.html, else stdout")
]
Open = Annotated[bool, typer.Option("--open", help="show the page in the browser")]


@app.command(rich_help_panel="Look")
def report(
    project: Project, format: Format = "html", out: Out = None, *, open: Open = False, json: AsJson = False
) -> None:
    """Tell everything on one page: data, ladder, curves, cohorts, errors, importance, gate, lineage."""
    from mlctl import config, console
    from mlctl import report as work

    target = out and out.resolve()
    places = enter(project, json or format == "json")
    kind = "json" if json else format
    told = work.report(places, config.read_params(places), kind)
    path = work.write(places, told, kind, target)
    console.data(told if path is None else str(path))
    if open and path is not None:
        typer.launch(str(path))
