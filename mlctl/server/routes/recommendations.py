"""POST /recommend and /similar: plain JSON, one request or several; and what tells about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from mlctl import __version__
from mlctl.server import recommend_pages
from mlctl.server.inputs import Refused
from mlctl.server.recommending import Recommending
from mlctl.server.replies import Reply, Routes, Scope, identity, json_reply, parsed

_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")

Ask = Callable[[Any, str, str], Awaitable[dict[str, Any]]]


def routes(recommending: Recommending) -> Routes:
    """The group."""

    async def recommend(scope: Scope, body: bytes) -> Reply:
        return await _each(recommending, recommending.recommend, scope, body)

    async def similar(scope: Scope, body: bytes) -> Reply:
        return await _each(recommending, recommending.similar, scope, body)

    def ready() -> Reply:
        if recommending.release and not recommending.draining:
            return Reply(200, b'{"ready":true}')
        return Reply(503, b'{"ready":false}')

    return Routes(
        posts={"/recommend": recommend, "/similar": similar},
        gets={
            "/v2": lambda: json_reply({"name": "mlctl", "version": __version__, "extensions": []}),
            "/v2/health/live": lambda: Reply(200, b'{"live":true}'),
            "/v2/health/ready": ready,
            "/metrics": lambda: Reply(200, recommending.measures.text(), (_TEXT,)),
            "/openapi.json": lambda: json_reply(recommend_pages.openapi(recommending)),
            "/docs": lambda: Reply(200, recommend_pages.page(recommending), (_HTML,)),
        },
    )


async def _each(recommending: Recommending, ask: Ask, scope: Scope, body: bytes) -> Reply:
    """Answers an object, or each object of an array in its turn."""
    said, name = parsed(body), identity(scope)
    if not isinstance(said, list):
        return json_reply(await ask(said, name, ""))
    if not 0 < len(said) <= recommending.options.max_rows:
        most = recommending.options.max_rows
        raise Refused(413, f"there are {len(said):,} requests; between 1 and {most:,} are answered at once")
    return json_reply([await ask(one, f"{name}/{place}", f"[{place}].") for place, one in enumerate(said)])
