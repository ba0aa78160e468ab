"""The command for people who know the business: review."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, note, present
from mlctl.errors import EXIT_REFUSED


@app.command(rich_help_panel="Look")
def review(  # noqa: PLR0913  (options of a command line are named)
    project: Project,
    *,
    answer: Annotated[str, typer.Option(metavar="CARD", help="the card that is answered")] = "",
    wrong: Annotated[bool, typer.Option("--wrong/--right", help="whether its score makes no sense, or does")] = False,
    at_least: Annotated[float | None, typer.Option(help="the group's mean score should not be below")] = None,
    at_most: Annotated[float | None, typer.Option(help="the group's mean score should not be above")] = None,
    because: Annotated[str, typer.Option(help="why, for those who read reviews.yaml")] = "",
    json: AsJson = False,
) -> None:
    """Show groups that are scored far from all others, for experts; exit 4 where one stays as they called it wrong."""
    from mlctl import config, console
    from mlctl import review as reviewing
    from mlctl.console import review as shown

    places = enter(project, json)
    composed = config.compose(places).project
    found = reviewing.review(places, composed)
    if answer:
        said = {"card": answer, "verdict": "wrong" if wrong else "right", "because": because}
        said |= {"at_least": at_least, "at_most": at_most}  # type: ignore[dict-item]
        reviewing.keep(places, found, said, note("").by, present())
        found = reviewing.review(places, composed)
    console.json_data(found.record()) if json else shown.reviewed(found, places)
    exit_with(0 if found.passed or answer else EXIT_REFUSED)
