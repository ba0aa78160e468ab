"""Requests at a rate, whatever becomes of those before them: on kept connections, by one process that takes little.

A generator that takes long itself tells of the server what is its own. So this one does next to nothing for a request,
and says how late it sent them.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import uvloop

_MOST_CONNECTIONS = 4000


@dataclass
class Seen:
    """What became of the requests.

    Attributes:
        took: By status the seconds from the sending to the answer; a fallback for want of time is of status 0.
        late: Of each request, the seconds between the moment when it was due and its sending.
        seconds: How long requests were sent.
    """

    took: dict[int, list[float]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def rate(self, status: int) -> float:
        """Answers of a status a second."""
        return len(self.took.get(status, ())) / self.seconds


class _Connection(asyncio.Protocol):
    """One connection, on which one request is under way at a time."""

    def __init__(self, free: Callable[[_Connection, int, float], None]) -> None:
        self._free, self._told, self._sent_at = free, b"", 0.0
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> None:
        self._sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._told += data
        head, whole, body = self._told.partition(b"\r\n\r\n")
        if not whole:
            return
        length = int(head[head.index(b"content-length: ") + 16 :].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        took, self._told = time.perf_counter() - self._sent_at, b""
        self._free(self, 0 if b'"timeout"' in body else int(head[9:12]), took)


def requests(bodies: Iterable[bytes], path: str = "/predict") -> Iterator[bytes]:
    """Requests as they go over the wire, one after the other, for ever; made before the first is asked for."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
    return cycle([head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies])


def at_rate(port: int, asked: Iterator[bytes], rate: float, seconds: float) -> Seen:
    """What became of requests that came at a rate, in requests a second."""

    async def play() -> Seen:
        seen, free, under_way = Seen(seconds=seconds), [], 0  # type: ignore[var-annotated]
        loop, sent = asyncio.get_running_loop(), 0

        def answered(connection: _Connection, status: int, took: float) -> None:
            nonlocal under_way
            under_way -= 1
            # what is still answered afterwards is no goodput of these seconds
            if time.perf_counter() - began < seconds or status != 200:
                seen.took.setdefault(status, []).append(took)
            free.append(connection)

        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            while sent < rate * now and under_way < _MOST_CONNECTIONS:
                connection = free.pop() if free else None
                if connection is None:
                    _, connection = await loop.create_connection(lambda: _Connection(answered), "127.0.0.1", port)
                seen.late.append(time.perf_counter() - began - sent / rate)
                sent, under_way = sent + 1, under_way + 1
                connection.ask(next(asked))
            # never asleep: waking a core that sleeps would cost the server, who sends to it
            await asyncio.sleep(0)
        while under_way:
            await asyncio.sleep(0.01)
        return seen

    return _run(play)


def closed_loop(port: int, asked: Iterator[bytes], clients: int, seconds: float) -> Seen:
    """What became of requests of so many clients, each of whom asks again once it was answered."""

    async def play() -> Seen:
        seen, loop = Seen(seconds=seconds), asyncio.get_running_loop()
        end = time.perf_counter() + seconds

        def answered(connection: _Connection, status: int, took: float) -> None:
            if time.perf_counter() < end:
                seen.took.setdefault(status, []).append(took)
                connection.ask(next(asked))

        for _ in range(clients):
            _, connection = await loop.create_connection(lambda: _Connection(answered), "127.0.0.1", port)
            connection.ask(next(asked))
        await asyncio.sleep(max(0.0, end - time.perf_counter()) + 0.2)
        return seen

    return _run(play)


def _run(play: Callable[[], Any]) -> Seen:
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found: Seen = runner.run(play())
            return found
    finally:
        gc.enable()
