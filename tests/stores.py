"""A real web server on the loopback that answers ranges as object stores do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Store(ThreadingHTTPServer):
    """A web server of some bytes; `cut` answers with less than it promises, `broken` with an error, `endless` ever on."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), Answers)

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, with_body: bool) -> None:
        name = self.path.lstrip("/").removeprefix("bucket/")
        if name.startswith("endless") and with_body:
            self.go_on()
            return
        data = self.server.objects.get(name)
        if data is None or name.startswith("broken"):
            self.send_response(404 if data is None else 403)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        total = len(data)
        self.send_response(206 if asked else 200)
        if asked:
            first = int(asked[1]) if asked[1] else max(0, total - int(asked[2]))
            last = min(int(asked[2]), total - 1) if asked[1] and asked[2] else total - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            data = data[first : last + 1]
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        if with_body:
            self.wfile.write(data[: len(data) // 2] if name.startswith("cut") else data)
        self.close_connection = name.startswith("cut")

    def go_on(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while True:
                self.wfile.write(b"1,2\n" * 2**16)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def opened() -> Iterator[Store]:
    """A store at work."""
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
