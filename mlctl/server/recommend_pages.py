"""The routes of a recommender described: OpenAPI for machines, and a page for people with answers to copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from mlctl import __version__
from mlctl.index import retrieval
from mlctl.index.filters import Filter
from mlctl.server.pages import error, get, post, ref

if TYPE_CHECKING:
    from mlctl.server.recommending import Recommending

_ID: Final = {"type": ["string", "integer"]}
_TEXT: Final = {"type": "string"}


def openapi(recommending: Recommending) -> dict[str, Any]:
    """The routes as OpenAPI 3.1."""
    asks, likes = _requests(recommending) if recommending.release else ({"type": "object"}, {"type": "object"})
    found = {
        "type": "object",
        "properties": {"item": _TEXT, "score": {"type": "number"}, "because": {"type": "array", "items": _TEXT}},
        "required": ["item", "score"],
    }
    told = dict.fromkeys(("id", "state", "model", "reason", "by", "release", "variant", "short"), _TEXT)
    answer = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": ref("Found")}, **told},
        "required": ["id", "items", "by", "release", "variant"],
    }
    answers = {"oneOf": [ref("Answer"), {"type": "array", "items": ref("Answer")}]}
    schemas = {"Recommend": asks, "Similar": likes, "Found": found, "Answer": answer, "Error": error()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": recommending.name,
            "version": recommending.release or "none",
            "description": f"Served by mlctl {__version__}.",
        },
        "paths": {
            "/recommend": post("Items for a user or a history.", _or_several("Recommend"), answers, ()),
            "/similar": post("Items like one.", _or_several("Similar"), answers, ()),
            "/v2": get("The server."),
            "/v2/health/live": get("The process lives."),
            "/v2/health/ready": get("The release answers.", "503"),
            "/metrics": get("Counters for Prometheus.", kind="text/plain"),
        },
        "components": {"schemas": schemas},
    }


def _or_several(name: str) -> dict[str, Any]:
    return {"oneOf": [ref(name), {"type": "array", "items": ref(name), "minItems": 1}]}


def _requests(recommending: Recommending) -> tuple[dict[str, Any], dict[str, Any]]:
    """What /recommend and /similar take."""
    columns = {name: {"description": f"a value, several, or {{min, max}}: {kind}"} for name, kind in
               recommending.columns.items()}  # fmt: skip
    both = {
        "k": {"type": "integer", "minimum": 1, "maximum": 1000},
        "filter": {"type": "object", "properties": columns, "additionalProperties": False},
    }
    asks = {
        recommending.user_key: _ID,
        "history": {"type": "array", "items": _ID},
        "seen": {"enum": ["hide", "show"]},
        "diversity": {"type": "number", "minimum": 0, "maximum": 1},
        "unknown_items": {"enum": ["refuse", "ignore"]},
        **both,
    }
    one = {"type": "object", "properties": asks, "additionalProperties": False}
    like = {"type": "object", "properties": {"item": _ID, **both}, "required": ["item"], "additionalProperties": False}
    return one, like


def page(recommending: Recommending) -> bytes:
    """The page for people: what it recommends, how to ask, and what comes back."""
    from jinja2 import Environment, FileSystemLoader

    recommender = recommending.recommender
    popular = recommender.popular(3).items
    examples = []
    for history in ([*popular[:1]], [*popular[:3]]):
        query = retrieval.Query(history, 3, "hide", Filter(), None)
        answer = retrieval.by_release(recommender, query)
        told = {"items": answer.items, "because": answer.because, "state": answer.state, "reason": answer.reason}
        examples.append({"asked": _pretty({"history": history, "k": 3}), "answer": _pretty(told)})
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    shown = pages.get_template("recommend.html").render(
        project=recommender.project,
        release=recommender,
        columns=recommending.columns,
        key=recommending.user_key,
        known=len(recommending.store) if recommending.store is not None else 0,
        item=popular[0] if popular else "",
        examples=examples,
    )
    return shown.encode()


def _pretty(data: Any) -> str:
    return orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()
