"""To say no must cost little where there is too much: a full queue refuses before anything is made of a request.

At ten times what a server can answer nine requests of ten are refused, so what a refusal takes is taken from the
answers. A request that came whole and is like most others is refused by its bytes alone: no parser, no task, one write.
Any other goes on as it would, and hears the same a little later.
"""

from __future__ import annotations

import re
from asyncio import AbstractEventLoop
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlctl.server.app import App
from mlctl.server.batching import full
from mlctl.server.replies import refusal

_START: Final = re.compile(rb"POST (\S+) HTTP/1\.1\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?(\d{1,18})(?=\r\n)")
_UNUSUAL: Final = re.compile(rb"\r\n(?:expect|transfer-encoding|upgrade|connection:(?! ?keep-alive\r\n))")


def route_of(data: bytes) -> bytes:
    r"""The path of a POST request, where the bytes are exactly one that is whole and like most others; else nothing.

    >>> route_of(b"POST /predict HTTP/1.1\r\nhost: x\r\nContent-Length: 2\r\n\r\n{}")
    b'/predict'
    >>> route_of(b"POST /predict HTTP/1.1\r\nhost: x\r\nContent-Length: 3\r\n\r\n{}")
    b''
    """
    start, end = _START.match(data), data.find(b"\r\n\r\n")
    if start is None or end < 0:
        return b""
    head = data[: end + 2].lower()
    lengths = _LENGTH.findall(head)
    if head.count(b"\r\ncontent-length") != 1 or not lengths or _UNUSUAL.search(head):
        return b""
    return start[1] if int(lengths[0]) == len(data) - end - 4 else b""


def _written() -> bytes:
    """The refusal as it goes over the wire."""
    reply = refusal(full())
    headers = (*reply.headers, (b"content-length", b"%d" % len(reply.body)))
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n%b\r\n%b" % (lines, reply.body)


_REFUSAL: Final = _written()


class Door:
    """How many may still come in, for all connections of a server."""

    def __init__(self, app: App) -> None:
        self.app, self._came = app, 0

    @property
    def is_shut(self) -> bool:
        """Whether the queue is full, or will be by those who came at this turn of the event loop."""
        behind = self.app.behind
        return self._came >= behind.room and not behind.draining

    def lets_in(self, loop: AbstractEventLoop) -> None:
        """Counts a request that is not in the queue yet; before the loop's next turn of reading it is."""
        if not self._came:
            loop.call_soon(self._turned)
        self._came += 1

    def _turned(self) -> None:
        self._came = 0


class Refusing(HttpToolsProtocol):
    """uvicorn's protocol of one connection, which refuses by itself what would find a full queue."""

    def __init__(self, door: Door, **words: Any) -> None:
        super().__init__(**words)
        self._door, self._within, self._refused_at = door, False, 0.0

    def data_received(self, data: bytes) -> None:
        """Bytes of the connection."""
        app = self._door.app
        if self._door.is_shut and self._waits() and app.queues(route := route_of(data)):
            self.transport.write(_REFUSAL)
            app.refused(route)
            self._refused_at = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._keep_alive(self.timeout_keep_alive)
            return
        self._door.lets_in(self.loop)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._within = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """It is whole."""
        self._within = False
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was answered for a while; who was refused since may stay."""
        left_s = self._refused_at + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._keep_alive(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _waits(self) -> bool:
        """Whether nothing of a request was read yet, and the one before was answered."""
        return not self._within and (self.cycle is None or self.cycle.response_complete)
