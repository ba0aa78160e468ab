"""A real server of a workspace's project, and a plain client."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tests import world


class Server:
    """A running `mlctl serve`: its process and its port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body (read as JSON where it is) and headers of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        is_json = (answer.getheader("content-type") or "").startswith("application/json")
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, json.loads(text) if is_json else text, found

    def post(self, path: str, body: Any) -> Any:
        """What a request that must be answered is answered."""
        status, told, _ = self.ask("POST", path, body)
        if status != 200:
            raise ValueError(f"{status}: {told}")
        return told

    def said(self, words: str) -> str:
        """The next line on stderr that holds some words."""
        for line in self.process.stderr or ():
            if words in line:
                return line
        raise ValueError(f"the server ended and never said {words!r}")


def rows_of(folder: Path) -> pl.DataFrame:
    """The features of the test rows of the workspace's shop."""
    report = json.loads((folder / ".mlctl/shop/features/report.json").read_text())
    return pl.read_parquet(folder / ".mlctl/shop/features/test.parquet").select(report["columns"])


@contextmanager
def serve(folder: Path, *words: str, name: str = "shop") -> Iterator[Server]:
    """`mlctl serve` on a free port, once it has said that it answers."""
    process = world.begin(folder, "serve", name, "--port", "0", *words)
    server = Server(process, 0)
    try:
        line = server.said("answers on")
        server.port = int(line.split("http://127.0.0.1:")[1].split()[0].rstrip("/"))
        yield server
    finally:
        process.terminate()
        process.communicate()
