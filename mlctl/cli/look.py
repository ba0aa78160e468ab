"""The commands that only look: explain, schema, doctor, and the database's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlctl.cli._app import AsJson, app, enter, enter_workspace, exit_with, only_project, state

database_app = typer.Typer(no_args_is_help=True, help="The database of the scores.")
app.add_typer(database_app, name="db", rich_help_panel="Look")


@app.command(rich_help_panel="Look")
def explain(
    what: Annotated[
        str | None, typer.Argument(metavar="[KIND|KEY]", help="such as model.xgboost, sources.csv, gate or model.depth")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="whose value to show; default: the only project")
    ] = None,
) -> None:
    """Tell what a kind or a key means, its value in a project, and who set it."""
    from mlctl import console, explain

    places = enter(project, False) if project else only_project()
    console.data(explain.explain(what, places))


@app.command(rich_help_panel="Look")
def schema() -> None:
    """Write the JSON Schema of project.yaml, for editors."""
    from mlctl import console, explain

    console.json_data(explain.schema())


@app.command(rich_help_panel="Look")
def doctor(json: AsJson = False) -> None:
    """Look over machine, environment, git, DVC and database; one line to mend each problem."""
    from dataclasses import asdict

    from mlctl import console
    from mlctl import doctor as examination
    from mlctl.console import sources as shown

    state["json"] = json
    findings = examination.examine(Path.cwd())
    console.json_data([asdict(finding) for finding in findings]) if json else shown.doctor_table(findings)
    exit_with(7 if any(finding.state == "fail" for finding in findings) else 0)


@database_app.command()
def url(project: Annotated[str | None, typer.Argument(metavar="[PROJECT]")] = None) -> None:
    """Print the connection string for other programs (the embedded one must be started to answer)."""
    from mlctl import console, database

    where = _database(project)
    console.data(where.dsn or database.server_url(Path.cwd()))


@database_app.command(context_settings={"ignore_unknown_options": True})
def psql(
    project: Annotated[str | None, typer.Argument(metavar="[PROJECT]")] = None,
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[-- PSQL_ARGUMENT...]")] = None,
) -> None:
    """Open psql on the database, or run it with arguments: mlctl db psql churn -- -c "select 1"."""
    from mlctl import database

    exit_with(database.psql(_database(project), Path.cwd(), arguments or []))


@database_app.command()
def start() -> None:
    """Start the embedded PostgreSQL and leave it running for other programs."""
    from mlctl import console, database

    enter_workspace()
    console.data(database.start(Path.cwd()))


@database_app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL."""
    from mlctl import console, database

    enter_workspace()
    console.words("stopped" if database.stop(Path.cwd()) else "it was not running")


def _database(project: str | None) -> Any:
    """The database of a project; without one, of the only project or the embedded default."""
    from mlctl import config, spec

    places = enter(project, False) if project else only_project()
    return spec.Database() if places is None else config.with_secrets(config.compose(places).project.database)
