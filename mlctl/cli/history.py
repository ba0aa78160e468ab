"""The commands about features over time: backfill, leakcheck, freshness."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Project, Projects, app, enter, enter_all, exit_with, present
from mlctl.errors import EXIT_ALARM, ConfigError

if TYPE_CHECKING:
    from mlctl.history.backfill import Request

Start = Annotated[str, typer.Option(help="the first moment, such as 2025-01-01")]
End = Annotated[str, typer.Option(help="moments lie before it")]
Every = Annotated[str, typer.Option(help="from one moment to the next")]
Features = Annotated[list[str] | None, typer.Option("--feature", "-f", help="a feature or column; default: all")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="such as engine=spark")]


@app.command(rich_help_panel="Work", context_settings={"ignore_unknown_options": True})
def backfill(  # noqa: PLR0913  (options of a command line are named)
    project: Project,
    start: Start,
    end: End,
    overrides: Overrides = None,
    *,
    every: Every = "7d",
    feature: Features = None,
    out: Annotated[str | None, typer.Option(help="also write the asked columns into this Parquet file")] = None,
    json: AsJson = False,
) -> None:
    """Compute the features of everybody at past moments; resumable, only what is missing."""
    from mlctl import config, console
    from mlctl.console import history as shown
    from mlctl.costs import ledger
    from mlctl.history import backfill as work

    places = enter(project, json)
    composed = config.compose(places, overrides or []).project
    asked = request(start, end, every, feature)
    with console.buckets("backfill") as advance, ledger.entered(places, "backfill", present()) as line:
        done = work.run(places, composed, asked, advance)
        line.rows = done.rows
    if out is not None:
        work.export(places, composed, asked, out)
    console.json_data(done.record()) if json else shown.backfilled(done, out)


@app.command(rich_help_panel="Work")
def leakcheck(project: Project, json: AsJson = False) -> None:
    """Plant rows that were not known at a moment, and fail if any feature of that moment moves."""
    from mlctl import config, console
    from mlctl import leakcheck as check
    from mlctl.console import history as shown

    places = enter(project, json)
    with console.progress() as tell:
        report = check.leakcheck(places, config.compose(places).project, tell)
    console.json_data(report.record()) if json else shown.leakcheck_table(report)


@app.command(rich_help_panel="Look")
def freshness(projects: Projects = None, json: AsJson = False) -> None:
    """Tell which sources are too old, what depends on them, and which scheduled run was missed; exit code 9 if any."""
    from mlctl import config, console, timetables
    from mlctl import freshness as look
    from mlctl.console import history as shown

    every = {places: config.compose(places).project for places in enter_all(projects, json)}
    ages = {places.name: look.freshness(places, project, present()) for places, project in every.items()}
    missed = [late for places, project in every.items() for late in timetables.missed(places, project, present())]
    records = {name: [age.record() for age in found] for name, found in ages.items()}
    told = {"format_version": "1.1", "projects": records, "missed": [vars(late) for late in missed]}
    console.json_data(told) if json else shown.freshness_table(ages, [late.sentence() for late in missed])
    exit_with(EXIT_ALARM if missed or any(age.stale for found in ages.values() for age in found) else 0)


def request(start: str, end: str, every: str, features: list[str] | None) -> Request:
    """The moments and features that a command line asks for."""
    from mlctl.history.backfill import Request
    from mlctl.times import duration

    try:
        duration(every)
    except ValueError as error:
        raise ConfigError.bad_override(f"--every {every}", str(error)) from error
    return Request(_moment("--start", start), _moment("--end", end), every, tuple(features or ()))


def _moment(option: str, text: str) -> datetime:
    from mlctl.times import moment

    try:
        return moment(text)
    except ValueError as error:
        raise ConfigError.bad_override(f"{option} {text}", str(error)) from error
