"""The commands about who answers whom: ramp, compare."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, Why, app, enter, note

Challenger = Annotated[
    str,
    typer.Option("--challenger", help="sealed, or the id of a kept release; default: the one there is, else sealed"),
]


@app.command(rich_help_panel="Work")
def ramp(  # noqa: PLR0913  (options of a command line are named)
    *,
    project: Project,
    percent: Annotated[
        float | None, typer.Argument(help="the challenger's share, 0 to 100 by 0.001; 0 takes it away at once")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="let it answer in the background; nobody gets its answers")
    ] = False,
    next_: Annotated[bool, typer.Option("--next", help="take the next of rollout.steps, if it is due")] = False,
    status: Annotated[bool, typer.Option("--status", help="only show how it stands")] = False,
    challenger: Challenger = "",
    why: Why = "",
    json: AsJson = False,
) -> None:
    """Give the challenger a share of the entities, a larger one, all, or none.

    mlctl ramp churn 1          the last release answers 1 % of the entities, always the same ones

    mlctl ramp churn 0          nobody any more: running servers follow within a second

    mlctl ramp churn --shadow   it answers in the background, for the comparison alone

    mlctl ramp churn --next     the next of rollout.steps, if its pause is over

    mlctl ramp churn --status   who answers whom, since when, by whose word
    """
    from mlctl import comparing, console
    from mlctl.console import rollout as shown
    from mlctl.ramp import Asked

    places = enter(project, json)
    stands = comparing.ramp(places, Asked(percent, shadow, next_, status, challenger), note(why))
    console.json_data(stands.record()) if json else shown.stands(stands)


@app.command(rich_help_panel="Look")
def compare(project: Project, json: AsJson = False) -> None:
    """Compare champion and challenger by what became of everybody: promote, keep, or how many labels are missing."""
    from mlctl import comparing, console
    from mlctl.console import rollout as shown

    found = comparing.compare(enter(project, json))
    console.json_data(found.record()) if json else shown.compared(found)
