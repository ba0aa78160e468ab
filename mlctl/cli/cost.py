"""The commands about money: cost, advise."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Projects, app, enter_all, present


@app.command(rich_help_panel="Look")
def cost(
    projects: Projects = None,
    month: Annotated[str | None, typer.Option(help="such as 2026-11; default: this month")] = None,
    what_if: Annotated[
        str | None,
        typer.Option("--what-if", metavar="every=6h", help="what another cadence costs, and what the model loses"),
    ] = None,
    json: AsJson = False,
) -> None:
    """What stages, runs, features and predictions cost by the prices of cost:, and what another cadence would."""
    from mlctl import config, console, costs, staleness
    from mlctl.console import cost as shown

    every = [(places, config.compose(places).project) for places in enter_all(projects, json)]
    if what_if:
        answers = [costs.what_if(places, project, what_if) for places, project in every]
        losses = [
            staleness.staleness(places, project, [cadence.every for cadence in answer.cadences])
            for (places, project), answer in zip(every, answers, strict=True)
        ]
        told = list(zip(answers, losses, strict=True))
        if json:
            console.json_data([{**one.record(), "staleness": loss and loss.record()} for one, loss in told])
        else:
            shown.cadences(told)
        return
    months = [costs.monthly(places, project, month, present()) for places, project in every]
    console.json_data([one.record() for one in months]) if json else shown.months(months)


@app.command(rich_help_panel="Look")
def advise(projects: Projects = None, json: AsJson = False) -> None:
    """What could be smaller, rarer or left out, with the numbers that say so; nothing is changed."""
    from mlctl import advice, config, console

    every = [(places, config.compose(places).project) for places in enter_all(projects, json)]
    found = {places.name: advice.advise(places, project) for places, project in every}
    if json:
        console.json_data({name: [one.record() for one in told] for name, told in found.items()})
        return
    for name, told in found.items():
        for one in told:
            console.data(f"{name}: {one.say}\n  because {one.because}")
        if not told:
            console.data(f"{name}: nothing that was measured could be smaller")
