"""What alerts are delivered to in tests: a real HTTP server, a real SMTP server, and an address where nobody listens."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Http:
    """An HTTP server that writes down what it is sent.

    `answers` are the codes of the next requests, 200 after them; `port` stays the same when it is closed and opened again.
    """

    port: int
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    def bodies(self) -> list[Any]:
        """The JSON of every request that was taken."""
        return [json.loads(body) for _, _, body in self.posts]


@contextmanager
def http(port: int = 0) -> Iterator[Http]:
    """A server at work; without a port, at any free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code = taken.answers.pop(0) if taken.answers else 200
            if code < 300:
                taken.posts.append((self.path, dict(self.headers), body))
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    taken = Http(server.server_address[1])
    with _running(server):
        yield taken


@dataclass
class Smtp:
    """A mail server that keeps what it is sent; `refuses` are recipients that it does not take."""

    port: int
    mails: list[Message] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)


@contextmanager
def smtp(port: int = 0) -> Iterator[Smtp]:
    """A server at work that speaks as much of RFC 5321 as a client needs."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                if word == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    taken.mails.append(message_from_string(self._data()))
                refused = word == "RCPT" and any(address in line for address in taken.refuses)
                wanted = taken.answers.pop(0) if word == "MAIL" and taken.answers else "250 fine"
                self.wfile.write(b"550 nobody\r\n" if refused else f"{wanted}\r\n".encode())

        def _data(self) -> str:
            lines = []
            while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                lines.append(line.removeprefix(".") if line.startswith("..") else line)
            return "\n".join(lines)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    taken = Smtp(server.server_address[1])
    with _running(server):
        yield taken


@contextmanager
def _running(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
