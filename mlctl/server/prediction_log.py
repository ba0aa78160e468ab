"""What was answered, one line of JSON a row, in segments that are only ever added to.

A line is handed to the system before its answer goes out, so that killing the process loses none; a machine that loses
its power may lose the last seconds. A line that was cut in the middle is left out by the reader. When the disk refuses,
answers go on and the lost lines are counted.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

SEGMENT_BYTES: Final = 64 * 2**20
"""A segment that is longer is followed by a new one."""


class PredictionLog:
    """The log of one process.

    Args:
        folder: Where its segments lie.
        now: Tells the moment.
        lost: Hears how many lines could not be written.
        most_bytes: A segment that is longer is followed by a new one; None: `SEGMENT_BYTES`.
        ended: Hears of a segment that nothing is added to any more.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime],
        lost: Callable[[int], None],
        *,
        most_bytes: int | None = None,
        ended: Callable[[Path], None] = lambda segment: None,
    ) -> None:
        self._folder, self._now, self._lost = folder, now, lost
        self._most_bytes, self._ended = most_bytes, ended
        self._descriptor: int | None = None
        self._path = folder
        self._written = 0
        self._cut = False

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Adds a line for each answer, with the moment."""
        now = self._now()
        moment = now.isoformat(timespec="microseconds")
        told = b"".join(orjson.dumps({"time": moment, **line}) + b"\n" for line in lines)
        try:
            descriptor = self._segment(now)
            # what was cut must not run into the next line
            told = b"\n" + told if self._cut else told
            while told:
                written = os.write(descriptor, told)
                self._written += written
                told = told[written:]
            self._cut = False
        except OSError:
            self._cut = True
            self._lost(len(lines))

    def close(self) -> None:
        """Ends the segment."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._ended(self._path)

    def _segment(self, now: datetime) -> int:
        """The segment that is added to; a new one when there is none, or it is long."""
        if self._descriptor is not None and self._written < (self._most_bytes or SEGMENT_BYTES):
            return self._descriptor
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{now:%Y%m%dT%H%M%S%f}-{os.getpid()}.ndjson"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        # whoever reads it knows by the lock that this process still adds to it
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._written = 0
        return self._descriptor


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line of a log, segment after segment; what was cut in the middle is left out."""
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
