"""The server's process: a release is verified, then the socket is opened; a new release takes over between requests.

On SIGTERM it says "not ready" and asks its clients to close their connections, answering whoever still comes, until
nobody is there or `drain_s` are over. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn

from mlctl import online
from mlctl.errors import IntegrityError, MlctlError
from mlctl.server.answering import Answering, Logs
from mlctl.server.answers import Answerer
from mlctl.server.app import App, Behind
from mlctl.server.following import Following
from mlctl.server.lookups import Lookups
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.routes import described, features, open_inference, predictions
from mlctl.server.segments import Segments
from mlctl.server.sockets import BACKLOG, bound, shut_door
from mlctl.server.stamps import stamp, stamp_if
from mlctl.server.tally import Tally
from mlctl.server.workers import supervise
from mlctl.serving.http import Options
from mlctl.sketches import spool
from mlctl.spec import Project
from mlctl.times import moment_text
from mlctl.workspace import Places

_LOOK_S: Final = 0.5
_QUIET_S: Final = 0.2
_KEEP_ALIVE_S: Final = 75


@dataclass(frozen=True)
class Served:
    """What is served, and where.

    Attributes:
        name: The project.
        release: The folder of the release to serve, as it is now; another one, or a new one there, takes over.
        log: The folder of the prediction log.
        online: The folder of the online store, where there is one.
        trial: The folder of the trial log.
        follows: The project whose rollout file is followed; None: nobody is tried beside a release that was named.
        host: The address that is listened on.
        port: The port; 0 for any free one.
    """

    name: str
    release: Callable[[], Path]
    log: Path
    online: Path
    trial: Path
    follows: Places | None
    host: str
    port: int

    @property
    def next_step(self) -> str:
        """What makes a release."""
        return f"mlctl run projects/{self.name}"


def serve(served: Served, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """Serves until a signal ends it.

    Raises:
        IntegrityError: The release is missing, damaged, or does not answer as sealed.
        ExternalError: The address cannot be listened on.
    """
    answerer = Answerer.open(served.release(), served.next_step)
    options = limits(answerer.release.project)
    several = "PROMETHEUS_MULTIPROC_DIR" in os.environ
    measures = Measures(served.name, several)
    answers, pairs = (PredictionLog(folder, now, measures.lost) for folder in (served.log, served.trial))
    logs = Logs(answers, pairs, _spooled(served, now, measures, tell))
    logs = Logs() if options.log == "none" else logs
    answering = Answering(served.name, options, logs, measures, tell)
    answering.take(answerer)
    _look_up(answering, served, now, tell)
    groups = (predictions, features, open_inference, described)
    app = App(answering, [group.routes(answering) for group in groups], tell)
    segments = None if served.follows is None else Segments(served.follows, measures, now, tell)
    try:
        run(served, app, lambda: _followed(answering, served, segments, now, tell), tell)
    finally:
        if segments is not None:
            segments.end()


def _spooled(
    served: Served, now: Callable[[], datetime], measures: Measures, tell: Callable[[str], None]
) -> PredictionLog:
    """What is counted into sketches beside the answers, segment after segment."""
    places = Places(served.name)
    find = spool.finder(places, served.release)

    def fold(segment: Path) -> None:
        try:
            spool.fold(places, segment, find)
        except (MlctlError, OSError) as error:
            tell(f"{segment.name} is not counted yet, mlctl monitor will: {' '.join(str(error).split())}")

    def ended(segment: Path) -> None:
        # answers go on meanwhile; at the end of the process it is waited for
        threading.Thread(target=fold, args=(segment,), name="sketches").start()

    return PredictionLog(spool.folder(places), now, measures.lost, most_bytes=spool.SEGMENT_BYTES, ended=ended)


def run(served: Served, app: App, watch: Callable[[], Any], tell: Callable[[str], None]) -> None:
    """Answers requests until a signal ends it.

    Args:
        served: What, and where.
        app: The routes, and behind them a release that answers; it is closed at the end.
        watch: What looks for another release, as a coroutine that never ends.
        tell: Hears what happens.

    Raises:
        ExternalError: The address cannot be listened on.
    """
    listener = bound(served.host, served.port)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="critical",
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    server = _Server(config, app.behind, watch)
    address = f"http://{served.host}:{listener.getsockname()[1]}"
    # what lives as long as the process is not looked through again and again for garbage
    gc.collect()
    gc.freeze()
    tell(f"release {app.behind.release} answers on {address} (page for people: {address}/docs)")
    try:
        server.run(sockets=[listener])
    finally:
        app.behind.close()
    tell("stopped")


def serve_by_several(served: Served, count: int, tell: Callable[[str], None]) -> None:
    """Serves by several processes on one port until a signal ends them. The caller has opened the release before.

    Args:
        served: What, and where.
        count: How many processes.
        tell: Hears what happens.

    Raises:
        ExternalError: The address cannot be listened on.
    """
    with bound(served.host, served.port) as reserved:
        port = reserved.getsockname()[1]
    words = ["serve", served.name, "--host", served.host, "--port", str(port)]
    # where nobody's rollout is followed, the release was named
    named = ["--release", str(served.release())] if served.follows is None else []
    supervise([*words, *named], count, tell)


def limits(project: Project) -> Options:
    """The limits: those of the release's `serving:`, or the defaults where it was made for a batch."""
    own: Any = project.serving
    return own if isinstance(own, Options) else Options()


class _Server(uvicorn.Server):
    """uvicorn, which on a signal would close connections on which a request may be on its way."""

    def __init__(self, config: uvicorn.Config, behind: Behind, watch: Callable[[], Any]) -> None:
        super().__init__(config)
        self._behind, self._watch = behind, watch
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listeners = sockets or []
        self._loop = asyncio.get_running_loop()
        self._begin(self._watch())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._behind.draining or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self._behind.draining = True
        self._loop.call_soon_threadsafe(lambda: self._begin(self._drain()))

    def _begin(self, act: Any) -> None:
        task = self._loop.create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self) -> None:
        """Answers until it is quiet; then lets nobody new in, and answers who was let in before."""
        end = self._loop.time() + self._behind.options.drain_s
        await self._quiet(end)
        shut = [shut_door(listener) for listener in self._listeners]
        if any(shut):
            await self._quiet(max(end, self._loop.time() + 2 * _QUIET_S))
        self.should_exit = True

    async def _quiet(self, end: float) -> None:
        """Waits until for a moment nobody was waiting for an answer, but not beyond an end."""
        quiet_since = self._loop.time()
        while self._loop.time() < end and self._loop.time() - quiet_since < _QUIET_S:
            await asyncio.sleep(0.02)
            if any(not _idle(connection) for connection in self.server_state.connections):
                quiet_since = self._loop.time()


def _idle(connection: Any) -> bool:
    cycle = getattr(connection, "cycle", None)
    return cycle is None or bool(cycle.response_complete)


def _look_up(answering: Answering, served: Served, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """Takes the online store that is there.

    Raises:
        IntegrityError: It is damaged, or lacks a feature of the release.
    """
    again = f"mlctl materialize projects/{served.name}"
    store = online.open_store(served.online, again)
    if store is None:
        return
    if not answering.fits(store):
        why = f"it lacks features of the release {answering.variants.release}, or has them in another type"
        raise IntegrityError.refused(str(served.online), why, again)
    answering.lookups = Lookups(store, now)
    tell(f"{len(store):,} entities can be looked up as of {moment_text(store.as_of)} (generation {store.id})")


async def _followed(
    answering: Answering,
    served: Served,
    segments: Segments | None,
    now: Callable[[], datetime],
    tell: Callable[[str], None],
) -> None:
    """Follows what changes on the disk: release and store, and who else is tried."""
    requests = Places(served.name).sketches / "requests"
    watched = [
        _watch(answering, served, now, tell),
        Tally(requests, now, answering.measures, tell).follow(),
    ]
    if served.follows is not None:
        watched.append(Following(answering, served.follows, now, tell).follow())
    if segments is not None:
        watched.append(segments.go_on())
    await asyncio.gather(*watched)


async def _watch(
    answering: Answering, served: Served, now: Callable[[], datetime], tell: Callable[[str], None]
) -> None:
    """Looks for another release or store; a good one takes over, a bad one is told once and the last good goes on."""
    # what was replaced since it was opened counts as new
    seen, stored = stamp_if(served.release(), answering.variants.release), _stamp_of_store(served, answering)
    while True:
        await asyncio.sleep(_LOOK_S)
        if (latest := online.stamp(served.online)) != stored:
            stored = latest
            try:
                _look_up(answering, served, now, tell)
            except (MlctlError, OSError, ValueError, KeyError) as error:
                answering.measures.refused_release()
                tell(f"the new online store is not taken: {' '.join(str(error).split())}")
        try:
            folder = served.release()
            found = stamp(folder)
            if found is None or found == seen:
                continue
            seen = found
            answerer = await asyncio.to_thread(Answerer.open, folder, served.next_step)
        except (MlctlError, OSError, ValueError) as error:
            answering.measures.refused_release()
            why = " ".join(str(error).split())
            tell(f"the new release is not taken, {answering.variants.release} goes on answering: {why}")
            continue
        if answerer.release.id != answering.variants.release:
            tell(f"release {answerer.release.id} takes over from {answering.variants.release}")
            answering.take(answerer)


def _stamp_of_store(served: Served, answering: Answering) -> tuple[int, int] | None:
    """The stamp of the online store that is looked up in; None where there is none, or another one by now."""
    found, open_now = online.stamp(served.online), "" if answering.lookups is None else answering.lookups.store.id
    with suppress(MlctlError, KeyError, TypeError):
        return found if online.current(served.online) == open_now else None
    return None
