"""The commands that say what would be done, and do exactly that: plan, apply."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, app, enter_all, enter_workspace, exit_with, moment_of, note, present, state
from mlctl.cli.history import Every, Features, request
from mlctl.errors import EXIT_REFUSED, ConfigError

if TYPE_CHECKING:
    from mlctl.workspace import Places

_Asked = tuple[str | None, str | None, str, list[str] | None]
"""Of a backfill: start, end, every, features."""
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PROJECT|OVERRIDE]...", help="default: every project"),
]
Start = Annotated[str | None, typer.Option(help="of a backfill: the first moment, such as 2025-01-01")]
End = Annotated[str | None, typer.Option(help="of a backfill: moments lie before it")]
Latest = Annotated[bool, typer.Option("--latest", help="with the data of this day")]
AsOf = Annotated[str | None, typer.Option(help="with the data of this moment; default: the data that is pinned")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="write the plan there: mlctl apply does exactly that")]

_PLAN = """Say what a change touches and costs: stages, partitions, releases, readers, seconds. Nothing is done.

    Examples:

      mlctl plan                                    what the changes of YAML, code and data mean, in every project

      mlctl plan --latest --out plan.json           with the data of this day, to be applied as it is

      mlctl plan churn model.depth=3                if it were so

      mlctl plan churn --start 2025-01-01 --end 2026-01-01     a backfill: what is missing, rows, memory
    """


@app.command(rich_help_panel="Look", context_settings={"ignore_unknown_options": True}, help=_PLAN)
def plan(  # noqa: PLR0913  (options of a command line are named)
    words: Words = None,
    *,
    latest: Latest = False,
    as_of: AsOf = None,
    out: Out = None,
    start: Start = None,
    end: End = None,
    every: Every = "7d",
    feature: Features = None,
    json: AsJson = False,
) -> None:
    """Say what a change touches and costs: stages, partitions, releases, readers, seconds. Nothing is done."""
    overrides = [word for word in words or () if "=" in word or word.startswith("~")]
    target = out and out.resolve()
    projects = enter_all([word for word in words or () if word not in overrides], json)
    if start or end or feature:
        _backfill(projects, overrides, (start, end, every, feature), json)
    else:
        _changes(projects, overrides, moment_of("--as-of", as_of) or (_today() if latest else None), target, json)


def _backfill(projects: list[Places], overrides: list[str], asked: _Asked, json: bool) -> None:
    from mlctl import config, console
    from mlctl.console import history as shown
    from mlctl.history import backfill

    start, end, every, feature = asked
    if start is None or end is None or len(projects) != 1:
        raise ConfigError.bad_argument("plan", "a backfill is planned for one project, from --start to --end")
    composed = config.compose(projects[0], overrides).project
    found = backfill.preflight(projects[0], composed, request(start, end, every, feature))
    console.json_data(found.record()) if json else shown.preflight(found)


def _changes(
    projects: list[Places], overrides: list[str], as_of: datetime | None, out: Path | None, json: bool
) -> None:
    from mlctl import changes, console
    from mlctl.console import plan as shown
    from mlctl.files import write_json

    if out is not None and overrides:
        raise ConfigError.bad_argument(overrides[0], "only what the YAML says can be applied", "edit project.yaml")
    planned = changes.plan(projects, as_of, overrides, present())
    if out is not None:
        write_json(out, planned.record())
    console.json_data(planned.record()) if json else shown.planned(planned, out)


@app.command(rich_help_panel="Work")
def apply(
    path: Annotated[Path, typer.Argument(metavar="PLAN", help="a plan that mlctl plan --out wrote")],
    no_commit: Annotated[bool, typer.Option("--no-commit", help="leave what was made staged")] = False,
    json: AsJson = False,
) -> None:
    """Do exactly what a plan says; exit code 5 when anything that it rests on has changed since."""
    from mlctl import changes, console
    from mlctl.console import plan as shown
    from mlctl.workspace import project_named

    state["json"] = json
    target = path.resolve()
    enter_workspace()
    by = note(f"applied {target.name}")
    with console.progress() as tell:
        hears = (tell, console.by_tenths("backfill", tell))
        done = changes.apply(target, lambda name: project_named(Path.cwd(), name), by, not no_commit, hears)
    console.json_data(done.record()) if json else shown.applied(done)
    exit_with(EXIT_REFUSED if done.retrained.refused else 0)


def _today() -> datetime:
    return present().replace(hour=0, minute=0, second=0, microsecond=0)
