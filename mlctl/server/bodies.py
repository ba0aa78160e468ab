"""The body of a request, read within its limits of bytes and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from mlctl.server.inputs import Refused
from mlctl.server.replies import Receive, Scope
from mlctl.serving.http import Options

_READ_ALL_THE_SAME: Final = 8
"""A body up to so many times too long is read to its end, so that its client hears why it is refused."""


async def body_of(scope: Scope, receive: Receive, options: Options) -> bytes:
    """The body of a request.

    Raises:
        Refused: 413: it is too long; 408: it did not come in time; 415: it is compressed.
    """
    most = options.max_bytes
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > _READ_ALL_THE_SAME * most:
            raise _too_long(most)
        if name == b"content-encoding" and value.lower() != b"identity":
            raise Refused(415, "send the body as it is, not compressed", "content-encoding")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body") and len(body := message["body"]) <= most:
        return bytes(body)
    try:
        async with asyncio.timeout(options.body_timeout_ms / 1000):
            return await _long_body(message, receive, most)
    except TimeoutError as error:
        raise Refused(408, f"the body did not come within {options.body_timeout_ms:,} ms") from error


async def _long_body(message: Mapping[str, Any], receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        size += len(message["body"])
        if size > _READ_ALL_THE_SAME * most:
            raise _too_long(most)
        if size <= most:
            parts.append(message["body"])
        if not message.get("more_body"):
            if size > most:
                raise _too_long(most)
            return b"".join(parts)
        message = await receive()
    raise Refused(400, "the client went away")


def _too_long(most: int) -> Refused:
    return Refused(413, f"the body has more than {most:,} bytes")
