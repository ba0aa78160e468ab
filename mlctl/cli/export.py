"""The command that writes what other programs take: those that serve, that watch, and that call when it is due."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from mlctl.cli._app import AsJson, ReleaseOf, app, enter_release
from mlctl.errors import ConfigError, did_you_mean, listed

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="docker, k8s, kserve, systemd, triton; prometheus, grafana; airflow, cron, cronjob, github, timers",
    ),
]
To = Annotated[Path | None, typer.Option(help="folder; default: deploy/NAME/KIND")]
Image = Annotated[str | None, typer.Option(help="the image's name and tag; default: NAME:RELEASE")]
Force = Annotated[bool, typer.Option("--force", help="write over files that are there and differ")]

_EXPORT = """Write the files with which a platform serves a release, or a scheduler calls for what is due.

    Examples:

      mlctl export k8s support         what serves: docker, k8s, kserve, systemd, triton

      mlctl export grafana support     what watches it: prometheus, grafana

      mlctl export timers churn        what calls for what is due: airflow, cron, cronjob, github, timers
    """


@app.command(rich_help_panel="Work", help=_EXPORT)
def export(  # noqa: PLR0913 - each is an option of the command
    kind: Kind,
    project: ReleaseOf,
    *,
    to: To = None,
    image: Image = None,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write the files with which a platform serves a release, or a scheduler calls for what is due."""
    from mlctl import config, console, exports, kinds, online, releases, timetables

    target = to and to.resolve()
    places, reference = enter_release(project, json)
    folder = target or Path("deploy") / places.name / kind
    known = (*kinds.names("exports"), *timetables.KINDS)
    if kind not in known:
        raise ConfigError.bad_argument(f"export {kind}", did_you_mean(kind, known) or f"known: {listed(known, 20)}")
    if kind in timetables.KINDS:
        program = str(Path(sys.executable).parent / "mlctl")
        due = timetables.timetable(config.compose(places).project, str(Path.cwd()), program, image)
        made = exports.Exported(kind, str(folder), "", exports.write(kind, timetables.files(kind, due), folder, force))
    else:
        released = releases.folder_of(places, reference)
        what = exports.parcel(places.name, released, image, f"mlctl run projects/{places.name}")
        with suppress(ConfigError):
            what = what.with_database(config.read_params(places).database, bool(online.current(places.online)))
        made = exports.export(kind, what, folder, force)
    console.json_data(made.record()) if json else console.words(f"{len(made.files)} files in {made.folder}")
