"""The commands that bring a project up to date: run, ingest, score, reproduce, tune."""

from __future__ import annotations

from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, ReleaseOf, app, enter, enter_release, exit_with, moment_of, present
from mlctl.errors import EXIT_REFUSED, IntegrityError


@app.command(rich_help_panel="Work", context_settings={"ignore_unknown_options": True})
def run(
    project: Project,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="Hydra overrides: model=logistic model.c=0.5")
    ] = None,
    multirun: Annotated[
        bool, typer.Option("-m", "--multirun", help="try every combination of a=1,2 and range(1,4)")
    ] = False,
    json: AsJson = False,
) -> None:
    """Bring a project up to date and publish its scores; with overrides, try a variant and publish nothing."""
    from mlctl import console, flow
    from mlctl.console import run as shown

    places = enter(project, json)
    if multirun:
        with console.progress() as tell:
            runs = flow.sweep(places, overrides or [], present(), tell)
        console.json_data([run.record() for run in runs]) if json else shown.sweep_table(runs)
        return
    with console.progress() as tell:
        report = flow.run(places, overrides or [], present(), tell)
    console.json_data(report.record()) if json else shown.run_summary(report)
    exit_with(EXIT_REFUSED if report.refused else 0)


@app.command(rich_help_panel="Work")
def ingest(
    project: Project,
    as_of: Annotated[
        str | None, typer.Option(help="moment of the snapshot, such as 2026-11-01; default: the pinned one")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="take the snapshot of this day")] = False,
    json: AsJson = False,
) -> None:
    """Freeze what the sources say at a moment, and pin it in data.dvc."""
    from mlctl import console, flow

    places = enter(project, json)
    today = present().replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = moment_of("--as-of", as_of) or (today if latest else None)
    with console.progress() as tell:
        report = flow.ingest(places, wanted, present(), tell)
    if json:
        console.json_data({"format_version": "1.0", **report.data})


@app.command(rich_help_panel="Work")
def score(
    project: Project,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[ENGINE]...", help="such as engine=spark")] = None,
    *,
    as_of: Annotated[
        str | None, typer.Option(help="score as of this moment of the snapshot; default: as of its end")
    ] = None,
    json: AsJson = False,
) -> None:
    """Score everybody with the sealed release and publish the scores; `mlctl run` does this too."""
    from mlctl import console
    from mlctl.indexing import lists
    from mlctl.scoring import distributed, publishing

    places = enter(project, json)
    composed = distributed.with_engine(places, overrides or [])
    publish = lists.publish if composed.ranks() else publishing.publish
    with console.progress() as tell:
        published = publish(places, composed, present(), tell, moment_of("--as-of", as_of))
    if json:
        console.json_data({"format_version": "1.0", **vars(published)})


@app.command(rich_help_panel="Work")
def reproduce(
    project: ReleaseOf,
    release: Annotated[str | None, typer.Option(help="folder of the release; default: the sealed one")] = None,
    json: AsJson = False,
) -> None:
    """Build a release again from its commit, data and parameters; exit code 6 when a byte differs."""
    from pathlib import Path

    from mlctl import console, releases
    from mlctl import reproduce as building

    places, reference = enter_release(project, json)
    entry = releases.named(places, reference)
    folder = places.release if entry is None else places.releases / entry.release
    with console.progress() as tell:
        done = building.reproduce(places, Path(release) if release else folder, tell)
    if json:
        console.json_data(done.record())
    elif done.first is None:
        console.stage_line("reproduce", f"release {done.again} again: all {done.same} files are the same, byte by byte")
    else:
        console.stage_line("reproduce", f"{done.first} is the first file that is not the same: {done.why}")
    exit_with(0 if done.first is None else IntegrityError.exit_code)


@app.command(rich_help_panel="Work")
def tune(
    project: Project,
    trials: Annotated[int | None, typer.Option(help="most trials; default: tune.trials")] = None,
    minutes: Annotated[float | None, typer.Option(help="most minutes; default: tune.minutes")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="trials at once; the study is the same for any")] = 1,
    json: AsJson = False,
) -> None:
    """Look for better options of the model on training rows alone; what clearly helps is written to tuned.yaml."""
    from mlctl import config, console, tuning
    from mlctl.costs import ledger

    places = enter(project, json)
    read = config.read_params_now(places, "tune")
    said = {name: value for name, value in (("trials", trials), ("minutes", minutes)) if value is not None}
    with console.progress() as tell, ledger.entered(places, "tune", present()):
        found = tuning.tune(places, read.model_copy(update={"tune": read.tune.model_copy(update=said)}), workers, tell)
    if json:
        console.json_data(found.record())
        return
    what = (
        f"{places.tuned} written; mlctl run {places.folder}"
        if found.adopted
        else "tuning bought nothing: kept as it is"
    )
    console.stage_line("tune", f"{what}. {found.advice}")
