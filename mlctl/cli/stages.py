"""The commands that dvc.yaml calls, each one stage of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlctl.cli._app import AsJson, Project, Projects, app, enter, enter_all, exit_with, present
from mlctl.errors import EXIT_REFUSED, ConfigError

if TYPE_CHECKING:
    from mlctl.workspace import Places


def _stage_command(name: str, summary: str) -> None:
    def command(project: Project, json: AsJson = False) -> None:
        _run_stage(name, project, json)

    command.__doc__ = summary
    app.command(name, rich_help_panel="Stages (dvc.yaml calls them)")(command)


_stage_command("check", "Hold the snapshot against its contract; set bad rows aside with the reason.")
_stage_command("features", "Make the tables that teach and judge, at past moments.")
_stage_command(
    "freeze", "Settle what judges a model, before there is one: the test set, the constant, the rule of today."
)
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

    composed = config.compose(enter(project, json), overrides)
    console.json_data(composed.mapping) if json else console.data(yaml.safe_dump(composed.mapping, sort_keys=False))


@app.command(rich_help_panel="Look")
def validate(
    projects: Annotated[
        list[str] | None, typer.Argument(metavar="[PROJECT|FILE]...", help="default: every project of the workspace")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say every fault of the YAML, waivers included; writes nothing. For pre-commit, which names files."""
    from mlctl import console, validating

    # a hook names the files that changed, and a preset is read by every project
    named = validating.projects_of(projects or [])
    every = enter_all(named, json)
    faulty = validating.faults(every, present())
    if json:
        console.json_data({"format_version": "1.0", "faults": {name: list(found) for name, found in faulty.items()}})
    for name, found in faulty.items():
        for line in found:
            console.words(f"{name}: {line}")
    console.words(f"  validate  {len(every)} projects, {len(faulty)} with faults")
    exit_with(ConfigError.exit_code if faulty else 0)


@app.command(rich_help_panel="Stages (dvc.yaml calls them)")
def gate(
    projects: Projects = None,
    format: Annotated[str, typer.Option(help="table, json, md or github")] = "table",
    against: Annotated[
        str, typer.Option(metavar="REVISION", help="tell what is better or worse than there, such as origin/main")
    ] = "",
) -> None:
    """Hold evaluations against their gates; exit code 4 when one refuses."""
    from mlctl import console, flow

    if format not in ("table", "json", "md", "github"):
        raise ConfigError.bad_override(f"--format {format}", "it is one of table, json, md, github")
    every = enter_all(projects, format == "json")
    reports = [flow.stage("gate", places, present()) for places in every]
    for report in reports:
        for line in (report.line, *report.details):
            console.stage_line("gate", f"{report.data['project']}: {line}")
    # the run that waits for this stage shows the table itself
    if "DVC_STAGE" not in os.environ:
        _show_gates(every, [report.data for report in reports], format, against)
    exit_with(EXIT_REFUSED if any(report.refused for report in reports) else 0)


def _show_gates(every: list[Places], records: list[Mapping[str, Any]], format: str, against: str) -> None:
    from mlctl import config, console
    from mlctl.console import run as shown
    from mlctl.console.gate import gates_markdown
    from mlctl.gates import changes as gate_changes
    from mlctl.gates.github import annotate

    if against:
        records = [
            gate_changes.compared(places, record, against) for places, record in zip(every, records, strict=True)
        ]
    if format == "json":
        console.json_data({"format_version": "1.1", "gates": records})
    elif format == "table":
        shown.gates(records)
    elif format == "md":
        console.data(gates_markdown(records))
    else:
        said = {places.name: config.gate_places(places) for places in every}
        console.data(annotate(records, gates_markdown(records), said))


def _run_stage(name: str, project: str, json: bool) -> None:
    from mlctl import console, flow

    report = flow.stage(name, enter(project, json), present())
    for line in (report.line, *report.details):
        console.stage_line(name, line)
    if json:
        console.json_data({"format_version": "1.0", **report.data})
