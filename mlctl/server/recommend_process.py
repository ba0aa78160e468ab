"""A recommender's server: a verified release, the items that came since, users' histories, and the index.

Each of them may be replaced while it runs. Without a database it recommends all the same, and says by what.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from mlctl import config, database, online
from mlctl.errors import ExternalError, MlctlError
from mlctl.index.retrieval import stamp_of
from mlctl.recommend.answering import Recommender
from mlctl.recommend.sealing import open_recommender
from mlctl.release.sealed import must_be_of
from mlctl.server.answering import Logs
from mlctl.server.app import App
from mlctl.server.following import Following
from mlctl.server.listening import Watch, run
from mlctl.server.measures import Measures
from mlctl.server.prediction_log import PredictionLog
from mlctl.server.process import Served, limits
from mlctl.server.recommending import HISTORY, Recommending
from mlctl.server.routes import recommendations
from mlctl.server.searching import Place, Searcher
from mlctl.server.stamps import Changes
from mlctl.spec import Database, Index, Project
from mlctl.times import moment_text

_LOOK_S = 0.5
_TURN_S = 0.0005
"""After so long a thread lets another one go on: a search that has come back must not wait for Python's usual 5 ms."""


@dataclass(frozen=True)
class Beside:
    """What a recommender's server reads beside its release.

    Attributes:
        catalogue: The folder with the items that came since.
        project: The project as it is composed now, which says where and how the index is searched; asked once.
        root: The workspace.
    """

    catalogue: Path
    project: Callable[[], Project]
    root: Path


def serve(served: Served, beside: Beside, now: Callable[[], datetime], tell: Callable[[str], None]) -> None:
    """Recommends until a signal ends it.

    Raises:
        IntegrityError: The release or a store is missing, damaged, another project's, or does not answer as sealed.
        ExternalError: The address cannot be listened on.
    """
    sys.setswitchinterval(_TURN_S)
    # before they are opened: what comes meanwhile is new
    changes = (*served.changes(), Changes(lambda: online.stamp(beside.catalogue)))
    recommender, gone = opened(served, beside)
    options = limits(recommender.project)
    measures = Measures(served.name, "PROMETHEUS_MULTIPROC_DIR" in os.environ)
    answers, pairs = (PredictionLog(folder, now, measures.lost) for folder in (served.log, served.trial))
    logs = Logs() if options.log == "none" else Logs(answers, pairs)
    recommending = Recommending(served.name, options, logs, measures, tell)
    recommending.opens = lambda folder: _of_today(folder, served.name, beside, f"dvc checkout {folder}.dvc")[0]
    recommending.take(recommender, gone)
    _look_up(recommending, served, tell)
    with ExitStack() as stack:
        composed = _composed(beside, tell)
        if composed is not None:
            recommending.settings, where = composed
            try:
                stack.enter_context(database.reachable(where, beside.root))
            except ExternalError as error:
                tell(f"the database does not start: {error.why or error.what}")
            recommending.searcher = _searcher(recommending, where, beside.root, tell)
            stack.callback(recommending.searcher.close)
        app = App(recommending, [recommendations.routes(recommending)], tell)
        watch: list[Watch] = [partial(_watch, recommending, served, beside, changes, tell)]
        if served.follows is not None:
            watch.append(Following(recommending, served.follows, now, tell).follow)
        run(served.at, app, watch, tell)


def opened(served: Served, beside: Beside) -> tuple[Recommender, frozenset[str]]:
    """The release with the items that came since, and those that are gone.

    Raises:
        IntegrityError: The release or the catalogue is missing, damaged, another project's, or does not answer as
            sealed.
    """
    return _of_today(served.release(), served.name, beside, served.next_step)


def _of_today(folder: Path, project: str, beside: Beside, next_step: str) -> tuple[Recommender, frozenset[str]]:
    """A project's release with today's items, and those that are gone. Raises: IntegrityError as `opened`."""
    recommender = open_recommender(folder, next_step)
    must_be_of(project, recommender.manifest, folder)
    later = online.open_store(beside.catalogue, f"mlctl index projects/{recommender.project.name}")
    if later is None or later.key != recommender.item_key:
        return recommender, frozenset()
    gone = frozenset(recommender.items[recommender.item_key]) - frozenset(later.rows[later.key])
    texts = set(recommender.project.items.text) if recommender.project.items is not None else set()
    # without a table of items there are ids alone, and nothing that came since
    return (recommender.with_items(later.rows) if texts <= set(later.rows.columns) else recommender), gone


def _composed(beside: Beside, tell: Callable[[str], None]) -> tuple[Index | None, Database] | None:
    """How the index is searched, and where; None where nobody says so, as in an image without a database."""
    try:
        project = beside.project()
        return project.index, config.with_secrets(project.database)
    except MlctlError as error:
        tell(f"there is no index, the release answers alone: {error.what}")
        return None


def _searcher(recommending: Recommending, where: Database, root: Path, tell: Callable[[str], None]) -> Searcher:
    """The index, looked for once before the first request."""
    place = Place(
        where,
        recommending.name,
        lambda: stamp_of(recommending.recommender),
        lambda: where.dsn or database.server_url(root),
    )
    index = recommending.index
    return Searcher(place, index.connections, index.timeout_ms / 1000, tell)


def _look_up(recommending: Recommending, served: Served, tell: Callable[[str], None]) -> None:
    """Takes the histories that are there.

    Raises:
        IntegrityError: They are damaged.
    """
    store = online.open_store(served.online, f"mlctl index projects/{served.name}")
    if store is None or HISTORY not in store.features:
        tell(f"no user is known: mlctl index projects/{served.name}")
        return
    recommending.look_up(store)
    tell(f"{len(store):,} users are known as of {moment_text(store.as_of)} (generation {store.id})")


async def _watch(
    recommending: Recommending,
    served: Served,
    beside: Beside,
    changes: tuple[Changes, Changes, Changes],
    tell: Callable[[str], None],
) -> None:
    """Looks for another release, catalogue or histories; a bad one is told once and the last good goes on."""
    release, users, catalogue = changes
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            if users.seen():
                _look_up(recommending, served, tell)
            # each is asked, so that one that comes with the other is not opened twice
            if not any([release.seen(), catalogue.seen()]):
                continue
            recommender, gone = await asyncio.to_thread(opened, served, beside)
        except (MlctlError, OSError, ValueError, KeyError) as error:
            recommending.measures.refused_release()
            why = " ".join(str(error).split())
            tell(f"what is new is not taken, {recommending.release} goes on answering: {why}")
            continue
        tell(f"release {recommender.id} answers, {recommender.items.height:,} items")
        recommending.take(recommender, gone)
