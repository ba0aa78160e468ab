"""A real server of a workspace's project, and a plain client."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
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

    def said(self, *words: str) -> str:
        """The next line on stderr that holds some words; of several words the last such line, in whatever order they come."""
        missing = set(words)
        for line in self.process.stderr or ():
            missing = {one for one in missing if one not in line}
            if not missing:
                return line
        raise ValueError(f"the server ended and never said {sorted(missing)}")


def rows_of(folder: Path) -> pl.DataFrame:
    """The features of the test rows of the workspace's shop."""
    report = json.loads((folder / ".mlctl/shop/features/report.json").read_text())
    return pl.read_parquet(folder / ".mlctl/shop/features/test.parquet").select(report["columns"])


class Load:
    """Clients that ask one request after the other, as long as they may: on connections that they keep, or each anew."""

    def __init__(self, port: int, row: dict, clients: int = 4, anew: bool = False) -> None:
        self._anew = anew
        self.answers: list[dict] = []
        self.lost: list[str] = []
        self._stop = threading.Event()
        self._port, self._body = port, json.dumps(row)
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def reached(self, answers: int) -> None:
        while len(self.answers) < answers and not self.lost:
            threading.Event().wait(0.01)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set():
            if connection.sock is None:
                try:
                    connection.connect()
                except OSError:
                    return  # nobody listens any more: nothing was sent
            try:
                connection.request("POST", "/predict", self._body)
                answer = connection.getresponse()
                told = json.loads(answer.read())
            except OSError as error:
                self.lost.append(repr(error))
                return
            if answer.status != 200:
                self.lost.append(f"{answer.status}: {told}")
                return
            self.answers.append(told)
            if self._anew:
                connection.close()
                continue
            if answer.getheader("connection") == "close":
                return  # "not ready": whoever shares out the load sends nothing more


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
