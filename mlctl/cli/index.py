"""The commands about item vectors: index, reembed, decay."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, present
from mlctl.errors import EXIT_ALARM, EXIT_REFUSED


class Put(StrEnum):
    """How users' histories are handed on by the database."""

    put = "put"


@app.command(rich_help_panel="Work")
def index(
    project: Project,
    database: Annotated[
        Put | None, typer.Option(help="put: also hand users' histories on to servers on other machines")
    ] = None,
    json: AsJson = False,
) -> None:
    """Put item vectors into the database and show them once the search finds what it must, else exit 4."""
    from mlctl import console, distributing
    from mlctl.indexing import making

    places = enter(project, json)
    with console.progress() as tell:
        made = making.index(places, present(), tell)
        if database == Put.put and not made.built.refused:
            distributing.publish(places, present(), tell)
    if json:
        console.json_data(made.record())
    exit_with(EXIT_REFUSED if made.built.refused else 0)


@app.command(rich_help_panel="Work")
def reembed(
    project: Project,
    plan: Annotated[bool, typer.Option("--plan", help="only tell how many, how long, what it costs and when")] = False,
    cpu_hour: Annotated[float, typer.Option(min=0, help="price of an hour of a processor, for --plan")] = 0.05,
    json: AsJson = False,
) -> None:
    """Make every vector anew and index it beside the index that answers; with --plan, tell what is due."""
    from mlctl import console
    from mlctl.indexing import making, reembedding

    places = enter(project, json)
    if plan:
        told = reembedding.plan(places, present(), cpu_hour)
        console.json_data(told.record()) if json else console.lines("reembed", told.lines())
        return
    with console.progress() as tell:
        made = making.index(places, present(), tell, fresh=True)
    if json:
        console.json_data(made.record())
    exit_with(EXIT_REFUSED if made.built.refused else 0)


@app.command(rich_help_panel="Look")
def decay(project: Project, json: AsJson = False) -> None:
    """Measure what has become of the index that answers; exit 9 when something is beyond its limit."""
    from mlctl import console
    from mlctl.indexing import decaying

    places = enter(project, json)
    found = decaying.decayed(places, present())
    said = [*found.lines(), *(finding.sentence() for finding in found.findings)]
    console.json_data(found.record()) if json else console.lines("decay", said)
    exit_with(EXIT_ALARM if found.findings else 0)
