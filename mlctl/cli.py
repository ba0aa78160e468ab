"""The command line: parse, call one function, show its report, give its exit code. The only module that exits."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlctl import __version__
from mlctl.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_REFUSED, EXIT_TERMINATED, ConfigError, MlctlError

if TYPE_CHECKING:
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
database_app = typer.Typer(no_args_is_help=True, help="The database of the scores.")
app.add_typer(database_app, name="db", rich_help_panel="Look")

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="projects/NAME, or NAME alone")]
Projects = Annotated[
    list[str] | None, typer.Argument(metavar="[PROJECT]...", help="default: every project of the workspace")
]
AsJson = Annotated[bool, typer.Option("--json", help="data as JSON on stdout")]
_state = {"json": False}


class Stopped(BaseException):
    """A signal asked this command to stop; not an Exception, so that nothing on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED


_signals: list[Stopped] = []
"""What asked this command to stop, also where a library made another exception of it."""


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

    places = _enter(project, json)
    if multirun:
        with console.progress() as tell:
            runs = flow.sweep(places, overrides or [], _now(), tell)
        console.json_data([run.record() for run in runs]) if json else console.sweep_table(runs)
        return
    with console.progress() as tell:
        report = flow.run(places, overrides or [], _now(), tell)
    console.json_data(report.record()) if json else console.run_summary(report)
    _exit(EXIT_REFUSED if report.refused else 0)


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
    from mlctl.times import moment

    places = _enter(project, json)
    wanted = _now().replace(hour=0, minute=0, second=0, microsecond=0) if latest else None
    try:
        wanted = moment(as_of) if as_of else wanted
    except ValueError as error:
        raise ConfigError.bad_override(f"--as-of {as_of}", str(error)) from error
    with console.progress() as tell:
        report = flow.ingest(places, wanted, _now(), tell)
    if json:
        console.json_data({"format_version": "1.0", **report.data})


def _stage_command(name: str, summary: str) -> None:
    def command(project: Project, json: AsJson = False) -> None:
        _run_stage(name, project, json)

    command.__doc__ = summary
    app.command(name, rich_help_panel="Stages (dvc.yaml calls them)")(command)


_stage_command("check", "Hold the snapshot against its contract; set bad rows aside with the reason.")
_stage_command("features", "Make the tables that teach and judge, at past moments.")
_stage_command("train", "Train the model and the simpler ones below it; prove the ONNX export.")
_stage_command("evaluate", "Judge every model on the frozen test set, with intervals and cohorts.")
_stage_command("package", "Seal what passed the gate into a release.")


@app.command(rich_help_panel="Stages (dvc.yaml calls them)")
def compose(
    project: Project,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OVERRIDE]...", help="Hydra overrides; with them the result is only shown"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Validate the YAML and write the composed params.yaml; with overrides, show what they would make of it."""
    from mlctl import config, console

    if not overrides:
        _run_stage("compose", project, json)
        return
    import yaml

    composed = config.compose(_enter(project, json), overrides)
    console.json_data(composed.mapping) if json else console.data(yaml.safe_dump(composed.mapping, sort_keys=False))


@app.command(rich_help_panel="Stages (dvc.yaml calls them)")
def gate(
    projects: Projects = None,
    format: Annotated[str, typer.Option(help="table, json, md or github")] = "table",
) -> None:
    """Hold evaluations against their gates; exit code 4 when one refuses."""
    from mlctl import console, flow
    from mlctl.github import annotate

    if format not in ("table", "json", "md", "github"):
        raise ConfigError.bad_override(f"--format {format}", "it is one of table, json, md, github")
    reports = [flow.stage("gate", places) for places in _enter_all(projects, format == "json")]
    records = [report.data for report in reports]
    for report in reports:
        console.stage_line("gate", f"{report.data['project']}: {report.line}")
    if "DVC_STAGE" in os.environ:
        # the run that waits for this stage shows the table itself
        _exit(EXIT_REFUSED if any(report.refused for report in reports) else 0)
        return
    if format == "json":
        console.json_data({"format_version": "1.0", "gates": records})
    elif format == "table":
        console.gates(records)
    else:
        markdown = console.gates_markdown(records)
        console.data(annotate(records, markdown) if format == "github" else markdown)
    _exit(EXIT_REFUSED if any(report.refused for report in reports) else 0)


@app.command(rich_help_panel="Work")
def score(project: Project, json: AsJson = False) -> None:
    """Score everybody with the sealed release and publish the scores; `mlctl run` does this too."""
    from mlctl import config, console, flow

    places = _enter(project, json)
    with console.progress() as tell:
        published = flow.publish(places, config.read_params(places), _now(), tell)
    if json:
        console.json_data({"format_version": "1.0", **vars(published)})


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

    places = _enter(project, False) if project else _only_project()
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

    _state["json"] = json
    findings = examination.examine(Path.cwd())
    console.json_data([asdict(finding) for finding in findings]) if json else console.doctor_table(findings)
    _exit(7 if any(finding.state == "fail" for finding in findings) else 0)


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

    _exit(database.psql(_database(project), Path.cwd(), arguments or []))


@database_app.command()
def start() -> None:
    """Start the embedded PostgreSQL and leave it running for other programs."""
    from mlctl import console, database

    _enter_workspace()
    console.data(database.start(Path.cwd()))


@database_app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL."""
    from mlctl import console, database

    _enter_workspace()
    console.words("stopped" if database.stop(Path.cwd()) else "it was not running")


def _run_stage(name: str, project: str, json: bool) -> None:
    from mlctl import console, flow

    report = flow.stage(name, _enter(project, json))
    for line in (report.line, *report.details):
        console.stage_line(name, line)
    if json:
        console.json_data({"format_version": "1.0", **report.data})


def _database(project: str | None) -> Any:
    """The database of a project; without one, of the only project or the embedded default."""
    from mlctl import config, spec

    places = _enter(project, False) if project else _only_project()
    return spec.Database() if places is None else config.with_secrets(config.compose(places).project.database)


def _enter_workspace() -> None:
    """Goes to the workspace's root: all paths are relative to it."""
    from mlctl.workspace import root_above

    os.chdir(root_above(Path.cwd()))


def _enter(project: str, json: bool) -> Places:
    from mlctl.workspace import project_named

    _state["json"] = json
    start = Path.cwd()
    _enter_workspace()
    named = start / project
    text = os.path.relpath(named) if (named / "project.yaml").is_file() else project
    return project_named(Path.cwd(), text)


def _enter_all(names: list[str] | None, json: bool) -> list[Places]:
    from mlctl.workspace import projects

    if names:
        return [_enter(name, json) for name in names]
    _enter_workspace()
    return [_enter(name, json) for name in projects(Path.cwd())]


def _only_project() -> Places | None:
    from mlctl.workspace import Places, projects

    _enter_workspace()
    names = projects(Path.cwd())
    return Places(names[0]) if len(names) == 1 else None


def _now() -> datetime:
    return datetime.now(UTC)


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mlctl {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    pass


def _stop(number: int, _: object) -> NoReturn:
    _signals.append(Stopped(number))
    raise _signals[-1]


def main() -> None:
    """The door: runs the command and turns every outcome into an exit code."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    if "DVC_STAGE" in os.environ:
        from mlctl.dvc import die_with_parent

        die_with_parent()
    sys.exit(_outcome(app))


def _outcome(command: Callable[[], None]) -> int:
    from mlctl import console
    from mlctl.crash import crash_file

    try:
        command()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_BUG
    except MlctlError as error:
        console.error(error, _state["json"])
        return error.exit_code
    except BrokenPipeError:
        # the reader went away (`| head`): not an error of ours, and nothing can be written any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as bug:
        if _signals:
            # whatever a library on the way made of it: Rust tells it as a panic of its own
            console.words("stopped; nothing is half-written, the same command goes on")
            return _signals[0].exit_code
        if not isinstance(bug, Exception):
            raise
        # the outermost edge: a bug becomes one line and a file
        console.words(f"error:  a bug in mlctl: {type(bug).__name__}: {bug}")
        console.words(f"where:  {crash_file(bug)}")
        console.words("next:   please report it with that file")
        return EXIT_BUG
    return 0


if __name__ == "__main__":
    main()
