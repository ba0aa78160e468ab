"""The index behind the routes: connections that search, each in a thread of its own, and what happens without them.

A search that the database does not answer in time, or not at all, raises `Away`; the caller has a fallback. After that
nobody waits again until a connection was made anew. A thread that waits for a stopped database keeps nobody else
waiting, and does not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from mlctl import database
from mlctl.errors import MlctlError, first_line
from mlctl.index import generations
from mlctl.index.generations import IndexGeneration
from mlctl.index.search import Asked, Index, Session

if TYPE_CHECKING:
    from mlctl.index.vectors import Stamp

Rows = list[tuple[str, float]]

_LOOK_S: Final = 0.5
_LONGEST_S: Final = 10
"""A search of the database ends after so many seconds."""
_STOP: Final = None


class Away(Exception):
    """The index gives no answer now; says why."""


class Searcher:
    """The index of one project, for one server.

    Attributes:
        generation: The index whose vectors are of the release's stamp; None while there is none.
    """

    def __init__(self, where: Place, connections: int, timeout_s: float, tell: Callable[[str], None]) -> None:
        self.generation: IndexGeneration | None = None
        self._index: Index | None = None
        self._where, self._timeout_s, self._tell = where, timeout_s, tell
        self._why = ""
        self._asked: SimpleQueue[Any] = SimpleQueue()
        self._ended = threading.Event()
        self._first_look()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(connections)]
        for thread in [*threads, threading.Thread(target=self._watch, daemon=True)]:
            thread.start()
        self._connections = connections

    @property
    def away(self) -> str:
        """Why the index does not answer; empty while it does."""
        return self._why

    async def nearest(self, asked: Asked, stamp: str) -> Rows:
        """The nearest items with their inner products.

        Args:
            asked: What is searched for.
            stamp: Who made the vector that is asked for; only an index of the same stamp can answer.

        Raises:
            Away: There is no such index, or no answer in time.
        """
        found, index = self.generation, self._index
        if self._why:
            raise Away(self._why)
        if found is None or index is None or found.stamp != stamp or found.table != index.table:
            raise Away(f"the index of {stamp} was not looked for yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Rows] = loop.create_future()
        self._asked.put((loop, answer, asked, index))
        try:
            return await asyncio.wait_for(answer, self._timeout_s)
        except TimeoutError:
            self._lost(f"no answer within {self._timeout_s * 1000:.0f} ms")
            raise Away(self._why) from None

    def _first_look(self) -> None:
        """Looks for the index before anybody asks for it."""
        try:
            with closing(self._where.connect()) as connection:
                self._take(self._where.fitting(connection))
        except Exception as error:  # noqa: BLE001 - whatever it is, the fallback answers
            self._lost(_said(error))

    def close(self) -> None:
        """Lets the threads end."""
        self._ended.set()
        for _ in range(self._connections):
            self._asked.put(_STOP)

    def _lost(self, why: str) -> None:
        if not self._why:
            self._tell(f"the index is away, the fallback answers: {why}")
        self._why = why

    def _take(self, found: IndexGeneration | None) -> None:
        if found is None:
            self.generation = None
            self._lost(f"there is no index of {self._where.stamp()}; mlctl index projects/{self._where.project}")
            return
        before, self.generation = self.generation, found
        if before is None or before.number != found.number or self._index is None:
            # kept as long as it answers: it remembers its statements
            self._index = found.index
        if self._why or before is None or before.number != found.number:
            self._tell(
                f"index {found.run_id[:12]} answers: {found.rows or 0:,} items, looked at {found.index.ef_search} wide"
            )
        self._why = ""

    def _watch(self) -> None:
        """Looks for a newer index, and for a database that came back."""
        connection: Any = None
        while not self._ended.wait(_LOOK_S if connection is not None or self._why else 0):
            try:
                if connection is None:
                    connection = self._where.connect()
                self._take(self._where.fitting(connection))
            except Exception as error:  # noqa: BLE001 - whatever it is, the fallback answers
                self._lost(_said(error))
                _close(connection)
                connection = None

    def _work(self) -> None:
        """Answers one search after the other on a connection of its own."""
        session: Session | None = None
        while (work := self._asked.get()) is not _STOP:
            loop, answer, asked, index = work
            if answer.done():
                continue
            session, rows = self._found(session, index, asked)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_settle, answer, rows)

    def _found(self, session: Session | None, index: Index, asked: Asked) -> tuple[Session | None, Any]:
        """What a search found, or `Away`; and the session that goes on, if one does."""
        why = ""
        for known in (session, None) if session is not None else (None,):
            try:
                session = known or Session(self._where.connect())
                return session, session.nearest(index, asked)
            except Exception as error:  # noqa: BLE001 - whatever it is, the fallback answers
                _close(None if session is None else session.connection)
                # a connection that was made before the database went away is made anew once
                session, why = None, _said(error)
        self._lost(why)
        return None, Away(why)


class Place:
    """Where the index is, and whose vectors it must hold."""

    def __init__(self, spec: Any, project: str, stamp: Callable[[], Stamp], dsn: Callable[[], str]) -> None:
        self.schema, self.project, self.stamp = spec.schema_name, project, stamp
        self._spec, self._dsn = spec, dsn

    def connect(self) -> Any:
        """A new connection.

        Raises:
            ExternalError: It cannot be reached.
        """
        connection = database.connect(self._dsn(), self._spec.connect_timeout_s)
        # who asked has gone long ago
        connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{_LONGEST_S}s",))
        return connection

    def fitting(self, connection: Any) -> IndexGeneration | None:
        """The index whose vectors are of the release's stamp.

        Raises:
            ExternalError: The database refuses.
        """
        return generations.fitting(connection, self.schema, self.project, self.stamp())


def _settle(answer: asyncio.Future[Rows], rows: Any) -> None:
    if answer.done():
        return
    if isinstance(rows, Away):
        answer.set_exception(rows)
    else:
        answer.set_result(rows)


def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):
            connection.close()


def _said(error: Exception) -> str:
    return " ".join(text for _, text in error.lines()[:3]) if isinstance(error, MlctlError) else first_line(error)
