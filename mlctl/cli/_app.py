"""The application that commands register on, and what every command does first: find workspace and project."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlctl.errors import ConfigError

if TYPE_CHECKING:
    from mlctl.releases import Reference
    from mlctl.rollout import Note
    from mlctl.workspace import Places

app = typer.Typer(
    name="mlctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""One YAML folder becomes a production machine-learning system.

    Examples:

      mlctl run projects/churn                                bring everything up to date and publish the scores

      mlctl run projects/churn model=logistic model.c=0.5     try a variant; nothing is published

      mlctl run projects/churn -m model.depth=2,3,4           try several, compare them in one table

      mlctl explain model.xgboost                             what a kind or a key means, and who set it
    """,
)
Project = Annotated[str, typer.Argument(metavar="PROJECT", help="projects/NAME, or NAME alone")]
Projects = Annotated[
    list[str] | None, typer.Argument(metavar="[PROJECT]...", help="default: every project of the workspace")
]
ReleaseOf = Annotated[
    str, typer.Argument(metavar="RELEASE", help="NAME (who answers), NAME@champion, NAME@challenger, NAME/7 or NAME/ID")
]
Why = Annotated[str, typer.Option("--why", help="the reason, for the history")]
AsJson = Annotated[bool, typer.Option("--json", help="data as JSON on stdout")]
state: dict[str, Any] = {"json": False}
"""Whether the command's reader asked for JSON; an error is then told as JSON too."""


def enter_workspace() -> None:
    """Goes to the workspace's root: all paths are relative to it."""
    from mlctl.workspace import root_above

    os.chdir(root_above(Path.cwd()))


def enter(project: str, json: bool) -> Places:
    """Goes to the workspace's root and finds the project that was named from where the command was typed."""
    from mlctl.workspace import project_named

    state["json"] = json
    start = Path.cwd()
    enter_workspace()
    named = start / project
    text = os.path.relpath(named) if (named / "project.yaml").is_file() else project
    return project_named(Path.cwd(), text)


def enter_release(text: str, json: bool) -> tuple[Places, Reference]:
    """Goes to the workspace's root, and what a word such as `churn@champion`, `churn/7` or `projects/churn` names."""
    from mlctl.releases import Reference

    reference = None if (Path.cwd() / text / "project.yaml").is_file() else Reference.read(text)
    places = enter(text if reference is None else reference.project, json)
    return places, reference or Reference(places.name)


def enter_all(names: list[str] | None, json: bool) -> list[Places]:
    """The named projects, or every one of the workspace."""
    from mlctl.workspace import projects

    if names:
        return [enter(name, json) for name in names]
    enter_workspace()
    return [enter(name, json) for name in projects(Path.cwd())]


def only_project() -> Places | None:
    """The workspace's project where it has just one."""
    from mlctl.workspace import Places, projects

    enter_workspace()
    names = projects(Path.cwd())
    return Places(names[0]) if len(names) == 1 else None


def present() -> datetime:
    """The present, in UTC: the one place that reads the clock."""
    return datetime.now(UTC)


def note(why: str, **evidence: Any) -> Note:
    """What the history keeps of a change: who typed it, when, why, and what it rests on."""
    import getpass
    import socket

    from mlctl import git
    from mlctl.rollout import Note

    name, address = ((git.said("config", key) or "").strip() for key in ("user.name", "user.email"))
    by = f"{name} <{address}>" if address else f"{getpass.getuser()}@{socket.gethostname()}"
    return Note(by, present(), why, evidence)


def moment_of(option: str, text: str | None) -> datetime | None:
    """The moment that an option names; None where it was not given.

    Raises:
        ConfigError: It is no moment.
    """
    from mlctl.times import moment

    try:
        return moment(text) if text else None
    except ValueError as error:
        raise ConfigError.bad_override(f"{option} {text}", str(error)) from error


def exit_with(code: int) -> None:
    """Ends the command with a code other than 0."""
    if code:
        raise typer.Exit(code)
