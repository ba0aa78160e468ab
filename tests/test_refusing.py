"""What is refused by its bytes alone is exactly one request that is whole and like most others."""

from __future__ import annotations

import pytest

from mlctl.server.refusing import route_of

WHOLE = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}"


def test_a_request_that_is_whole_is_known_by_its_route():
    assert route_of(WHOLE) == b"/predict"
    assert route_of(WHOLE.replace(b"/predict", b"/v2/models/shop/infer")) == b"/v2/models/shop/infer"
    assert route_of(WHOLE.replace(b"Connection: keep-alive\r\n", b"")) == b"/predict"
    assert route_of(WHOLE.replace(b"Content-Length: 2", b"content-length:2")) == b"/predict"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:-1],
        WHOLE[:20],
        WHOLE + b"x",
        WHOLE + WHOLE,
        WHOLE.replace(b"POST", b"GET"),
        WHOLE.replace(b"1.1", b"1.0"),
        WHOLE.replace(b"keep-alive", b"close"),
        WHOLE.replace(b"keep-alive", b"upgrade"),
        WHOLE.replace(b"Host: x", b"Expect: 100-continue"),
        WHOLE.replace(b"Host: x", b"Transfer-Encoding: chunked"),
        WHOLE.replace(b"Host: x", b"Content-Length: 2"),
        WHOLE.replace(b"Host: x", b"Content-Length : 5"),
        WHOLE.replace(b"Length: 2", b"Length: +2"),
        WHOLE.replace(b"Length: 2", b"Length: " + b"9" * 30),
        WHOLE.replace(b"Content-Length: 2\r\n", b""),
    ],
)
def test_anything_else_goes_on_as_it_would(data):
    assert route_of(data) == b""
