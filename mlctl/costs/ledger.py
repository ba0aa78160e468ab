"""What work has cost: one line for each stage, run, score, retraining and stretch of serving, only ever added to.

The lines lie in `.mlctl/NAME/ledger/YYYY-MM.ndjson`, a file a month. A line is handed to the system in one write, so
that several processes add to one file and a killed one loses at most its own line; a line that was cut in the middle is
left out by the reader. Prices are no part of it: what a second costs is asked when the ledger is read (`mlctl cost`).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mlctl.errors import ExternalError
from mlctl.files import append_line, read_lines
from mlctl.times import moment, moment_text
from mlctl.workspace import Places

RUN: Final = "MLCTL_RUN_ID"
"""Environment of the stages of a run: its id."""
DATABASE_BYTES: Final = "database_bytes"
"""Detail of a line that publishes: what the project's tables take in the database."""
_BLOCK_BYTES: Final = 512
"""The unit of `ru_inblock` and `ru_oublock`, whatever the disk's own blocks."""


@dataclass(frozen=True)
class Spent:
    """What a piece of work took of the machine.

    Attributes:
        wall_s: Seconds that passed.
        cpu_s: Seconds of processors, of this process and of the children that it waited for.
        read_bytes: Read from disks; what the system had in memory still is not counted.
        written_bytes: Written to disks.
        peak_bytes: The most memory that this process or one of its children has ever held.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    Attributes:
        at: When the work began.
        project: Whose it is.
        act: What was done: a stage's name, or `run` (what a run took beside its stages), `score`, `serve`, `retrain`.
        spent: What it took; of an act that contains others, without them, so that lines can be added up.
        outcome: `done`, `refused` or `failed`.
        run: The run that it belongs to, if any.
        rows: Rows that were worked on, where the act has such.
        predictions: Scores that were made.
        details: More, such as the seconds of each feature.
    """

    at: datetime
    project: str
    act: str
    spent: Spent
    outcome: str = "done"
    run: str = ""
    rows: int = 0
    predictions: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The line as JSON-ready data."""
        spent = {name: round(value, 4) for name, value in vars(self.spent).items()}
        own = {name: getattr(self, name) for name in ("project", "act", "outcome", "run", "rows", "predictions")}
        return {"at": moment_text(self.at), **own, **spent, "details": dict(self.details)}


def _entry(line: Mapping[str, Any]) -> Entry:
    spent = Spent(**{name: line[name] for name in Spent.__dataclass_fields__})
    own = {name: line[name] for name in ("project", "act", "outcome", "run", "rows", "predictions", "details")}
    return Entry(at=moment(line["at"]), spent=spent, **own)


def append(places: Places, entry: Entry) -> None:
    """Adds a line; a line that somebody's death cut before it does not run into it.

    Raises:
        ExternalError: The disk refused.
    """
    line = json.dumps(entry.record(), sort_keys=True, ensure_ascii=False, allow_nan=False)
    append_line(places.ledger / f"{entry.at:%Y-%m}.ndjson", line)


def read(places: Places, since: datetime | None = None, until: datetime | None = None) -> Iterator[Entry]:
    """The lines whose work began in `[since, until)`, in the order in which they were written.

    A line that was cut, or that another version wrote in another form, is left out.
    """
    for path in sorted(places.ledger.glob("*.ndjson")):
        if (since and path.stem < f"{since:%Y-%m}") or (until and path.stem > f"{until:%Y-%m}"):
            continue
        for line in read_lines(path):
            try:
                entry = _entry(line)
            except (ValueError, KeyError, TypeError):
                continue
            if (since is None or entry.at >= since) and (until is None or entry.at < until):
                yield entry


@dataclass
class Noted:
    """What the block of an `entered` act says of itself for its line.

    Attributes:
        rows: Rows that were worked on.
        predictions: Scores that were made.
        outcome: `done`, or `refused` where the answer was no.
        details: More.
    """

    rows: int = 0
    predictions: int = 0
    outcome: str = "done"
    details: dict[str, Any] = field(default_factory=dict)


class Meter:
    """What the work of a `measured()` block has taken; whole once the block has ended.

    Attributes:
        spent: All of it.
        seconds: Seconds of processors by name, of the parts that were `charged`.
    """

    def __init__(self) -> None:
        self._began = _taken()
        self.spent = Spent()
        self.seconds: dict[str, float] = {}

    def stop(self) -> None:
        """Ends the measurement."""
        now = _taken()
        counted = {name: getattr(now, name) - getattr(self._began, name) for name in Spent.__dataclass_fields__}
        self.spent = replace(Spent(**counted), peak_bytes=now.peak_bytes)


_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)
"""What measures the work at hand."""


@contextmanager
def measured() -> Iterator[Meter]:
    """Measures what the block takes of this process and of the children that end in it; also when it fails.

    >>> with measured() as meter:
    ...     total = sum(range(1000))
    >>> meter.spent.wall_s > 0
    True
    """
    meter = Meter()
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)
        meter.stop()


@contextmanager
def charged(name: str) -> Iterator[None]:
    """Charges the processor's time of the block to a part of what is measured around it, such as a feature."""
    meter = _METER.get()
    if meter is None:
        yield
        return
    began = time.process_time()
    yield
    meter.seconds[name] = meter.seconds.get(name, 0.0) + time.process_time() - began


@contextmanager
def entered(places: Places, act: str, at: datetime) -> Iterator[Noted]:
    """Measures the block and adds its line, also when it fails.

    Raises:
        ExternalError: The disk refused the line.
    """
    noted = Noted()
    try:
        with measured() as meter:
            yield noted
    except BaseException:
        noted.outcome = "failed"
        raise
    finally:
        details = dict(noted.details)
        if meter.seconds:
            details["seconds"] = {name: round(value, 6) for name, value in meter.seconds.items()}
        spent = without(meter.spent, *(entry.spent for entry in _within(places, act, at)))
        told = (noted.outcome, current_run(), noted.rows, noted.predictions, details)
        _add(places, Entry(at, places.name, act, spent, *told), sure=noted.outcome != "failed")


@contextmanager
def of_run(places: Places, at: datetime) -> Iterator[None]:
    """A run: its stages and scores add lines of their own with its id, and its own line is what it took beside them.

    Raises:
        ExternalError: The disk refused the line.
    """
    os.environ[RUN] = f"{at:%Y%m%dT%H%M%S}-{os.getpid()}"
    try:
        with entered(places, "run", at):
            yield
    finally:
        del os.environ[RUN]


def _within(places: Places, act: str, at: datetime) -> list[Entry]:
    """The lines of what a run contains; nothing for every other act."""
    if act != "run":
        return []
    since, run = at.replace(microsecond=0), current_run()
    return [entry for entry in read(places, since) if entry.run == run]


def _add(places: Places, entry: Entry, sure: bool) -> None:
    """Adds a line; where the work failed already, its own failure is told and not that of the line."""
    try:
        append(places, entry)
    except ExternalError:
        if sure:
            raise


def without(whole: Spent, *parts: Spent) -> Spent:
    """What is left of a piece of work when the parts that have lines of their own are taken out; never below 0.

    >>> without(Spent(wall_s=5, cpu_s=4), Spent(wall_s=1, cpu_s=3)).cpu_s
    1
    """
    left = {
        name: max(0, getattr(whole, name) - sum(getattr(part, name) for part in parts))
        for name in ("wall_s", "cpu_s", "read_bytes", "written_bytes")
    }
    return Spent(**left, peak_bytes=whole.peak_bytes)


def current_run() -> str:
    """The id of the run that this process is a stage of; empty when there is none."""
    return os.environ.get(RUN, "")


def _taken() -> Spent:
    """What this process and its ended children have taken since they began."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1 if sys.platform == "darwin" else 1024
    return Spent(
        wall_s=time.monotonic(),
        cpu_s=sum(part.ru_utime + part.ru_stime for part in parts),
        read_bytes=sum(part.ru_inblock for part in parts) * _BLOCK_BYTES,
        written_bytes=sum(part.ru_oublock for part in parts) * _BLOCK_BYTES,
        peak_bytes=max(part.ru_maxrss for part in parts) * unit,
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
