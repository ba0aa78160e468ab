"""The history of a rollout: a line a state, each with the seal of the one before, only ever added to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from mlctl.errors import ExternalError, IntegrityError
from mlctl.rollout.record import Rollout

_TAIL_BYTES: Final = 2**16


def line_of(rollout: Rollout) -> str:
    """A state as the line that the history keeps."""
    told = {**rollout.record(), "seal": rollout.seal}
    return json.dumps(told, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def of_line(line: str) -> Rollout:
    """The state that a line keeps.

    Raises:
        KeyError, TypeError, ValueError: It is no such line, or its seal does not hold.
    """
    told = json.loads(line)
    rollout = Rollout.of_record(told)
    if rollout.seal != told["seal"]:
        raise ValueError("its seal does not hold")
    return rollout


def last(path: Path, next_step: str) -> Rollout | None:
    """The state in the last whole line; None where there is none.

    Raises:
        IntegrityError: The line was changed.
    """
    whole = _tail(path)
    if not whole:
        return None
    return _read(path, whole.decode("utf-8", errors="replace"), "last line", next_step)


def add(path: Path, rollout: Rollout) -> None:
    """Adds a line, behind the last whole one: what a killed writer left of its own goes.

    Raises:
        ExternalError: The file system refused.
    """
    try:
        with path.open("ab+") as stream:
            end = _end_of_whole_lines(stream.fileno())
            stream.truncate(end)
            stream.write(line_of(rollout).encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise ExternalError.disk(path, error) from error


def read(path: Path, next_step: str) -> list[Rollout]:
    """Every state, the first first, after proving that none was changed, lost or put in between.

    Raises:
        IntegrityError: The chain does not hold; the message names the line.
    """
    if not path.is_file():
        return []
    found: list[Rollout] = []
    before = Rollout()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            break  # a writer was killed here; the state itself is in the rollout file
        rollout = _read(path, line, f"line {number}", next_step)
        if (rollout.before, rollout.revision) != (before.seal, before.revision + 1):
            why = f"line {number} is revision {rollout.revision} and does not build on revision {before.revision}"
            raise IntegrityError.refused(str(path), why, next_step)
        found.append(rollout)
        before = rollout
    return found


def _read(path: Path, line: str, where: str, next_step: str) -> Rollout:
    try:
        return of_line(line)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError.refused(str(path), f"{where}: {error}", next_step) from error


def _tail(path: Path) -> bytes:
    """The last whole line; empty where there is none."""
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        end = _end_of_whole_lines(stream.fileno())
        size, found = _TAIL_BYTES, b""
        while end and b"\n" not in found[:-1] and len(found) < end:
            found = os.pread(stream.fileno(), min(size, end), max(0, end - size))
            size *= 2
        return found[:-1].rpartition(b"\n")[2]


def _end_of_whole_lines(descriptor: int) -> int:
    """Bytes up to and with the last line feed."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _TAIL_BYTES)
        place = os.pread(descriptor, end - start, start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0
