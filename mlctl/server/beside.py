"""What the other release would have answered: asked in the background, seen by nobody, written down beside.

In the shadow the other is the challenger, in a split the champion: so the comparison has both answers to the same rows.
One thread asks; the queue before it is bounded in rows, and what does not fit is dropped and counted. Seconds are of
computing (of the thread), so that a machine that is busy makes nobody slow.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlctl.server.answers import Answerer
from mlctl.server.variants import Trial

if TYPE_CHECKING:
    from mlctl.server.batching import Answer, Row

_MOST_ROWS: Final = 2000
_AT_ONCE: Final = 16


@dataclass(frozen=True)
class Answered:
    """Rows that were answered.

    Attributes:
        trial: The trial that they belong to.
        rows: The rows.
        ids: Their ids.
        answers: The answers.
        seconds: What they took, of computing.
        other: Who is to answer them beside.
    """

    trial: Trial
    rows: Sequence[Row]
    ids: Sequence[str]
    answers: Sequence[Answer]
    seconds: float
    other: Answerer


@dataclass(frozen=True)
class Pairs:
    """Rows that both releases have answered.

    Attributes:
        of: What was answered first.
        beside: The other release's answers.
        seconds: What these took, of computing.
        cohorts: The declared cohorts that each row is in.
    """

    of: Answered
    beside: Sequence[Answer]
    seconds: float
    cohorts: Sequence[Sequence[str]] | None


class Beside:
    """The queue and its thread."""

    def __init__(
        self, found: Callable[[Pairs], None], dropped: Callable[[int], None], tell: Callable[[str], None]
    ) -> None:
        """A queue.

        Args:
            found: Hears of pairs, between two requests.
            dropped: Hears of rows that did not fit.
            tell: Hears of failures.
        """
        self._found, self._dropped, self._tell = found, dropped, tell
        self._waiting: deque[Answered] = deque()
        self._rows = 0
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")

    def put(self, answered: Answered) -> None:
        """Asks the other release about rows, as soon as the thread has time."""
        if self._rows + len(answered.rows) > _MOST_ROWS:
            self._dropped(len(answered.rows))
            return
        self._waiting.append(answered)
        self._rows += len(answered.rows)
        if not self._busy:
            self._begin()

    def close(self) -> None:
        """Lets nothing more begin."""
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        self._rows -= sum(len(one.rows) for one in taken)
        self._busy = True
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._asked, taken)
        asked.add_done_callback(self._ended)

    def _asked(self, taken: Sequence[Answered]) -> list[Pairs]:
        found = []
        for one in taken:
            started = time.thread_time()
            answers = one.other.answers_or_fallback(one.rows, self._tell)
            seconds = time.thread_time() - started
            found.append(Pairs(one, answers, seconds, one.trial.challenger.cohorts(one.rows)))
        return found

    def _ended(self, asked: asyncio.Future[list[Pairs]]) -> None:
        self._busy = False
        if asked.cancelled():
            return
        for pairs in asked.result():
            self._found(pairs)
        if self._waiting:
            self._begin()
