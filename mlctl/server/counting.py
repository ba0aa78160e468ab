"""What was answered is counted into sketches while the answers leave time for it.

Counting a segment takes Python's lock for tens of milliseconds, and a request would wait for it. So a busy server puts
it off: segments lie on disk, 64 of them (256 MiB) at most, until half a second was quiet or the process ends. `mlctl
monitor` counts what lies there too, and whoever comes second finds nothing left to do.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOOK_S: Final = 0.5
_QUIET: Final = 0.3
"""A process that takes less of one core than this has time."""
_MOST: Final = 64


class Counting:
    """Segments that nothing is added to any more, in the order in which they ended."""

    def __init__(self, count: Callable[[Path], None], most: int = _MOST) -> None:
        self._count, self._most = count, most
        self._waiting: deque[Path] = deque()

    def put(self, segment: Path) -> None:
        """A segment has ended."""
        self._waiting.append(segment)

    async def follow(self) -> None:
        """Counts one at each quiet look, and at any look those that are too many, for ever."""
        while True:
            before = time.process_time()
            await asyncio.sleep(_LOOK_S)
            quiet = time.process_time() - before < _QUIET * _LOOK_S
            for _ in range(max(min(quiet, len(self._waiting)), len(self._waiting) - self._most)):
                await asyncio.to_thread(self._count, self._waiting.popleft())

    def end(self) -> None:
        """Counts all that waits."""
        while self._waiting:
            self._count(self._waiting.popleft())
