"""Words go to stderr, data to stdout; the only package that knows rich. Here is what every command says things with.

The other files show one kind of report each: `run.py` runs and releases, `gate.py` verdicts, `history.py` features over
time, `sources.py` sources and columns.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from mlctl.errors import MlctlError
    from mlctl.history.backfill import Advance
    from mlctl.stages import Tell


@cache
def on_stderr() -> Console:
    """The console for words: stderr."""
    from rich.console import Console

    return Console(stderr=True, width=_width(sys.stderr.isatty()), highlight=False, soft_wrap=True, emoji=False)


@cache
def on_stdout() -> Console:
    """The console for data: stdout."""
    from rich.console import Console

    return Console(width=_width(sys.stdout.isatty()), highlight=False, soft_wrap=True, emoji=False)


def _width(is_terminal: bool) -> int | None:
    """The terminal's own width; in a file or a pipe, wide enough for the tables."""
    return None if is_terminal else 150


def data(text: str) -> None:
    """Writes data to stdout, exactly as it is."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def json_data(record: Any) -> None:
    """Writes JSON to stdout."""
    data(json.dumps(record, indent=2, ensure_ascii=False, default=str))


def words(text: str) -> None:
    """Writes a line for people to stderr."""
    if on_stderr.cache_info().currsize:
        on_stderr().print(printable(text), markup=False)
    else:
        # without anything live to write around: a line needs no library that takes long to import
        sys.stderr.write(f"{printable(text)}\n")


def error(problem: MlctlError, as_json: bool = False) -> None:
    """Writes an error: what, where, why, next; as JSON on stdout when asked to."""
    if as_json:
        json_data({"format_version": "1.0", "error": problem.record()})
    for index, (heading, text) in enumerate(problem.lines()):
        style = "bold red" if index == 0 else "bold"
        on_stderr().print(f"[{style}]{heading + ':':<7}[/] ", end="")
        on_stderr().print(printable(text), markup=False)


@contextmanager
def progress() -> Iterator[Tell]:
    """A `tell` that shows what stage is at work: a line a report, and on a terminal the present one."""
    console = on_stderr()
    if not console.is_terminal:
        yield _plain_tell
        return
    with console.status("starting") as status:

        def tell(stage: str, line: str) -> None:
            if line:
                console.print(f"  [bold cyan]{stage:<9}[/] ", end="")
                console.print(printable(line), markup=False)
            status.update(f"{stage} ...")

        yield tell


def _plain_tell(stage: str, line: str) -> None:
    words(f"  {stage:<9} {line or '...'}")


def stage_line(stage: str, line: str) -> None:
    """One line about a stage, in the form that a waiting `mlctl run` passes on."""
    words(f"  {stage:<9} {line}")


def lines(stage: str, told: Iterable[str]) -> None:
    """Several lines about a stage."""
    for line in told:
        stage_line(stage, line)


@contextmanager
def buckets(what: str) -> Iterator[Advance]:
    """An `advance` that shows buckets done, rows a second and the time left: live on a terminal, else some lines."""
    console = on_stderr()
    if not console.is_terminal:
        yield by_tenths(what, _plain_tell)
        return
    with console.status(what) as status:
        yield lambda done, total, rows, seconds: status.update(
            f"{what}: {done} of {total} buckets{_pace(done, total, rows, seconds)}"
        )


def by_tenths(what: str, tell: Tell) -> Advance:
    """An `advance` that says by a `tell` how far it is, whenever another tenth is done."""
    shown = [-1]

    def line(done: int, total: int, rows: int, seconds: float) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth != shown[0]:
            shown[0] = tenth
            tell(what, f"{done} of {total} buckets{_pace(done, total, rows, seconds)}")

    return line


def _pace(done: int, total: int, rows: int, seconds: float) -> str:
    if not rows or not seconds:
        return ""
    left = rows * (total - done) / done / (rows / seconds) if done else 0.0
    return f", {rows:,} rows, {rows / seconds:,.0f} rows/s, {left:,.0f} s left"


def printable(text: str) -> str:
    """Text without control characters, which data could use to write over the terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
