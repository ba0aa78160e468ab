"""The command for rows that the checks set aside."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, present


@app.command(rich_help_panel="Look")
def quarantine(
    project: Project,
    admit: Annotated[
        list[str] | None, typer.Option("--admit", metavar="RULE|ROWID", help="let these rows through from now on")
    ] = None,
    because: Annotated[str, typer.Option(help="why they are right, for the reviewer of admitted.yaml")] = "",
    json: AsJson = False,
) -> None:
    """List the rows that checks set aside, by rule; with --admit, write into admitted.yaml that rows may pass."""
    from mlctl import config, console, flow, quarantine

    places = enter(project, json)
    if not admit:
        entries = quarantine.listing(places)
        console.json_data({"format_version": "1.0", "quarantine": entries}) if json else console.data(
            "\n".join(quarantine.shown(entries))
        )
        return
    added = quarantine.admit(places, admit, because)
    flow.write_params(places, config.compose(places), present())
    for entry in added:
        console.words(f"{places.admitted}: {len(entry.rows):,} rows may pass {entry.rule}")
    console.words(f"next:   review and commit {places.admitted}, then: mlctl run projects/{places.name}")
