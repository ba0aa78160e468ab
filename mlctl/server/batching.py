"""Requests that arrive together are answered together; nobody waits for company.

The first request asks the event loop to answer at its next turn. What has arrived by then is one batch: when the
machine is idle that is the request alone, and under load it is everything that the sockets held, as far as it does not
keep them waiting for long. The queue is bounded in rows, so that who comes too late is told at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mlctl.server.inputs import Refused

Row = Mapping[str, Any]
Answer = dict[str, Any]

_RETRY_AFTER_S: Final = 1
_TURN_S: Final = 0.004
"""How long a batch should take at most: between two of them the sockets are served, and a full queue says so soon."""
_LEARN: Final = 0.2
"""How much the last batch counts in what is known of the time that a row takes."""


class _Waiting(NamedTuple):
    rows: Sequence[Row]
    ids: Sequence[str]
    answered: asyncio.Future[list[Answer]]
    until: float


class Batches:
    """The queue before the model."""

    def __init__(
        self,
        answer: Callable[[Sequence[Row], Sequence[str]], list[Answer]],
        late: Callable[[Sequence[Row]], list[Answer]],
        limits: tuple[int, int, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A queue.

        Args:
            answer: The answers to rows, which have ids.
            late: The answers to rows that waited too long.
            limits: Most rows that wait, most rows of a batch, and most seconds of waiting.
            clock: Tells seconds.
        """
        self._clock, self._row_s = clock, 0.0
        self._answer, self._late = answer, late
        self._most_waiting, self._most_rows, self._patience_s = limits
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._called = False

    @property
    def waiting_rows(self) -> int:
        """Rows that wait now."""
        return self._rows

    def admit(self) -> None:
        """Lets a request pass before anything of it is read.

        Raises:
            Refused: 503: too many rows wait already.
        """
        if self._rows >= self._most_waiting:
            raise Refused(503, "too many requests wait already", retry_after_s=_RETRY_AFTER_S)

    async def ask(self, rows: Sequence[Row], ids: Sequence[str]) -> list[Answer]:
        """The answers to rows with these ids, in their order.

        Raises:
            Refused: 503: too many rows wait already.
        """
        if self._rows + len(rows) > self._most_waiting and self._rows:
            raise Refused(503, "too many requests wait already", retry_after_s=_RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, ids, loop.create_future(), self._clock() + self._patience_s)
        self._waiting.append(waiting)
        self._rows += len(rows)
        if not self._called:
            self._called = True
            loop.call_soon(self._turn)
        return await waiting.answered

    def flush(self) -> None:
        """Answers everybody who waits now."""
        while self._waiting:
            self._next_batch()

    def _turn(self) -> None:
        """Answers one batch, and asks for another turn while somebody waits."""
        self._next_batch()
        self._called = bool(self._waiting)
        if self._called:
            asyncio.get_running_loop().call_soon(self._turn)

    def _next_batch(self) -> None:
        batch: list[_Waiting] = []
        rows: list[Row] = []
        ids: list[str] = []
        now = self._clock()
        most = min(self._most_rows, int(_TURN_S / self._row_s) if self._row_s else self._most_rows)
        while self._waiting and (not batch or len(rows) + len(self._waiting[0].rows) <= most):
            waiting = self._waiting.popleft()
            self._rows -= len(waiting.rows)
            if waiting.answered.done():
                continue  # its client has gone
            if waiting.until < now:
                waiting.answered.set_result(self._late(waiting.rows))
                continue
            batch.append(waiting)
            rows += waiting.rows
            ids += waiting.ids
        if batch:
            begun = self._clock()
            answers = self._answer(rows, ids)
            self._row_s += _LEARN * ((self._clock() - begun) / len(rows) - self._row_s)
            start = 0
            for waiting in batch:
                waiting.answered.set_result(answers[start : start + len(waiting.rows)])
                start += len(waiting.rows)
