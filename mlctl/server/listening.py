"""The process while it listens: uvicorn, signals, and an end that cuts nobody off.

On SIGTERM it says "not ready" and asks its clients to close their connections, answering whoever still comes, until
nobody is there or `drain_s` are over. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn

from mlctl.server.app import App, Behind
from mlctl.server.refusing import Door, Refusing
from mlctl.server.sockets import BACKLOG, bound, shut_door

Watch = Callable[[], Coroutine[Any, Any, None]]

_QUIET_S: Final = 0.2
_ACCEPTED: Final = 256
"""Most connections that are let in at one turn of the event loop; uvloop by itself lets in one, so that a hundred
clients who come while batches take 4 ms would wait for 400."""
_KEEP_ALIVE_S: Final = 75
_FULL_S: Final = 1.0


def run(at: tuple[str, int], app: App, watch: Sequence[Watch], tell: Callable[[str], None]) -> None:
    """Answers requests until a signal ends it.

    Args:
        at: The address and the port that are listened on.
        app: The routes, and behind them a release that answers; it is closed at the end.
        watch: What looks for something new beside the answers, as coroutines that never end.
        tell: Hears what happens.

    Raises:
        ExternalError: The address cannot be listened on.
    """
    listener = bound(*at)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=partial(Refusing, Door(app)),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="critical",
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    server = _Server(config, app.behind, watch)
    address = f"http://{at[0]}:{listener.getsockname()[1]}"
    # what lives as long as the process is not looked through again and again for garbage
    gc.collect()
    gc.freeze()
    tell(f"release {app.behind.release} answers on {address} (page for people: {address}/docs)")
    try:
        server.run(sockets=[listener])
    finally:
        app.behind.close()
    tell("stopped")


class _Server(uvicorn.Server):
    """uvicorn, which on a signal would close connections on which a request may be on its way."""

    def __init__(self, config: uvicorn.Config, behind: Behind, watch: Sequence[Watch]) -> None:
        super().__init__(config)
        self._behind, self._watch = behind, watch
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: list[socket.socket] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listeners = sockets or []
        self._loop = asyncio.get_running_loop()
        # the descriptor of the socket itself belongs to uvloop
        self._doors = [listener.dup() for listener in self._listeners]
        for door in self._doors:
            self._opened(door)
        for watch in self._watch:
            self._begin(watch())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for door in self._doors:
            self._loop.remove_reader(door)
            door.close()
        await super().shutdown(sockets)

    def _let_in(self, door: socket.socket) -> None:
        """Accepts whoever has come; where the system has no room for more, looks again a second later."""
        try:
            for _ in range(_ACCEPTED):
                client, _address = door.accept()
                client.setblocking(False)
                self._begin(self._connect(client))
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._loop.remove_reader(door)
            self._loop.call_later(_FULL_S, self._opened, door)

    def _opened(self, door: socket.socket) -> None:
        if door.fileno() >= 0:
            self._loop.add_reader(door, self._let_in, door)

    async def _connect(self, client: socket.socket) -> None:
        with suppress(OSError):
            await self._loop.connect_accepted_socket(self._protocol, client)

    def _protocol(self) -> asyncio.Protocol:
        made: Any = self.config.http_protocol_class
        state = {"server_state": self.server_state, "app_state": self.lifespan.state}
        protocol: asyncio.Protocol = made(config=self.config, **state, _loop=self._loop)
        return protocol

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._behind.draining or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self._behind.draining = True
        self._loop.call_soon_threadsafe(lambda: self._begin(self._drain()))

    def _begin(self, act: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        """Answers until it is quiet; then lets nobody new in, and answers who was let in before."""
        end = self._loop.time() + self._behind.options.drain_s
        await self._quiet(end)
        shut = [shut_door(listener) for listener in self._listeners]
        if any(shut):
            await self._quiet(max(end, self._loop.time() + 2 * _QUIET_S))
        self.should_exit = True

    async def _quiet(self, end: float) -> None:
        """Waits until for a moment nobody was waiting for an answer, but not beyond an end."""
        quiet_since = self._loop.time()
        while self._loop.time() < end and self._loop.time() - quiet_since < _QUIET_S:
            await asyncio.sleep(0.02)
            if any(not _idle(connection) for connection in self.server_state.connections):
                quiet_since = self._loop.time()


def _idle(connection: Any) -> bool:
    cycle = getattr(connection, "cycle", None)
    return cycle is None or bool(cycle.response_complete)
