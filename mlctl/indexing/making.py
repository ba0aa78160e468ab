"""`mlctl index`: what a recommender's servers read is made, from mapped files to an index whose recall was measured.

Users' histories and the items of today come first: a server recommends from them also where no database answers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, database, online
from mlctl.costs import ledger
from mlctl.errors import ConfigError, Fault, IntegrityError
from mlctl.files import canonical_json, lock, sha256_of
from mlctl.index import filters, retrieval
from mlctl.index.building import Built, Wanted, build
from mlctl.index.filters import Filter
from mlctl.index.recall import mean_interval
from mlctl.index.retrieval import kept_of_neighbours, kept_of_recommendations
from mlctl.index.search import Index as Searched
from mlctl.index.search import Session
from mlctl.index.table import IndexOrder
from mlctl.index.vectors import Catalogue
from mlctl.indexing.ground import Ground, read_ground, sampled
from mlctl.online import Served, Tables
from mlctl.recommend.answering import Recommender
from mlctl.spec import Index
from mlctl.stages import Tell
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_WAYS: Final = 100
"""Histories and items by which the ways through the index are measured."""
_CANDIDATES: Final = (100, 200, 400, 800, 1600, 3200, 5000)
_OF_SERVERS: Final = {"decay", "keep", "connections", "timeout_ms", "fallback", "memory_mb"}
"""Settings that change nothing about an index."""


@dataclass(frozen=True)
class Indexed:
    """What became of an index: what was built, and how many users are known to servers."""

    built: Built
    users: int
    items: int

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        built = self.built
        return {
            "format_version": "1.0",
            "generation": built.generation.record(),
            "recall": [one.record() for one in built.recall],
            "embedded": built.embedded,
            "copied": built.copied,
            "left_out": list(built.left_out),
            "seconds": dict(built.seconds or {}),
            "already": built.already,
            "refused": built.refused,
            "users": self.users,
            "items": self.items,
        }


def index(places: Places, now: datetime, tell: Tell, fresh: bool = False) -> Indexed:
    """Makes histories, items and index what servers read. The same again changes nothing.

    Args:
        places: The project's paths.
        now: When it is done.
        tell: Hears what happens.
        fresh: Make every vector anew, also of items that are as they were.

    Raises:
        ConfigError: The project recommends nothing, or a declared filter cannot be read.
        DataError: The items or vectors cannot be indexed.
        IntegrityError: Release or tables are missing or damaged.
        ConflictError: Another command works on the project.
        ExternalError: The disk or the database; the same command goes on.
    """
    tell("index", "")
    with lock(places.lock, f"projects/{places.name}"), ledger.entered(places, "index", now):
        ground = read_ground(places)
        _write_stores(places, ground)
        users, items = ground.histories.height, ground.items.height
        tell("index", f"{users:,} users and {items:,} items can be looked up as of {moment_text(ground.as_of)}")
        catalogue = ground.catalogue()
        order, wanted = _order(places, ground, catalogue, now, fresh), _wanted(places, ground, catalogue)
        where = config.with_secrets(config.read_params(places).database)
        with database.open_database(where, Path.cwd()) as connection:
            built = build(connection, order, catalogue, wanted, lambda text: tell("index", text))
    for line in lines(built):
        tell("index", line)
    return Indexed(built, users, items)


def lines(built: Built) -> list[str]:
    """What became of an index, for people."""
    made = built.generation
    if built.already:
        told = [f"generation {made.run_id[:12]} of {made.rows or 0:,} items answers already"]
    else:
        seconds = ", ".join(f"{step} {took:.1f} s" for step, took in (built.seconds or {}).items())
        told = [f"generation {made.run_id[:12]} of {made.rows or 0:,} items: {seconds}"] if seconds else []
    about = made.about
    for one in built.recall:
        how = f"searched {one.ef_search} wide"
        if one.filter != "everything" and one.items <= about["compare_below"]:
            how = "compared one by one"
        verdict = "" if one.low >= about["objective"] else f"; WANTED {about['objective']:.3f}"
        found = f"recall@{about['k']} {one.recall:.4f} [{one.low:.4f}, {one.high:.4f}]"
        told.append(f"{one.filter}: {found} of {one.items:,} items, {how}{verdict}")
    for name, way in about.get("ways", {}).items():
        who = "through the index" if way["taken"] else "by the release alone"
        kept = f"{way['kept']:.4f} [{way['low']:.4f}, {way['high']:.4f}]"
        told.append(f"/{name} keeps {kept} of the exact answer with {way['candidates']:,} candidates: {who}")
    if built.refused:
        told.append("refused: the search finds too little; the index that answered before goes on")
    elif not built.already:
        told.append(f"live: {made.table}")
    return told


def _write_stores(places: Places, ground: Ground) -> None:
    """Histories and items, where servers map them; what is there already stays.

    Raises:
        ExternalError: The disk.
    """
    project = ground.recommender.project
    about = {"as_of": moment_text(ground.as_of), "dataset": ground.dataset, "release": ground.recommender.id}
    for folder, rows, key in (
        (places.catalogue, ground.items, ground.recommender.item_key),
        (places.online, ground.histories, project.entity.key),
    ):
        said = {**about, "key": key, "columns": rows.columns}
        identity = sha256_of(canonical_json([said, _digest(rows)]))[:16]
        if online.current(folder) != identity or not _whole(folder):
            served = [Served(name, ground.as_of, None, "missing") for name in rows.columns if name != key]
            online.write(folder, identity, Tables(rows), {**about, "key": key}, served)


def _whole(folder: Path) -> bool:
    """Whether the store that is there can be opened."""
    try:
        return online.open_store(folder, "") is not None
    except IntegrityError:
        return False


def _digest(rows: pl.DataFrame) -> str:
    """A hash of every value and type of a table."""
    written = io.BytesIO()
    rows.rechunk().write_ipc(written, compression="uncompressed")
    return sha256_of(written.getvalue())


def _order(places: Places, ground: Ground, catalogue: Catalogue, now: datetime, fresh: bool) -> IndexOrder:
    settings, schema = ground.settings, config.read_params(places).database.schema_name
    made_of = {
        "stamp": catalogue.stamp.record(),
        "items": sha256_of(canonical_json([catalogue.items[catalogue.key].to_list(), list(catalogue.contents)])),
        "columns": _digest(catalogue.items),
        "settings": settings.model_dump(mode="json", exclude=_OF_SERVERS),
        "release": ground.recommender.id,
        "fresh": moment_text(now) if fresh else "",
    }
    return IndexOrder(
        schema=schema,
        project=places.name,
        run_id=sha256_of(canonical_json(made_of))[:16],
        release=ground.recommender.id,
        stamp=catalogue.stamp,
        now=now,
        storage=settings.storage,
        m=settings.m,
        ef_construction=settings.ef_construction,
        memory_mb=settings.memory_mb,
        keep=settings.keep,
        fresh=fresh,
    )


def declared(places: Places, settings: Index, columns: Mapping[str, str]) -> dict[str, Filter]:
    """The filters whose recall is measured.

    Raises:
        ConfigError: One cannot be read.
    """
    found, faults = {}, []
    for name, said in settings.filters.items():
        try:
            found[name] = filters.read(said, columns)
        except ValueError as error:
            column, _, why = str(error).partition(": ")
            faults.append(Fault(f"index.filters.{name}.{column}", why))
    if faults:
        raise ConfigError.of_project(places.name, faults)
    return found


def _wanted(places: Places, ground: Ground, catalogue: Catalogue) -> Wanted:
    settings, k = ground.settings, ground.k
    queries, histories = sampled(ground, settings.queries)
    return Wanted(
        settings.recall,
        k,
        declared(places, settings, catalogue.columns),
        queries,
        _ways(ground, catalogue, k, histories[:_WAYS]),
    )


def _ways(
    ground: Ground, catalogue: Catalogue, k: int, histories: Sequence[Sequence[str]]
) -> Callable[[Session, Searched], dict[str, Any]]:
    """What measures how much of the exact answers comes through the index, by route."""
    recommender, settings = ground.recommender, ground.settings
    ids = catalogue.items[catalogue.key].to_list()
    items = ids[:: max(1, len(ids) // _WAYS)][:_WAYS]

    def measured(session: Session, searched: Searched) -> dict[str, Any]:
        def search(asked: Any) -> list[tuple[str, float]]:
            return session.nearest(searched, asked)

        best = (k, ids if len(ids) < recommender.items.height else None)
        kept = {
            retrieval.RECOMMEND: lambda most: kept_of_recommendations(recommender, histories, best, search, most),
            retrieval.SIMILAR: lambda most: kept_of_neighbours(recommender, items, best, search, most),
        }
        ways = {name: _way(shares, settings) for name, shares in kept.items()}
        if _sooner_by_release(recommender, len(ids), settings):
            ways[retrieval.RECOMMEND]["taken"] = False
        return ways

    return measured


def _sooner_by_release(recommender: Recommender, items: int, settings: Index) -> bool:
    """Whether scoring every item takes less than asking the database."""
    if recommender.vectors_are_exact:
        return items * recommender.stamp.dimension <= settings.release_numbers
    return items < settings.release_below


def _way(kept: Callable[[int], list[float]], settings: Index) -> dict[str, Any]:
    """The fewest candidates by which enough of the exact answers comes through; the most where none are enough."""
    told: dict[str, Any] = {}
    for candidates in dict.fromkeys(min(few, settings.candidates) for few in _CANDIDATES):
        shares = kept(candidates)
        mean, low, high = mean_interval(shares)
        told = {"kept": mean, "low": low, "high": high, "taken": low >= settings.recall, "asked": len(shares)}
        told["candidates"] = candidates
        if told["taken"]:
            break
    return told
