"""The routes as one ASGI application without a framework: a route of a framework costs more than the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

import orjson

from mlctl.server.bodies import body_of
from mlctl.server.inputs import Refused
from mlctl.server.measures import Measures
from mlctl.server.replies import JSON, Get, Post, Receive, Reply, Routes, Scope, Send, refusal
from mlctl.server.routes.open_inference import unversioned
from mlctl.serving.http import Options

Tell = Callable[[str], None]

_CLOSE: Final = (b"connection", b"close")


class Behind(Protocol):
    """What stands behind the routes: it answers rows, or recommends items."""

    name: str
    options: Options
    measures: Measures
    draining: bool

    @property
    def release(self) -> str:
        """The id of the release that answers; empty before there is one."""
        ...

    @property
    def room(self) -> int:
        """How many rows may still come into the queue."""
        ...

    def close(self) -> None:
        """Ends the logs."""
        ...


class App:
    """The routes before what answers."""

    def __init__(self, behind: Behind, groups: Iterable[Routes], tell: Tell) -> None:
        self.behind, self._tell = behind, tell
        self._posts: dict[str, Post] = {}
        self._gets: dict[str, Get] = {}
        self._queued: dict[bytes, str] = {}
        for routes in groups:
            self._posts |= routes.posts
            self._gets |= routes.gets
            self._queued |= {path.encode(): path for path in routes.queued}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        route = scope["path"]
        try:
            reply = await self._reply(scope, receive)
        except Refused as refused:
            reply = refusal(refused)
        except Exception as error:  # noqa: BLE001 - nobody sees a stack, and the next request is answered
            self._tell(f"{scope['method']} {route}: {type(error).__name__}: {error}")
            reply = Reply(500, b'{"error":"the server failed; its log tells why"}')
        headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
        if self.behind.draining or reply.status == 413:
            headers.append(_CLOSE)
        with suppress(OSError):
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})
        self.behind.measures.request(self._route(route), reply.status, time.perf_counter() - started)

    def queues(self, path: bytes) -> bool:
        """Whether requests to a path wait in the queue."""
        return path in self._queued

    def refused(self, path: bytes) -> None:
        """Counts a request that was refused before it came here."""
        self.behind.measures.turned_away(self._queued[path])

    def _route(self, path: str) -> str:
        """A route's name for the counters: never what a client made up."""
        if path in self._posts or path in self._gets:
            return path
        versions = f"/v2/models/{self.behind.name}/versions"
        return versions if path.startswith(f"{versions}/") else "other"

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        path, method = unversioned(scope["path"], self.behind.name, self.behind.release), scope["method"]
        post = self._posts.get(path)
        if post is None:
            return self._read_only(path, method)
        if method != "POST":
            return Reply(405, b'{"error":"send a POST request"}', (JSON, (b"allow", b"POST")))
        body = await body_of(scope, receive, self.behind.options)
        return await post(scope, body)

    def _read_only(self, path: str, method: str) -> Reply:
        known = self._gets.get(path)
        if known is None:
            if path.startswith("/v2/models/"):
                return Reply(404, orjson.dumps({"error": f"there is no such model; this is {self.behind.name}"}))
            return Reply(404, b'{"error":"there is no such route; GET /docs tells which there are"}')
        if method not in ("GET", "HEAD"):
            return Reply(405, b'{"error":"send a GET request"}', (JSON, (b"allow", b"GET, HEAD")))
        return known()
