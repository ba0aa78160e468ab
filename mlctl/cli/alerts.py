"""The commands about alarms: what is open, what waits to be sent, silences, and false alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, exit_with, moment_of, present, state
from mlctl.errors import ConfigError, ExternalError

if TYPE_CHECKING:
    from mlctl.alarms import Delivered
    from mlctl.spec import Project as Record
    from mlctl.workspace import Places

alerts_app = typer.Typer(no_args_is_help=True, help="Alarms: who is told, silences, false ones.")
app.add_typer(alerts_app, name="alerts", rich_help_panel="Look")
Because = Annotated[str, typer.Option(help="why, for whoever reads it later")]
By = Annotated[str, typer.Option(help="who says so; default: git's user.name")]


@alerts_app.command()
def show(project: Project, json: AsJson = False) -> None:
    """Show open alarms, what they would start, messages that wait, and silences."""
    from mlctl import alarms, console
    from mlctl.console import alerts as shown

    places, record = _project(project, json)
    now = present()
    book, decisions = alarms.read(places), alarms.decisions(places, record, now)
    if json:
        console.json_data(shown.record(book, decisions, now))
    else:
        shown.book(book, decisions, now)


@alerts_app.command()
def test(
    project: Project,
    send: Annotated[
        list[str] | None, typer.Option("--send", metavar="CHANNEL", help="really send a test message there; all: all")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show what each channel would be sent, secrets left out, and send nothing; with --send, send a test message."""
    from mlctl import alarms, console
    from mlctl.console import alerts as shown

    _, record = _project(project, json)
    if send:
        names = [] if send == ["all"] else send
        _told(alarms.try_out(record, names, present()), json)
        return
    made = alarms.dry_run(record, present())
    console.json_data([{"channel": name, "payload": text} for name, text in made]) if json else shown.dry_run(made)


@alerts_app.command()
def flush(
    project: Project,
    drop: Annotated[
        str | None, typer.Option(metavar="CHANNEL", help="give up what this channel has not taken, for good")
    ] = None,
    json: AsJson = False,
) -> None:
    """Send what waits now; exit 7 if something waits still. The next `mlctl monitor` does this too."""
    from mlctl import alarms, console

    places, record = _project(project, json)
    if drop:
        console.words(f"  alerts    gave up {alarms.drop(places, drop, present())} messages to {drop}")
        return
    _told(alarms.deliver(places, record, present()), json)


@alerts_app.command()
def silence(
    project: Project,
    pattern: Annotated[str, typer.Argument(help="alarm id, monitor or cause; * and ? stand for anything")],
    until: Annotated[str, typer.Option(help="when it ends, such as 2026-12-01; a moment that has passed ends it now")],
    because: Because = "",
    by: By = "",
) -> None:
    """Tell nobody of some alarms for a while; what is still open when it ends is told then."""
    from mlctl import alarms, console

    places, _ = _project(project, False)
    ends = moment_of("--until", until)
    if ends is None:
        raise ConfigError.bad_argument("--until", "it is empty")
    covered = alarms.silence(places, alarms.Silence(pattern, ends, by or _user(), because), present())
    console.words(f"  alerts    {pattern} is silent until {until}: {len(covered)} open alarms now")


@alerts_app.command()
def mark(
    project: Project,
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="its id, or the beginning of it")],
    false: Annotated[bool, typer.Option("--false/--true", help="whether it was a false alarm")],
    because: Because = "",
    by: By = "",
) -> None:
    """Say that an alarm was a false one, or a right one; a false one is told no more and starts nothing."""
    from mlctl import alarms, console

    places, _ = _project(project, False)
    marked = alarms.mark(places, alarm, present(), false=false, by_whom=(by or _user(), because))
    console.words(f"  alerts    {marked.id} ({marked.cause}) is marked as {'false' if false else 'right'}")


@alerts_app.command()
def budget(
    project: Project,
    month: Annotated[str | None, typer.Option(help="such as 2026-11; default: every month")] = None,
    json: AsJson = False,
) -> None:
    """Count the alarms of each month, those marked as false, and the false ones that respond.most_false allows."""
    from mlctl import alarms, console
    from mlctl.console import alerts as shown

    places, record = _project(project, json)
    months = alarms.budget(places, record, month)
    console.json_data([one.record() for one in months]) if json else shown.budget(months)


def _project(project: str, json: bool) -> tuple[Places, Record]:
    from mlctl import config

    places = enter(project, json)
    return places, config.compose(places).project


def _user() -> str:
    from mlctl import git

    return (git.said("config", "user.name") or "").strip()


def _told(outcomes: list[Delivered], json: bool) -> None:
    from mlctl import console
    from mlctl.console import alerts as shown

    state["json"] = json
    console.json_data([outcome.record() for outcome in outcomes]) if json else shown.delivered(outcomes)
    exit_with(ExternalError.exit_code if any(outcome.why for outcome in outcomes) else 0)
