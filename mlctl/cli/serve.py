"""The command that answers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlctl.cli._app import Project, app, enter, present

Folder = Annotated[
    Path | None, typer.Option("--release", help="folder of a sealed release; default: the champion, else the last one")
]


@app.command(rich_help_panel="Work")
def serve(
    project: Project,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for every one")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port; 0: any free one")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=256, help="processes that share the port")] = 1,
    release: Folder = None,
) -> None:
    """Answer over HTTP with a sealed release: POST /predict, Open Inference Protocol, /metrics, /docs."""
    from mlctl import console, releases
    from mlctl.server import process

    folder = release and release.resolve()
    places = enter(project, json=False)
    served = process.Served(
        places.name,
        lambda: folder or releases.to_serve(places),
        places.predictions,
        host,
        port,
    )
    if workers > 1:
        process.serve_by_several(served, workers, folder, console.words)
        return
    process.serve(served, present, console.words)
