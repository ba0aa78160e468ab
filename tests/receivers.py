"""What alerts are delivered to in tests: a real HTTP server, a real SMTP server, and an address where nobody listens."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


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
    """A mail server that keeps what it is sent; `refuses` are recipients that it does not take.

    `secret` are the lines of a login, each with whether the connection was encrypted by then.
    """

    port: int
    mails: list[Message] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    answers: list[str] = field(default_factory=list)
    secret: list[tuple[bool, str]] = field(default_factory=list)


@contextmanager
def smtp(port: int = 0, tls: ssl.SSLContext | None = None, at_once: bool = False) -> Iterator[Smtp]:
    """A server at work that speaks as much of RFC 5321 as a client needs; with `tls` by STARTTLS, or at once."""

    class Handler(socketserver.StreamRequestHandler):
        encrypted = False

        def handle(self) -> None:
            try:
                self._encrypt() if at_once else None
                self._talk()
            except ssl.SSLError:
                return  # a client that does not trust the certificate goes away

        def _encrypt(self) -> None:
            assert tls is not None
            self.connection = tls.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
            self.encrypted = True

        def _talk(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                if word == "EHLO" and tls is not None:
                    offered = "AUTH PLAIN" if self.encrypted else "STARTTLS"
                    self.wfile.write(f"250-here\r\n250 {offered}\r\n".encode())
                    continue
                if word == "STARTTLS":
                    self.wfile.write(b"220 go on\r\n")
                    self._encrypt()
                    continue
                if word == "AUTH":
                    taken.secret.append((self.encrypted, line))
                    self.wfile.write(b"235 welcome\r\n")
                    continue
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


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server on 127.0.0.1 proves itself by, and the certificate that a client has to trust for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2120, 1, 1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted


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
