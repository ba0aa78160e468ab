"""What a route takes and gives: a request's scope and body, a reply, and the routes of a group.

A route of a framework costs more than the model, so a route is a function and a group of them two dictionaries.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from mlctl.server.inputs import Refused

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON: Final = (b"content-type", b"application/json")
_LONGEST_ID: Final = 128


@dataclass(frozen=True)
class Reply:
    """An answer to a request: status, body, headers."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)


Post = Callable[[Scope, bytes], Awaitable[Reply]]
Get = Callable[[], Reply]


@dataclass(frozen=True)
class Routes:
    """A group of routes, by path; what they cannot answer they refuse (`Refused`).

    Attributes:
        posts: Those that take a body.
        gets: Those that only tell.
        queued: Of `posts`, those whose rows wait in the queue, which may be full.
    """

    posts: Mapping[str, Post] = field(default_factory=dict)
    gets: Mapping[str, Get] = field(default_factory=dict)
    queued: frozenset[str] = frozenset()


def parsed(body: bytes) -> Any:
    """A body of JSON.

    Raises:
        Refused: 400: it is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is no JSON: {error}") from error


def json_reply(data: Any) -> Reply:
    """A good answer in JSON."""
    return Reply(200, orjson.dumps(data))


def identity(scope: Scope) -> str:
    """The request's id: the client's own, where it sent a fitting one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 0 < len(value) <= _LONGEST_ID and value.isascii():
            text: str = value.decode("ascii")
            if text.isprintable():
                return text
    return os.urandom(16).hex()


def refusal(refused: Refused) -> Reply:
    """The reply that says why not."""
    told = {"error": f"{refused.field}: {refused.why}" if refused.field else refused.why}
    if refused.field:
        told["field"] = refused.field
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)
    if refused.retry_after_s is not None:
        headers = (*headers, (b"retry-after", b"%d" % refused.retry_after_s))
    return Reply(refused.status, orjson.dumps(told), headers)
