"""The commands about releases that are kept: releases, diff, promote, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Projects, ReleaseOf, Why, app, enter, enter_all, enter_release, note, present
from mlctl.errors import ConfigError

if TYPE_CHECKING:
    from mlctl.releases import Entry
    from mlctl.workspace import Places

Tag = Annotated[bool, typer.Option("--tag", help="also tag it in git, as GTO reads it: NAME@vN and NAME#champion#N")]
To = Annotated[str | None, typer.Option(help="of scores: a run id; of a release: NAME/7; default: the one before")]


@app.command(rich_help_panel="Look")
def releases(projects: Projects = None, json: AsJson = False) -> None:
    """List the releases that are kept: number, id, who answers, gate, metrics, what each was made from."""
    from mlctl import console
    from mlctl import releases as kept
    from mlctl.console import releases as shown

    found = {places.name: kept.listing(places) for places in enter_all(projects, json)}
    if json:
        console.json_data({"format_version": "1.0", "releases": [line for lines in found.values() for line in lines]})
    else:
        shown.releases_table(found)


@app.command(rich_help_panel="Look")
def diff(
    before: ReleaseOf,
    now: ReleaseOf,
    format: Annotated[str, typer.Option(help="table, json or md")] = "table",
) -> None:
    """Tell what differs between two releases, and why: data, schema, features, parameters, metrics, scores."""
    from mlctl import console
    from mlctl.console import releases as shown
    from mlctl.lineage import differences, facts

    if format not in ("table", "json", "md"):
        raise ConfigError.bad_argument(f"--format {format}", "it is one of table, json, md")
    entries = [_kept(text, format == "json") for text in (before, now)]
    told = [facts.told(entry.facts) for entry in entries]
    found, why = differences.differences(*told), differences.causes(*told)
    title = f"{entries[0].name} ({entries[0].release}) -> {entries[1].name} ({entries[1].release})"
    if format == "json":
        records = [difference.record() for difference in found]
        console.json_data({"format_version": "1.0", "between": title, "why": why, "differences": records})
    elif format == "md":
        console.data(differences.markdown(title, found, why))
    else:
        shown.differences_table(title, found, why)


def _kept(text: str, json: bool) -> Entry:
    from mlctl import releases as kept

    places, reference = enter_release(text, json)
    entry = kept.named(
        places, reference if reference.which else kept.Reference(places.name, reference.alias or "champion")
    )
    if entry is None:
        raise ConfigError.bad_argument(text, "it names no release", f"mlctl releases {places.name}")
    return entry


@app.command(rich_help_panel="Work")
def promote(release: ReleaseOf, why: Why = "", tag: Tag = False, json: AsJson = False) -> None:
    """Make a release the champion: the one that is named, or of NAME alone the last that was sealed."""
    from mlctl import console
    from mlctl import releases as kept

    places, reference = enter_release(release, json)
    by = note(why or "promoted by hand")
    entry = kept.named(places, reference) or kept.keep(places, by)
    promoted = kept.promote(places, entry, by)
    if json:
        console.json_data(promoted.record())
    else:
        how = (
            "is the champion already" if promoted.already else f"is the champion now, after {promoted.before or 'none'}"
        )
        console.stage_line("promote", f"release {promoted.release} ({promoted.name}) {how}")
    for name in kept.tag(places, entry) if tag else ():
        console.stage_line("tag", name)
    _told_mlflow(places)


def _told_mlflow(places: Places) -> None:
    from mlctl import console
    from mlctl import releases as kept

    if told := kept.tell_mlflow(places):
        console.stage_line("mlflow", told)


@app.command(rich_help_panel="Work")
def rollback(  # noqa: PLR0913 - options of a command line are named
    what: Annotated[str, typer.Argument(metavar="NAME|scores", help="a project, or the scores of one")],
    project: Annotated[str | None, typer.Argument(metavar="[PROJECT]", help="whose scores")] = None,
    *,
    to: To = None,
    list_: Annotated[bool, typer.Option("--list", help="only show what can be gone back to")] = False,
    why: Why = "",
    json: AsJson = False,
) -> None:
    """Make the champion before this one answer again, or show the scores of an earlier run again."""
    if what == "scores" and project is not None:
        _scores_back(enter(project, json), to, list_, json)
        return
    if project is not None:
        raise ConfigError.bad_argument(what, "what can go back: NAME, or scores NAME")
    places = enter(what, json)
    _release_back(places, to, list_, why, json)


def _scores_back(places: Places, to: str | None, list_: bool, json: bool) -> None:
    from mlctl import config, console
    from mlctl.console import run as shown
    from mlctl.scoring import publishing

    if not list_:
        done = publishing.back(places, config.read_params(places), to, present())
        live, how = done.live, _already(done.already, to, f"scores {places.name} --to RUN")
        console.stage_line("rollback", f"{live.view} shows {live.rows:,} scores of run {live.run_id} again{how}")
    runs = publishing.kept(places, config.read_params(places))
    console.json_data([run.record() for run in runs]) if json else shown.runs(runs)


def _release_back(places: Places, to: str | None, list_: bool, why: str, json: bool) -> None:
    from mlctl import console
    from mlctl import releases as kept
    from mlctl.console import releases as shown

    if not list_:
        entry = None if to is None else kept.named(places, enter_release(to, json)[1])
        done = kept.back(places, entry, note(why or "rolled back by hand"))
        place = "" if done.before == done.release else f", in place of {done.before}"
        how = _already(done.already, to, f"{places.name} --to {places.name}/N")
        console.stage_line("rollback", f"{done.name} ({done.release}) answers again{place}{how}")
        _told_mlflow(places)
    lines = kept.listing(places)
    console.json_data(lines) if json else shown.releases_table({places.name: lines})


def _already(already: bool, to: str | None, further: str) -> str:
    """What is said where nothing was changed: a command that is typed again must not go back once more by itself."""
    if not already:
        return ""
    return (
        "; it did already"
        if to
        else f"; it did already, and nothing is changed: further back by mlctl rollback {further}"
    )
