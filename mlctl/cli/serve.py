"""The commands about answers over HTTP: serve, materialize, parity."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Project, ReleaseOf, app, enter, enter_release, exit_with, moment_of, present
from mlctl.errors import EXIT_REFUSED

if TYPE_CHECKING:
    from mlctl.materializing import Materialized


class Way(StrEnum):
    """How generations of the online store are handed on by the database."""

    put = "put"
    get = "get"


Folder = Annotated[
    Path | None,
    typer.Option("--release", help="folder of a sealed release; default: what RELEASE names"),
]


@app.command(rich_help_panel="Work")
def serve(
    project: ReleaseOf,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for every one")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port; 0: any free one")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes that share the port")] = 1,
    release: Folder = None,
) -> None:
    """Answer over HTTP with a sealed release: POST /predict or /recommend, /metrics, /docs."""
    from mlctl import config, console, releases
    from mlctl.server import process, recommend_process, starting

    folder = release and release.resolve()
    places, reference = enter_release(project, json=False)
    if releases.named(places, reference) is not None and workers > 1:
        folder = releases.folder_of(places, reference).resolve()
    served = process.Served(
        places.name,
        lambda: folder or releases.folder_of(places, reference),
        places.predictions,
        places.online,
        places.trial,
        None if folder else places,
        host,
        port,
    )
    beside = recommend_process.Beside(places.catalogue, lambda: config.read_params(places), Path.cwd())
    starting.serve(served, beside, workers, present, console.words)


@app.command(rich_help_panel="Work")
def materialize(
    project: Project,
    as_of: Annotated[
        str | None, typer.Option(help="features as of this moment of the snapshot; default: as of its end")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="compute everybody, also who cannot have moved")] = False,
    database: Annotated[
        Way | None, typer.Option(help="put: also hand the result on to other machines; get: only take what was put")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compute everybody's latest features and let servers look them up; a running server takes them at once."""
    from mlctl import console, distributing
    from mlctl.costs import ledger

    places = enter(project, json)
    with console.progress() as tell, ledger.entered(places, "materialize", present()):
        made: distributing.Fetched | Materialized
        if database == Way.get:
            made = distributing.fetch(places, tell)
        else:
            from mlctl import materializing

            made = materializing.materialize(places, moment_of("--as-of", as_of), full, tell)
        if database == Way.put:
            distributing.publish(places, present(), tell)
    if json:
        console.json_data(made.record())


@app.command(rich_help_panel="Work")
def parity(project: Project, json: AsJson = False) -> None:
    """Compute what was answered over HTTP again as a batch does, and compare every bit; exit 4 if any differs."""
    from mlctl import console
    from mlctl import parity as replaying

    places = enter(project, json)
    with console.progress() as tell:
        outcome = replaying.parity(places, tell)
    if json:
        console.json_data(outcome.record())
    exit_with(0 if outcome.passed else EXIT_REFUSED)
