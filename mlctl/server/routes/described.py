"""GET /metrics, /openapi.json and /docs: what is counted, and the routes described."""

from __future__ import annotations

from typing import Final

from mlctl.server import pages
from mlctl.server.answering import Answering
from mlctl.server.replies import Reply, Routes, json_reply

_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")


def routes(answering: Answering) -> Routes:
    """The group."""

    def metrics() -> Reply:
        return Reply(200, answering.measures.text(), (_TEXT,))

    def openapi() -> Reply:
        release = answering.variants.release
        examples = answering.variants.champion.examples[:1] if release else ()
        return json_reply(pages.openapi(answering.name, release, answering.inputs, examples, answering.lookups))

    def page() -> Reply:
        champion = answering.variants.champion
        examples = list(champion.examples[:: max(1, len(champion.examples) // 3)][:3])
        answers = champion.answers(answering.inputs, [answering.inputs.row(row, "") for row in examples])
        return Reply(200, pages.page(champion.release, answering.inputs, examples, answers), (_HTML,))

    return Routes(gets={"/metrics": metrics, "/openapi.json": openapi, "/docs": page})
