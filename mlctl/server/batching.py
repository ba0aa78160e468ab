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
_TURN_S: Final = 0.006
"""How long a batch should take at most: between two of them the sockets are served, and a full queue says so soon."""
_LEARN: Final = 0.2
"""How much a batch that was quicker counts in what is known of the time that a row takes; a slower one counts alone."""


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

    @property
    def room(self) -> int:
        """How many rows may still come; 0 or less where too many wait already."""
        return self._most_waiting - self._rows

    async def ask(self, rows: Sequence[Row], ids: Sequence[str]) -> list[Answer]:
        """The answers to rows with these ids, in their order.

        Raises:
            Refused: 503: too many rows wait already.
        """
        if self._rows + len(rows) > self._most_waiting and self._rows:
            raise full()
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
        late = self._taken(self._most_rows, self._clock())
        if late:
            _hand_out(late, self._late([row for waiting in late for row in waiting.rows]))
            return
        most = min(self._most_rows, round(_TURN_S / self._row_s) if self._row_s else self._most_rows)
        batch = self._taken(most)
        if batch:
            rows = [row for waiting in batch for row in waiting.rows]
            begun = self._clock()
            answers = self._answer(rows, [own for waiting in batch for own in waiting.ids])
            row_s = (self._clock() - begun) / len(rows)
            self._row_s = max(row_s, self._row_s + _LEARN * (row_s - self._row_s))
            _hand_out(batch, answers)

    def _taken(self, most: int, late_at: float | None = None) -> list[_Waiting]:
        """Who comes next and has not gone: at most so many rows, but always one request.

        Args:
            most: Most rows.
            late_at: Only who has waited too long by this moment.
        """
        taken: list[_Waiting] = []
        rows = 0
        while self._waiting:
            first = self._waiting[0]
            gone = first.answered.done()
            too_many = bool(taken) and rows + len(first.rows) > most
            in_time = late_at is not None and first.until >= late_at
            if not gone and (too_many or in_time):
                break
            self._waiting.popleft()
            self._rows -= len(first.rows)
            if not gone:
                taken.append(first)
                rows += len(first.rows)
        return taken


def full() -> Refused:
    """What who comes to a full queue is told."""
    return Refused(503, "too many requests wait already", retry_after_s=_RETRY_AFTER_S)


def _hand_out(asked: Sequence[_Waiting], answers: list[Answer]) -> None:
    """Gives each request the answers to its rows."""
    start = 0
    for waiting in asked:
        waiting.answered.set_result(answers[start : start + len(waiting.rows)])
        start += len(waiting.rows)
