"""The commands that begin with data: discover, init, dictionary, contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlctl.cli._app import AsJson, Project, app, enter, enter_workspace, state
from mlctl.errors import ConfigError, listed

if TYPE_CHECKING:
    from mlctl.workspace import Places

contract_app = typer.Typer(no_args_is_help=True, help="Data contracts in the open standard ODCS 3.1.")
app.add_typer(contract_app, name="contract", rich_help_panel="Look")
Paths = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="files (csv, parquet, ndjson), folders of them, or URIs")
]


def _from_workspace(sources: list[str]) -> tuple[str, ...]:
    """Goes to the workspace's root, and the paths as they are named from there."""
    here = Path.cwd()
    enter_workspace()
    fixed = [Path(source).is_absolute() or "://" in source for source in sources]
    return tuple(
        source if stays else os.path.relpath(here / source) for source, stays in zip(sources, fixed, strict=True)
    )


_DISCOVER = """Draft sources, a contract, a dictionary, joins and questions from the data itself.

    Examples:

      mlctl discover raw/orders.csv raw/customers.parquet     a draft on stdout, the questions beside it

      mlctl discover raw --write projects/shop                every table of a folder, into the project's folder
    """


@app.command(rich_help_panel="Begin", help=_DISCOVER)
def discover(
    sources: Paths,
    time: Annotated[str | None, typer.Option(help="column of the event time; default: guessed")] = None,
    write: Annotated[str | None, typer.Option(help="projects/NAME: write draft.yaml and questions.md there")] = None,
    json: AsJson = False,
) -> None:
    """Draft sources, a contract, a dictionary, joins and questions from the data itself."""
    from mlctl import console
    from mlctl.console import sources as shown
    from mlctl.drafts import discovery, drafting

    state["json"] = json
    paths = _from_workspace(sources) if write else tuple(sources)
    draft = discovery.discover(paths, time)
    written = drafting.write_draft(draft, Path("projects") / Path(write).name) if write else ()
    console.json_data(draft.record()) if json else shown.discovered(draft, written)


@app.command(rich_help_panel="Begin")
def init(  # noqa: PLR0913  (options of a command line are named)
    name: Annotated[str, typer.Argument(help="the project's name")],
    more: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="more files behind --from")] = None,
    *,
    sources: Annotated[list[str], typer.Option("--from", help="a file or folder; several times for several tables")],
    label: Annotated[
        str | None,
        typer.Option(
            help="a column with two values, COLUMN=VALUE, a rule: none SOURCE 180d (no row in the days after), or "
            "interactions: which items come next"
        ),
    ] = None,
    entity: Annotated[str | None, typer.Option(help="column of whom it decides about; default: guessed")] = None,
    time: Annotated[str | None, typer.Option(help="column of the event time; default: guessed")] = None,
    train: Annotated[list[str] | None, typer.Option(help="a day that teaches, for a rule; several times")] = None,
    test: Annotated[list[str] | None, typer.Option(help="a day that judges, for a rule; several times")] = None,
) -> None:
    """Write a project from files that runs at once."""
    from mlctl.console import sources as shown
    from mlctl.drafts import scaffold

    moments = tuple(train or ()), tuple(test or ())
    files = _from_workspace([*sources, *(more or ())])
    made = scaffold.init(scaffold.Wanted(name, files, label, entity, time, *moments))
    shown.initialised(made, name)


@app.command(rich_help_panel="Look")
def dictionary(
    project: Annotated[str | None, typer.Argument(metavar="[PROJECT]", help="default: the only project")] = None,
    what: Annotated[str | None, typer.Argument(metavar="[SOURCE[.COLUMN]]", help="default: everything")] = None,
    format: Annotated[str, typer.Option(help="table, json or md")] = "table",
) -> None:
    """Tell of each column its meaning, owner, who reads it, and what was last found about it."""
    from mlctl import config, console
    from mlctl.console import sources as shown
    from mlctl.drafts import dictionary as words

    if format not in ("table", "json", "md"):
        raise ConfigError.bad_argument(f"--format {format}", "it is one of table, json, md")
    places, what = _project_and(project, what, format == "json")
    entries = words.entries(places, config.compose(places).project, what)
    if format == "json":
        console.json_data({"format_version": "1.0", "columns": [vars(entry) for entry in entries]})
    else:
        console.data(words.markdown(entries)) if format == "md" else shown.dictionary_table(entries)


def _project_and(project: str | None, what: str | None, json: bool) -> tuple[Places, str | None]:
    """The project and the rest; where the workspace has one project alone, it need not be named."""
    from mlctl.workspace import projects, root_above

    known = projects(root_above(Path.cwd()))
    if len(known) == 1 and what is None and Path(project or known[0]).name != known[0]:
        project, what = known[0], project
    if project is None and len(known) != 1:
        raise ConfigError.bad_argument("dictionary", f"name a project: {listed(known)}", "mlctl dictionary NAME")
    return enter(project or known[0], json), what


@contract_app.command("export")
def contract_export(
    project: Project,
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="default: every source")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help="a file; default: stdout")] = None,
) -> None:
    """Write the sources, checks and notes of a project as an ODCS contract."""
    from mlctl import config, console, snapshot
    from mlctl.drafts import odcs
    from mlctl.files import write_text

    target = Path.cwd() / out if out else None
    places = enter(project, False)
    taken = snapshot.read(places)
    types = {name: told["columns"] for name, told in taken.sources.items()} if taken else None
    text = odcs.export(config.compose(places).project, source, types)
    write_text(target, text) if target else console.data(text)


@contract_app.command("import")
def contract_import(
    file: Annotated[str, typer.Argument(help="an ODCS contract, YAML")],
    project: Annotated[str | None, typer.Option(help="projects/NAME: write draft.yaml there; default: stdout")] = None,
) -> None:
    """Draft the sections sources and checks from an ODCS contract."""
    from mlctl import console
    from mlctl.drafts import odcs_draft

    imported = odcs_draft.draft(Path(file))
    if project is None:
        console.data(imported.text)
    else:
        enter_workspace()
        console.words(f"  wrote     {odcs_draft.write_draft(imported, Path('projects') / Path(project).name)}")
    for line in imported.left:
        console.words(f"  left out  {line}")


@contract_app.command("lint")
def contract_lint(file: Annotated[str, typer.Argument(help="an ODCS contract, YAML")]) -> None:
    """Tell what is missing or wrong in an ODCS contract; exit code 2 when something is."""
    from mlctl import console
    from mlctl.drafts import odcs

    faults = odcs.lint(Path(file))
    if faults:
        raise ConfigError(f"{file} has {len(faults)} faults", why=" | ".join(faults), next_step="correct the contract")
    console.words(f"{file}: a valid ODCS {odcs.VERSION} contract as far as mlctl reads it")
