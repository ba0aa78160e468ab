"""What the other release would have answered: asked in the background, seen by nobody, written down beside.

In the shadow the other is the challenger, in a split the champion: so the comparison has both answers to the same rows.
One thread asks, many rows at once, so that it takes little from those who wait for answers; the queue before it is
bounded in rows, and what does not fit is dropped and counted. Both are timed there, on the same rows, in seconds of
computing of the thread: a machine that is busy makes nobody slow.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mlctl.server.answers import Answerer
from mlctl.server.variants import Trial

if TYPE_CHECKING:
    from mlctl.server.batching import Answer, Row

_MOST_ROWS: Final = 2000
_AT_ONCE: Final = 64
_PAUSE_S: Final = 0.02
_YOUNG: Final = 200
"""Rows after which it may wait a moment for company; the first ones of a trial are looked at without delay."""


@dataclass(frozen=True)
class Answered:
    """Rows that were answered.

    Attributes:
        trial: The trial that they belong to.
        rows: The rows.
        ids: Their ids.
        answers: The answers.
        by: Who gave them.
        other: Who is to answer them beside.
    """

    trial: Trial
    rows: Sequence[Row]
    ids: Sequence[str]
    answers: Sequence[Answer]
    by: Answerer
    other: Answerer


@dataclass(frozen=True)
class Pairs:
    """Rows that both releases have answered.

    Attributes:
        of: What was answered first.
        beside: The other release's answers.
        by_s: Seconds of computing that who answered first needed, asked again.
        other_s: Those that the other needed.
        cohorts: The declared cohorts that each row is in.
    """

    of: Answered
    beside: Sequence[Answer]
    by_s: float
    other_s: float
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
            self._soon(answered.trial)

    def close(self) -> None:
        """Lets nothing more begin."""
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _soon(self, trial: Trial) -> None:
        self._busy = True
        pause_s = 0.0 if trial.detector.compared_rows < _YOUNG else _PAUSE_S
        asyncio.get_running_loop().call_later(pause_s, self._begin)

    def _begin(self) -> None:
        """Hands the thread the rows that wait for the same two releases."""
        if not self._waiting:
            self._busy = False
            return
        taken = [self._waiting.popleft()]
        rows = len(taken[0].rows)
        while self._waiting and rows + len((first := self._waiting[0]).rows) <= _AT_ONCE:
            if first.by is not taken[0].by or first.other is not taken[0].other:
                break
            taken.append(self._waiting.popleft())
            rows += len(first.rows)
        self._rows -= rows
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._asked, _together(taken))
        asked.add_done_callback(self._ended)

    def _asked(self, of: Answered) -> Pairs:
        started = time.thread_time()
        answers = of.other.answers_or_fallback(of.rows, self._tell)
        between = time.thread_time()
        of.by.answers_or_fallback(of.rows, self._tell)
        return Pairs(of, answers, time.thread_time() - between, between - started, of.trial.challenger.cohorts(of.rows))

    def _ended(self, asked: asyncio.Future[Pairs]) -> None:
        self._busy = False
        if asked.cancelled():
            return
        self._found(asked.result())
        if self._waiting:
            self._soon(self._waiting[0].trial)


def _together(taken: Sequence[Answered]) -> Answered:
    """What was answered one after the other, as one."""
    return replace(
        taken[0],
        rows=[row for one in taken for row in one.rows],
        ids=[own for one in taken for own in one.ids],
        answers=[answer for one in taken for answer in one.answers],
    )
