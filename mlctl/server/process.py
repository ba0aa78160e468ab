"""The server's process: a release is verified, then the socket is opened; a new release takes over between requests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from mlctl import online
from mlctl.errors import IntegrityError, MlctlError
from mlctl.server.answering import Answering, Logs
from mlctl.server.answers import Answerer
from mlctl.server.app import App
from mlctl.server.counting import Counting
from mlctl.server.following import Following
from mlctl.server.listening import Watch, run
from mlctl.server.lookups import Lookups
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.routes import described, features, open_inference, predictions
from mlctl.server.segments import Segments
from mlctl.server.sockets import bound
from mlctl.server.stamps import Changes, stamp
from mlctl.server.tally import Tally
from mlctl.server.workers import supervise
from mlctl.serving.http import Options
from mlctl.sketches import spool
from mlctl.spec import Project
from mlctl.times import moment_text
from mlctl.workspace import Places

_LOOK_S: Final = 0.5


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

    @property
    def at(self) -> tuple[str, int]:
        """The address and the port."""
        return self.host, self.port

    def changes(self) -> tuple[Changes, Changes]:
        """What changes from now on: the release, and the online store."""
        return Changes(lambda: stamp(self.release())), Changes(lambda: online.stamp(self.online))


def serve(served: Served, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """Serves until a signal ends it.

    Raises:
        IntegrityError: The release is missing, damaged, another project's, or does not answer as sealed.
        ExternalError: The address cannot be listened on.
    """
    # before they are opened: what comes meanwhile is new
    changes = served.changes()
    answerer = Answerer.open(served.release(), served.name, served.next_step)
    options = limits(answerer.release.project)
    several = "PROMETHEUS_MULTIPROC_DIR" in os.environ
    measures = Measures(served.name, several)
    answers, pairs = (PredictionLog(folder, now, measures.lost) for folder in (served.log, served.trial))
    counting = _counting(served, tell)
    inputs = spool.folder(Places(served.name))
    counted = PredictionLog(inputs, now, measures.lost, most_bytes=spool.SEGMENT_BYTES, ended=counting.put)
    logs = Logs() if options.log == "none" else Logs(answers, pairs, counted)
    answering = Answering(served.name, options, logs, measures, tell)
    answering.take(answerer)
    _look_up(answering, served, now, tell)
    groups = (predictions, features, open_inference, described)
    app = App(answering, [group.routes(answering) for group in groups], tell)
    tally = Tally(Places(served.name).sketches / "requests", now, measures, tell)
    watch: list[Watch] = [partial(_watch, answering, served, changes, now, tell), tally.follow, counting.follow]
    with ExitStack() as stack:
        stack.callback(counting.end)
        if served.follows is not None:
            segments = Segments(served.follows, measures, now, tell)
            stack.callback(segments.end)
            watch += [Following(answering, served.follows, now, tell).follow, segments.go_on]
        run(served.at, app, watch, tell)


def _counting(served: Served, tell: Callable[[str], None]) -> Counting:
    """What counts the answers into sketches, segment after segment."""
    places = Places(served.name)
    find = spool.finder(places, served.release)

    def count(segment: Path) -> None:
        try:
            spool.fold(places, segment, find)
        except FileNotFoundError:
            pass  # mlctl monitor was sooner
        except (MlctlError, OSError) as error:
            tell(f"{segment.name} is not counted yet, mlctl monitor will: {' '.join(str(error).split())}")

    return Counting(count)


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


async def _watch(
    answering: Answering,
    served: Served,
    changes: tuple[Changes, Changes],
    now: Callable[[], datetime],
    tell: Callable[[str], None],
) -> None:
    """Looks for another release or store; a good one takes over, a bad one is told once and the last good goes on."""
    release, store = changes
    while True:
        await asyncio.sleep(_LOOK_S)
        if store.seen():
            try:
                _look_up(answering, served, now, tell)
            except (MlctlError, OSError, ValueError, KeyError) as error:
                answering.measures.refused_release()
                tell(f"the new online store is not taken: {' '.join(str(error).split())}")
        try:
            if not release.seen():
                continue
            answerer = await asyncio.to_thread(Answerer.open, served.release(), served.name, served.next_step)
        except (MlctlError, OSError, ValueError) as error:
            answering.measures.refused_release()
            why = " ".join(str(error).split())
            tell(f"the new release is not taken, {answering.variants.release} goes on answering: {why}")
            continue
        if answerer.release.id != answering.variants.release:
            tell(f"release {answerer.release.id} takes over from {answering.variants.release}")
            answering.take(answerer)
