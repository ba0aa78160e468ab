"""A real server of a workspace's project, and a plain client."""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import polars as pl

from tests import world

MOST_S = 60
"""After so many seconds a server that should have said or done something is given up."""


class Server:
    """A running `mlctl serve`: its process and its port, once it has said it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.port = process, 0
        self.heard: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ear = threading.Thread(target=self._hear, daemon=True)
        self._ear.start()

    def answers(self) -> None:
        """Waits until it answers."""
        self.port = int(self.said("answers on").split("http://127.0.0.1:")[1].split()[0].rstrip("/"))

    def end(self) -> None:
        """Ends it, and waits for that."""
        self.process.terminate()
        self.process.wait(timeout=MOST_S)
        self._ear.join()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _hear(self) -> None:
        for line in self.process.stderr or ():
            self._lines.put(line)
        self._lines.put("")

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
        missing, end = set(words), time.monotonic() + MOST_S
        while missing:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = ""
            if not line:
                how = "ended" if self.process.poll() is not None else f"went on for {MOST_S} s"
                raise ValueError(f"the server {how} and never said {sorted(missing)}; it said:\n{''.join(self.heard)}")
            self.heard.append(line)
            missing = {one for one in missing if one not in line}
        return line


def rows_of(folder: Path) -> pl.DataFrame:
    """The features of the test rows of the workspace's shop."""
    report = json.loads((folder / ".mlctl/shop/features/report.json").read_text())
    return pl.read_parquet(folder / ".mlctl/shop/features/test.parquet").select(report["columns"])


class Clients:
    """Threads that ask as long as they may."""

    def __init__(self, asks: Sequence[Callable[[], None]]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=ask) for ask in asks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Load(Clients):
    """Clients that ask one request after the other, as long as they may: on connections that they keep, or each anew."""

    def __init__(self, port: int, row: dict, clients: int = 4, anew: bool = False) -> None:
        self._anew = anew
        self.answers: list[dict] = []
        self.lost: list[str] = []
        self._port, self._body = port, json.dumps(row)
        super().__init__([self._run] * clients)

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
    server = Server(process)
    try:
        server.answers()
        yield server
    finally:
        server.end()
