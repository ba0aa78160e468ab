"""The commands that begin with data: discover, init, dictionary, contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, enter_workspace, state
from mlctl.errors import ConfigError

contract_app = typer.Typer(no_args_is_help=True, help="Data contracts in the open standard ODCS 3.1.")
app.add_typer(contract_app, name="contract", rich_help_panel="Look")
Paths = Annotated[list[str], typer.Argument(metavar="SOURCE...", help="CSV or Parquet files, or folders of them")]


@app.command(rich_help_panel="Begin")
def discover(
    sources: Paths,
    time: Annotated[str | None, typer.Option(help="column of the event time; default: guessed")] = None,
    json: AsJson = False,
) -> None:
    """Draft sources, a contract, a dictionary, joins and questions from the data itself."""
    from mlctl import console, discovery

    state["json"] = json
    draft = discovery.discover(sources, time)
    console.json_data(draft.record()) if json else console.discovered(draft)


@app.command(rich_help_panel="Begin")
def init(
    name: Annotated[str, typer.Argument(help="the project's name")],
    sources: Annotated[list[str], typer.Option("--from", help="a file or folder; several times for several tables")],
    label: Annotated[
        str | None,
        typer.Option(help="a column with two values, or a rule: none SOURCE 180d (no row in the days after)"),
    ] = None,
    entity: Annotated[str | None, typer.Option(help="column of whom it decides about; default: guessed")] = None,
    time: Annotated[str | None, typer.Option(help="column of the event time; default: guessed")] = None,
) -> None:
    """Write a project from files that runs at once."""
    from mlctl import console, scaffold

    here = Path.cwd()
    enter_workspace()
    paths = tuple(os.path.relpath(here / source) if not Path(source).is_absolute() else source for source in sources)
    made = scaffold.init(scaffold.Wanted(name, paths, label, entity, time))
    console.initialised(made, name)


@app.command(rich_help_panel="Look")
def dictionary(
    project: Project,
    what: Annotated[str | None, typer.Argument(metavar="[SOURCE[.COLUMN]]", help="default: everything")] = None,
    format: Annotated[str, typer.Option(help="table, json or md")] = "table",
) -> None:
    """Tell of each column its meaning, owner, who reads it, and what was last found about it."""
    from mlctl import config, console
    from mlctl import dictionary as words

    if format not in ("table", "json", "md"):
        raise ConfigError.bad_override(f"--format {format}", "it is one of table, json, md")
    places = enter(project, format == "json")
    entries = words.entries(places, config.compose(places).project, what)
    if format == "json":
        console.json_data({"format_version": "1.0", "columns": [vars(entry) for entry in entries]})
    else:
        console.data(words.markdown(entries)) if format == "md" else console.dictionary_table(entries)


@contract_app.command("export")
def contract_export(project: Project, out: Annotated[str | None, typer.Option("--out", "-o")] = None) -> None:
    """Write the sources and checks of a project as an ODCS contract."""
    from mlctl import config, console, odcs
    from mlctl.files import write_text

    places = enter(project, False)
    text = odcs.export(config.compose(places).project)
    write_text(Path(out), text) if out else console.data(text)


@contract_app.command("import")
def contract_import(file: Annotated[str, typer.Argument(help="an ODCS contract, YAML")]) -> None:
    """Draft the sections sources and checks from an ODCS contract."""
    from mlctl import console, odcs

    console.data(odcs.draft(Path(file)))


@contract_app.command("lint")
def contract_lint(file: Annotated[str, typer.Argument(help="an ODCS contract, YAML")]) -> None:
    """Tell what is missing or wrong in an ODCS contract; exit code 2 when something is."""
    from mlctl import console, odcs

    faults = odcs.lint(Path(file))
    if faults:
        raise ConfigError(f"{file} has {len(faults)} faults", why=" | ".join(faults), next_step="correct the contract")
    console.words(f"{file}: a valid ODCS {odcs.VERSION} contract as far as mlctl reads it")
