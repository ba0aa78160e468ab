"""Segments are counted while a server has time for it, and none is left."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from mlctl.server.counting import Counting

SEGMENTS = [Path(f"{number}.ndjson") for number in range(4)]


def counted(seconds: float, busy: bool, most: int) -> tuple[Counting, list[Path]]:
    """What is counted of four segments within so many seconds of a process that answers, or waits."""
    found: list[Path] = []
    counting = Counting(found.append, most)
    for segment in SEGMENTS:
        counting.put(segment)

    async def answers() -> None:
        following = asyncio.create_task(counting.follow())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(0 if busy else 0.01)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    asyncio.run(answers())
    return counting, found


def test_a_quiet_server_counts_one_at_a_look() -> None:
    _, found = counted(0.8, busy=False, most=9)

    assert found == SEGMENTS[:1]


def test_a_busy_one_counts_what_is_too_much_and_the_rest_at_its_end() -> None:
    counting, found = counted(0.8, busy=True, most=2)
    assert found == SEGMENTS[:2]

    counting.end()
    assert found == SEGMENTS
