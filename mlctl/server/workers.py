"""Several processes on one port: the system shares connections among them, and who dies is followed by another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final

from mlctl.errors import StoppedError

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_S: Final = 0.1
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_STEADY_S: Final = 30.0
"""A worker that lived so long did not die of its start."""


def supervise(command: Sequence[str], count: int, tell: Callable[[str], None]) -> None:
    """Keeps `count` workers alive until a signal ends them all.

    A worker that dies is followed by another, after a pause that doubles while they die of their start.

    Args:
        command: Words after `mlctl`.
        count: How many.
        tell: Hears of deaths.

    Raises:
        StoppedError: A worker was killed while all were to end.
    """
    with tempfile.TemporaryDirectory(prefix="mlctl-measures-") as measures:
        told = {**os.environ, "MLCTL_WORKER": "1", "PROMETHEUS_MULTIPROC_DIR": measures}
        words = [sys.executable, "-m", "mlctl.cli", *command]
        ends: list[int] = []
        before = {number: signal.signal(number, lambda got, _: ends.append(got)) for number in _ENDS}
        try:
            _keep([_Worker(words, told) for _ in range(count)], ends, tell)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Worker:
    def __init__(self, words: Sequence[str], told: dict[str, str]) -> None:
        self._words, self._told = words, told
        self.pause_s, self.due = _FIRST_PAUSE_S, 0.0
        self.begin()

    def begin(self) -> None:
        self.born = time.monotonic()
        self.process = subprocess.Popen(self._words, env=self._told)
        self.due = 0.0


def _keep(workers: list[_Worker], ends: list[int], tell: Callable[[str], None]) -> None:
    while not ends:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        for worker in workers:
            code = worker.process.poll()
            if code is None:
                continue
            if not worker.due:
                if now - worker.born > _STEADY_S:
                    worker.pause_s = _FIRST_PAUSE_S
                worker.due = now + worker.pause_s
                tell(f"worker {worker.process.pid} ended with {code}; another begins in {worker.pause_s:.1f} s")
                worker.pause_s = min(2 * worker.pause_s, _LONGEST_PAUSE_S)
            elif now >= worker.due:
                worker.begin()
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(ends[0])
    for worker in workers:
        worker.process.wait()
    if any(worker.process.returncode == -signal.SIGKILL for worker in workers):
        raise StoppedError.killed("a worker", signal.SIGKILL)
