"""The commands about item vectors: index, reembed."""

from __future__ import annotations

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, present
from mlctl.errors import EXIT_REFUSED


@app.command(rich_help_panel="Work")
def index(project: Project, json: AsJson = False) -> None:
    """Put item vectors into the database and show them once the search finds what it must, else exit 4."""
    from mlctl import console
    from mlctl.indexing import making

    places = enter(project, json)
    with console.progress() as tell:
        made = making.index(places, present(), tell)
    if json:
        console.json_data(made.record())
    exit_with(EXIT_REFUSED if made.built.refused else 0)
