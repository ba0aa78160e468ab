"""An index made from beginning to end: copied, embedded, loaded, built, measured, shown; a killed one goes on.

What is there already is never done again: items whose content is as it was are copied inside the database, items that a
killed run has loaded are not embedded a second time, a graph that is built is not built again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.database import views
from mlctl.errors import DataError, ExternalError, IntegrityError, listed
from mlctl.files import sha256_of
from mlctl.index import generations, table
from mlctl.index.filters import Filter
from mlctl.index.generations import IndexGeneration
from mlctl.index.recall import EVERYTHING, Recall, Truth, tuned
from mlctl.index.search import Index, Session, exact
from mlctl.index.table import IndexOrder
from mlctl.index.vectors import Catalogue, check_catalogue, usable

if TYPE_CHECKING:
    import numpy as np

    from mlctl.database.views import Connection

    Array = np.ndarray[Any, Any]

_AT_ONCE: Final = 5000
"""Items that are embedded and loaded together; a killed run loses at most so many."""
_SAMPLE: Final = 200
"""Items whose neighbours are written down, to be compared with those of later generations."""
_SHOWN: Final = 5


@dataclass(frozen=True)
class Wanted:
    """What the search must hold.

    Attributes:
        recall: Share of the exact neighbours, 0..1, that the lower end of the interval must reach.
        k: How many neighbours count.
        filters: By name the filters that are measured too.
        queries: What is asked: float32 (queries, dimension).
        ways: What measures how much of the exact answers comes through the index, by route; None: nobody asks.
    """

    recall: float
    k: int
    filters: Mapping[str, Filter]
    queries: Array
    ways: Callable[[Session, Index], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Built:
    """What became of an index.

    Attributes:
        generation: The generation; live unless it was refused.
        recall: What was measured, of everything and of each filter.
        embedded: Items whose vectors are new.
        copied: Items whose vectors were copied.
        left_out: Items that have no vector.
        seconds: By step how long it took.
        already: Whether it was live before, and nothing was done.
    """

    generation: IndexGeneration
    recall: tuple[Recall, ...]
    embedded: int = 0
    copied: int = 0
    left_out: tuple[str, ...] = ()
    seconds: Mapping[str, float] | None = None
    already: bool = False

    @property
    def refused(self) -> bool:
        """Whether the objective did not hold; what answered before goes on."""
        return self.generation.status == "refused"


def build(
    connection: Connection, order: IndexOrder, catalogue: Catalogue, wanted: Wanted, tell: Callable[[str], None]
) -> Built:
    """Makes an index and shows it, if its recall holds. The same call again changes nothing.

    Args:
        connection: In autocommit mode, as `open_database` gives it.
        order: What is made where.
        catalogue: The items.
        wanted: What must hold.
        tell: Hears what happens.

    Raises:
        ConflictError: Somebody else indexes this project, or a reader's open transaction holds the view.
        DataError: The items or vectors cannot be indexed.
        IntegrityError: The table does not hold what was given.
        ExternalError: The database refuses or went away; the same command goes on.
    """
    check_catalogue(catalogue, order.storage)
    with views.told(connection):
        _set_up(connection, order)
        with views.holding(connection, f"{order.schema}.{order.project}.items", f"the index of {order.project}"):
            known = generations.known(connection, order)
            if known is None:
                return _made(connection, order, catalogue, wanted, tell)
            return _shown_again(connection, order, known)


def _shown_again(connection: Connection, order: IndexOrder, known: IndexGeneration) -> Built:
    """A generation that was measured before is what readers see, or is so again."""
    already = known.status == "live" and views.shows(connection, order.quoted_view, order.quoted_table)
    rows = known.rows or 0
    table.build(connection, order, rows, known.about["columns"])
    if not already:
        generations.swap(connection, order, rows, known.about)
        generations.retire(connection, order)
    shown = generations.known(connection, order)
    return Built(shown or known, tuple(Recall(**one) for one in known.about["recall"]), already=already)


def _made(
    connection: Connection, order: IndexOrder, catalogue: Catalogue, wanted: Wanted, tell: Callable[[str], None]
) -> Built:
    clock = _Clock()
    with clock("load"):
        copied, embedded, left_out = _filled(connection, order, catalogue, tell)
    rows = catalogue.items.height - len(left_out)
    if rows == 0:
        raise DataError.bad_vectors(["not one item has a vector"])
    tell(f"{rows:,} items, {embedded:,} embedded, {copied:,} as they were{_shown(left_out)}")
    with clock("build"):
        table.build(connection, order, rows, catalogue.columns)
    with clock("measure"):
        session = Session(connection)
        index, found, samples = _measured(session, order, catalogue, wanted, rows)
        ways = wanted.ways(session, index) if wanted.ways is not None else {}
    about = {
        "columns": dict(catalogue.columns),
        "ef_search": index.ef_search,
        "ef_filtered": index.ef_filtered,
        "compare_below": index.compare_below,
        "k": wanted.k,
        "objective": wanted.recall,
        "recall": [one.record() for one in found],
        "neighbours": samples,
        "ways": ways,
        "seconds": clock.seconds,
        "embedded": embedded,
        "left_out": len(left_out),
        "m": order.m,
        "ef_construction": order.ef_construction,
    }
    if all(one.low >= wanted.recall for one in found):
        generations.swap(connection, order, rows, about)
        generations.retire(connection, order)
    else:
        generations.refuse(connection, order, rows, about)
    history = generations.history(connection, order.schema, order.project)
    made = next((one for one in history if one.table == order.table), None)
    if made is None:
        raise ExternalError.database(views.where(connection), f"the record of {order.table} was taken away just now")
    return Built(made, tuple(found), embedded, copied, left_out, clock.seconds)


def _set_up(connection: Connection, order: IndexOrder) -> None:
    from pgvector.psycopg import register_vector
    from psycopg import errors

    try:
        views.set_up(connection, generations.TABLE, generations.SETUP, order.schema)
    except (errors.FeatureNotSupported, errors.UndefinedFile, errors.InsufficientPrivilege) as error:
        why = f"the extension pgvector cannot be made there: {error.diag.message_primary}"
        raise ExternalError.database(views.where(connection), why) from error
    register_vector(connection)


def _filled(
    connection: Connection, order: IndexOrder, catalogue: Catalogue, tell: Callable[[str], None]
) -> tuple[int, int, tuple[str, ...]]:
    """Fills the table; how many items were copied and embedded by this run, and which have no vector."""
    copied = 0
    if not generations.begun(connection, order):
        same = generations.fitting(connection, order.schema, order.project, order.stamp)
        with connection.transaction():
            generations.begin(connection, order, catalogue.columns)
            table.create(connection, order, catalogue)
            if same is not None and same.storage == order.storage and not order.fresh:
                copied = table.copy_unchanged(connection, order, catalogue, same.table)
    ids = catalogue.items[catalogue.key].to_list()
    there = table.held(connection, order)
    missing = [place for place, item in enumerate(ids) if item not in there]
    embedded, left_out = 0, []
    for begin in range(0, len(missing), _AT_ONCE):
        places = missing[begin : begin + _AT_ONCE]
        vectors = catalogue.embed(places)
        good = usable([ids[place] for place in places], vectors, order.stamp)
        left_out += [ids[place] for place, fine in zip(places, good, strict=True) if not fine]
        kept = [place for place, fine in zip(places, good, strict=True) if fine]
        table.load(connection, order, catalogue, kept, vectors[good])
        embedded += len(kept)
        if len(missing) > _AT_ONCE:
            tell(f"{begin + len(places):,} of {len(missing):,} items embedded")
    return copied, embedded, tuple(left_out)


def _measured(
    session: Session, order: IndexOrder, catalogue: Catalogue, wanted: Wanted, rows: int
) -> tuple[Index, list[Recall], dict[str, dict[str, list[str]]]]:
    """The index with its widths, what it finds, and by filter the neighbours of a sample of the items that hold it.

    Raises:
        IntegrityError: The table does not hold what was given.
    """
    import numpy as np
    import polars as pl

    ids, vectors = table.read_back(session.connection, order.table)
    if len(ids) != rows:
        raise IntegrityError.damaged(
            f"mlctl.{order.table}", f"{rows:,} items", f"{len(ids):,}", "the same command again"
        )
    stored = pl.DataFrame({catalogue.key: ids}).join(
        catalogue.items, on=catalogue.key, how="left", maintain_order="left"
    )
    index = Index(order.table, order.storage, order.stamp.dimension, catalogue.columns, 0, 0)
    # the database rounds what it is asked to what it holds
    queries = wanted.queries if order.storage == "vector" else wanted.queries.astype("float16").astype("float32")
    truth = Truth(vectors, stored, queries, wanted.k)
    index, found = tuned(session, index, truth, wanted.filters, wanted.recall)
    samples = {EVERYTHING: neighbours(ids, vectors, wanted.k)}
    for name, one in wanted.filters.items():
        passing = np.flatnonzero(one.mask(stored))
        samples[name] = neighbours([ids[place] for place in passing], vectors[passing], wanted.k)
    return index, found, samples


def neighbours(ids: Sequence[str], vectors: Array, k: int) -> dict[str, list[str]]:
    """The exact neighbours of a sample of items, by cosine; the same items are drawn each time they are there.

    >>> import numpy as np
    >>> neighbours(["a", "b", "c"], np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32), 1)["a"]
    ['b']
    """
    import numpy as np

    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    drawn = sorted(range(len(ids)), key=lambda place: sha256_of(ids[place]))[:_SAMPLE]
    found = {}
    for place in drawn:
        others = np.ones(len(ids), dtype=bool)
        others[place] = False
        found[ids[place]] = [ids[at] for at in exact(unit, unit[place], k, others)[0]]
    return found


def _shown(left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    return f"; {len(left_out):,} have no vector and are left out: {listed(left_out, _SHOWN)}"


class _Clock:
    """How long each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - started, 3)
