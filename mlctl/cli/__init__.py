"""The command line: parse, call one function, show its report, give its exit code. The only package that exits.

`_app.py` holds the application; each other file registers a group of commands on it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from mlctl import __version__
from mlctl.cli import (  # noqa: F401 - they register their commands
    alerts,
    cost,
    data,
    export,
    health,
    history,
    index,
    look,
    monitor,
    plan,
    quality,
    releases,
    report,
    retrain,
    review,
    roi,
    rollout,
    serve,
    stages,
    work,
)
from mlctl.cli._app import app, state
from mlctl.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_TERMINATED, MlctlError, StoppedError

__all__ = ["app", "main"]


class Stopped(BaseException):
    """A signal asked this command to stop; not an Exception, so that nothing on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED


_signals: list[Stopped] = []
"""What asked this command to stop, also where a library made another exception of it."""


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
    # what is imported stays: looking it through for garbage again and again takes a tenth of the start
    gc.set_threshold(50_000, 20, 20)
    # sums split over threads round differently
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # threads that spin while they wait take ten times as long where somebody else uses the cores too
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    if "DVC_STAGE" in os.environ:
        from mlctl.dvc import die_with_parent, orphaned

        die_with_parent()
        if orphaned():
            sys.exit(StoppedError.exit_code)
    sys.exit(_outcome(app))


def _outcome(command: Callable[[], None]) -> int:
    from mlctl import console
    from mlctl.crash import crash_file

    try:
        command()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_BUG
    except MlctlError as error:
        console.error(error, state["json"])
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
