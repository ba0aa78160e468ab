"""The routes, as one ASGI application without a framework: a route of a framework costs more than the model.

POST /predict                     plain JSON: one row or several
POST /explain                     what moved the scores of rows
POST /get-online-features         features by key from the online store
GET  /v2, /v2/health/*, /v2/models/NAME[/versions/V][/ready|/infer]     Open Inference Protocol
GET  /metrics, /openapi.json, /docs
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from mlctl import __version__
from mlctl.errors import DataError, MlctlError
from mlctl.online import Store
from mlctl.server import inference, pages
from mlctl.server.answers import MODEL_ERROR, TIMEOUT, Answerer
from mlctl.server.batching import Batches
from mlctl.server.inputs import Inputs, Refused
from mlctl.server.lookups import Filled, Lookups, all_filled
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.serving.http import Options

if TYPE_CHECKING:
    from mlctl.server.batching import Row

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Tell = Callable[[str], None]

_JSON: Final = (b"content-type", b"application/json")
_BINARY: Final = (b"content-type", b"application/octet-stream")
_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_CLOSE: Final = (b"connection", b"close")
_LONGEST_ID: Final = 128
_READ_ALL_THE_SAME: Final = 8
"""A body up to so many times too long is read to its end, so that its client hears why it is refused."""
_MOST_REASONS: Final = 20


@dataclass(frozen=True)
class Reply:
    """An answer to a request: status, body, headers."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)


class App:
    """One release behind the routes; another one may take its place between two requests."""

    def __init__(self, name: str, options: Options, log: PredictionLog | None, measures: Measures, tell: Tell) -> None:
        self.name, self._options, self._log, self._measures, self._tell = name, options, log, measures, tell
        self._answerer: Answerer | None = None
        self._lookups: Lookups | None = None
        self._inputs = Inputs({}, "", options.max_rows)
        self._batches = Batches(
            self._answered, self._late, (options.queue_rows, options.batch_rows, options.timeout_ms / 1000)
        )
        self.draining = False
        self._posts: dict[str, Callable[[Scope, bytes], Awaitable[Reply]]] = {
            "/predict": self._predict,
            "/explain": self._explain,
            "/get-online-features": self._online_features,
            f"/v2/models/{name}/infer": self._infer,
        }
        self._gets: dict[str, Callable[[], Reply]] = {
            "/v2": self._server,
            "/v2/health/live": lambda: Reply(200, b'{"live":true}'),
            "/v2/health/ready": self._ready,
            f"/v2/models/{name}": lambda: _json(inference.metadata(name, self.release, self._inputs)),
            f"/v2/models/{name}/ready": self._ready,
            "/metrics": lambda: Reply(200, measures.text(), (_TEXT,)),
            "/openapi.json": lambda: _json(self._described()),
            "/docs": lambda: Reply(200, self._page(), (_HTML,)),
        }

    @property
    def release(self) -> str:
        """The id of the release that answers; empty before there is one."""
        return "" if self._answerer is None else self._answerer.release.id

    def _answering(self) -> Answerer:
        """Who answers.

        Raises:
            Refused: 503: nobody does yet.
        """
        if self._answerer is None:
            raise Refused(503, "no release is ready yet", retry_after_s=1)
        return self._answerer

    def take(self, answerer: Answerer) -> None:
        """Lets a verified release answer from the next request on."""
        # what was read by the old release's schema is answered by the old release
        self._batches.flush()
        self._inputs = Inputs(answerer.schema, answerer.release.project.entity.key, self._options.max_rows)
        answerer.answers(self._inputs, [self._inputs.row(row, "") for row in answerer.examples])
        self._answerer = answerer
        if self._lookups is not None and not self.fits(self._lookups.store):
            self._lookups = None
            self._tell(f"the online store lacks features of {answerer.release.id}: mlctl materialize {self.name}")
        self._measures.release(answerer.release.id)

    def fits(self, store: Store) -> bool:
        """Whether a store holds every feature of the release."""
        return store.key == self._inputs.key and store.holds(self._inputs.schema)

    def refused(self) -> None:
        """Counts a release or store that was not taken."""
        self._measures.refused_release()

    def look_up(self, lookups: Lookups | None) -> None:
        """Lets a generation of the online store fill the rows from the next request on; None: no store."""
        self._lookups = lookups

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        route = scope["path"]
        try:
            reply = await self._reply(scope, receive)
        except Refused as refused:
            reply = _refusal(refused)
        except Exception as error:  # noqa: BLE001 - nobody sees a stack, and the next request is answered
            self._tell(f"{scope['method']} {route}: {type(error).__name__}: {error}")
            reply = Reply(500, b'{"error":"the server failed; its log tells why"}')
        headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
        if self.draining or reply.status == 413:
            headers.append(_CLOSE)
        with suppress(OSError):
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})
        self._measures.request(self._route(route), reply.status, time.perf_counter() - started)

    def _route(self, path: str) -> str:
        """A route's name for the counters: never what a client made up."""
        if path in self._posts or path in self._gets:
            return path
        versions = f"/v2/models/{self.name}/versions"
        return versions if path.startswith(f"{versions}/") else "other"

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"], scope["method"]
        versioned = f"/v2/models/{self.name}/versions/"
        if path.startswith(versioned):
            version, _, rest = path[len(versioned) :].partition("/")
            if version != self.release:
                raise Refused(404, f"the release {self.release} answers here", "version")
            path = f"/v2/models/{self.name}" + (f"/{rest}" if rest else "")
        post = self._posts.get(path)
        if post is None:
            return self._read_only(path, method)
        if method != "POST":
            return Reply(405, b'{"error":"send a POST request"}', (_JSON, (b"allow", b"POST")))
        body = await self._body(scope, receive)
        self._answering()
        return await post(scope, body)

    def _read_only(self, path: str, method: str) -> Reply:
        known = self._gets.get(path)
        if known is None:
            if path.startswith("/v2/models/"):
                return Reply(404, orjson.dumps({"error": f"there is no such model; this is {self.name}"}))
            return Reply(404, b'{"error":"there is no such route; GET /docs tells which there are"}')
        if method not in ("GET", "HEAD"):
            return Reply(405, b'{"error":"send a GET request"}', (_JSON, (b"allow", b"GET, HEAD")))
        return known()

    def _server(self) -> Reply:
        return _json({"name": "mlctl", "version": __version__, "extensions": ["binary_tensor_data"]})

    def _ready(self) -> Reply:
        ready = self._answerer is not None and not self.draining
        return Reply(200 if ready else 503, b'{"ready":true}' if ready else b'{"ready":false}')

    def _described(self) -> dict[str, Any]:
        examples = () if self._answerer is None else self._answerer.examples
        return pages.openapi(self.name, self.release, self._inputs, examples[:1], self._lookups)

    def _page(self) -> bytes:
        answerer = self._answering()
        examples = list(answerer.examples[:: max(1, len(answerer.examples) // 3)][:3])
        answers = answerer.answers(self._inputs, [self._inputs.row(row, "") for row in examples])
        return pages.page(answerer.release, self._inputs, examples, answers)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body of a request.

        Raises:
            Refused: 413: it is too long; 408: it did not come in time; 415: it is compressed.
        """
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > _READ_ALL_THE_SAME * self._options.max_bytes:
                raise self._too_long()
            if name == b"content-encoding" and value.lower() != b"identity":
                raise Refused(415, "send the body as it is, not compressed", "content-encoding")
        most, message = self._options.max_bytes, await receive()
        if message["type"] == "http.request" and not message.get("more_body") and len(body := message["body"]) <= most:
            return bytes(body)
        try:
            async with asyncio.timeout(self._options.body_timeout_ms / 1000):
                return await self._long_body(message, receive)
        except TimeoutError as error:
            raise Refused(408, f"the body did not come within {self._options.body_timeout_ms:,} ms") from error

    async def _long_body(self, message: Mapping[str, Any], receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            size += len(message["body"])
            if size > _READ_ALL_THE_SAME * self._options.max_bytes:
                raise self._too_long()
            if size <= self._options.max_bytes:
                parts.append(message["body"])
            if not message.get("more_body"):
                if size > self._options.max_bytes:
                    raise self._too_long()
                return b"".join(parts)
            message = await receive()
        raise Refused(400, "the client went away")

    def _too_long(self) -> Refused:
        return Refused(413, f"the body has more than {self._options.max_bytes:,} bytes")

    async def _predict(self, scope: Scope, body: bytes) -> Reply:
        said, fills = all_filled(self._lookups, _parsed(body), self._inputs)
        rows = self._inputs.rows(said)
        answers = await self._asked(rows, _identity(scope), fills)
        return Reply(200, orjson.dumps(answers if isinstance(said, list) else answers[0]))

    async def _online_features(self, scope: Scope, body: bytes) -> Reply:
        if self._lookups is None:
            raise Refused(404, f"there is no online store; mlctl materialize projects/{self.name}")
        return _json(self._lookups.answered(_parsed(body), self._inputs))

    async def _infer(self, scope: Scope, body: bytes) -> Reply:
        length = next((value.decode("latin-1") for name, value in scope["headers"] if name == inference.HEADER), "")
        request = inference.Inference(body, length, self._inputs, by_key=self._lookups is not None)
        said, fills = all_filled(self._lookups, request.rows, self._inputs)
        rows = self._inputs.rows(said) if fills else request.rows
        answers = await self._asked(rows, request.identity or _identity(scope), fills)
        told, json_bytes = request.answered(self.name, answers)
        if json_bytes is None:
            return Reply(200, told)
        return Reply(200, told, (_BINARY, (inference.HEADER, b"%d" % json_bytes)))

    async def _explain(self, scope: Scope, body: bytes) -> Reply:
        said, fills = all_filled(self._lookups, _parsed(body), self._inputs)
        for place, fill in enumerate(fills):
            if fill.reason:
                where = f"[{place}].{self._inputs.key}" if isinstance(said, list) else self._inputs.key
                raise Refused(422, f"the model is not asked about it: {fill.reason}", where)
        rows = self._inputs.rows(said)
        answerer = self._answering()
        table = self._inputs.table(rows)
        try:
            # before others have their turn, in which another release may come
            answers = answerer.answers(self._inputs, rows)
            why = await asyncio.to_thread(answerer.explained, table, _MOST_REASONS)
        except MlctlError as error:
            raise Refused(422, str(error).splitlines()[0]) from error
        told = [
            answer | {"contributions": None if text is None else orjson.loads(text)}
            for answer, text in zip(_named(answers, _identity(scope)), why, strict=True)
        ]
        return _json(told if isinstance(said, list) else told[0])

    async def _asked(self, rows: Sequence[Row], identity: str, fills: Sequence[Filled] = ()) -> list[dict[str, Any]]:
        """The answers to rows, written down; where the lookup says why, the fallback's."""
        if any(fill.reason for fill in fills):
            answers = await self._some_asked(rows, fills)
        else:
            answers = await self._batches.ask(rows)
        told = _named(answers, identity)
        if self._log is not None:
            keys = ({} if self._inputs.key not in row else {self._inputs.key: row[self._inputs.key]} for row in rows)
            lines = [line | key for line, key in zip(told, keys, strict=True)]
            if self._options.log == "inputs":
                lines = [line | {"inputs": row} for line, row in zip(lines, rows, strict=True)]
            if fills:
                lines = [{**line, **(fill.about or {})} for line, fill in zip(lines, fills, strict=True)]
            self._log.write(lines)
        return told

    async def _some_asked(self, rows: Sequence[Row], fills: Sequence[Filled]) -> list[dict[str, Any]]:
        asked = [row for row, fill in zip(rows, fills, strict=True) if not fill.reason]
        by_model = iter(await self._batches.ask(asked) if asked else [])
        answerer = self._answering()
        by_fallback = [answerer.fallback(fill.reason) for fill in fills if fill.reason]
        self._measures.answers(by_fallback)
        others = iter(by_fallback)
        return [next(others) if fill.reason else next(by_model) for fill in fills]

    def _answered(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The answers to a batch; where the model fails, the fallback's."""
        answerer = self._answering()
        self._measures.batch(len(rows), self._batches.waiting_rows)
        try:
            answers = answerer.answers(self._inputs, rows)
        except Exception as error:  # noqa: BLE001 - the fallback answers, whatever failed
            if len(rows) > 1:  # one bad row must not spoil the others
                return [self._answered([row])[0] for row in rows]
            if not isinstance(error, DataError):
                self._tell(f"the model failed: {type(error).__name__}: {error}")
            answers = [answerer.fallback(MODEL_ERROR)]
        self._measures.answers(answers)
        return answers

    def _late(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        answerer = self._answering()
        answers = [answerer.fallback(TIMEOUT) for _ in rows]
        self._measures.answers(answers)
        return answers


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is no JSON: {error}") from error


def _json(data: Any) -> Reply:
    return Reply(200, orjson.dumps(data))


def _identity(scope: Scope) -> str:
    """The request's id: the client's own, where it sent a fitting one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 0 < len(value) <= _LONGEST_ID and value.isascii():
            text: str = value.decode("ascii")
            if text.isprintable():
                return text
    return os.urandom(16).hex()


def _named(answers: Sequence[dict[str, Any]], identity: str) -> list[dict[str, Any]]:
    """Answers with an id each: the request's, and of several rows the row's place behind it."""
    return [{"id": identity if len(answers) == 1 else f"{identity}/{place}"} | a for place, a in enumerate(answers)]


def _refusal(refused: Refused) -> Reply:
    told = {"error": f"{refused.field}: {refused.why}" if refused.field else refused.why}
    if refused.field:
        told["field"] = refused.field
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)
    if refused.retry_after_s is not None:
        headers = (*headers, (b"retry-after", b"%d" % refused.retry_after_s))
    return Reply(refused.status, orjson.dumps(told), headers)
