"""What a search finds of the exact answer, with its interval, for everybody and for each declared filter.

Recall of one query is the share of the `k` exact neighbours that the search gave; an item as near as the last of them
counts, so that equal vectors do no harm. Queries are independent, so their mean has the interval of a bootstrap over
queries; the objective holds when the interval's lower end does. The width of the search grows until it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mlctl.index.filters import Filter
from mlctl.index.search import Asked, Index, Session, exact
from mlctl.judging.intervals import interval

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

WIDTHS: Final = (40, 64, 100, 160, 250, 400, 640, 1000)
"""Values of `hnsw.ef_search` that are tried, from pgvector's default to its greatest."""
EVERYTHING: Final = "everything"
"""The name of "no filter"."""
_MOST_COMPARED: Final = 20_000
"""More items than these are never compared one by one."""
_RESAMPLES: Final = 500
_SEED: Final = 7


@dataclass(frozen=True)
class Recall:
    """What the search finds with one filter.

    Attributes:
        filter: Its name; `everything` without one.
        ef_search: How many candidates were looked at.
        recall: Mean over the queries, 0..1.
        low: Lower end of its 95 % interval.
        high: Upper end.
        queries: How many were asked.
        items: How many items pass the filter.
    """

    filter: str
    ef_search: int
    recall: float
    low: float
    high: float
    queries: int
    items: int

    def record(self) -> dict[str, Any]:
        """The measurement as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Truth:
    """What is searched, and what the exact answers are taken from.

    Attributes:
        vectors: float32 (items, dimension): what the table holds.
        items: The same items with their columns, in the same order.
        queries: float32 (queries, dimension).
        k: How many neighbours count.
    """

    vectors: Array
    items: pl.DataFrame
    queries: Array
    k: int


def tuned(
    session: Session, index: Index, truth: Truth, filters: Mapping[str, Filter], objective: float
) -> tuple[Index, list[Recall]]:
    """The narrowest search that holds the objective, and what it finds; the widest where none does.

    A filter for which no width is enough has its items compared one by one, if they are few enough.

    Returns:
        The index with the widths that were found, and one measurement of each filter and of everything.
    """
    everything = _narrowest(session, index, truth, (EVERYTHING, Filter()), objective)
    index = replace(index, ef_search=everything.ef_search, ef_filtered=everything.ef_search)
    found = [everything]
    for named in filters.items():
        last = _narrowest(session, index, truth, named, objective)
        if last.low < objective and last.items <= _MOST_COMPARED:
            index = replace(index, compare_below=max(index.compare_below, last.items))
            last = measured(session, index, truth, named)
        else:
            index = replace(index, ef_filtered=max(index.ef_filtered, last.ef_search))
        found.append(last)
    return index, found


def _narrowest(session: Session, index: Index, truth: Truth, named: tuple[str, Filter], objective: float) -> Recall:
    """What the narrowest width finds that holds the objective; of those not below the index's own."""
    answers = _answers(truth, named[1])
    last: Recall | None = None
    for width in [one for one in WIDTHS if one >= index.ef_filtered]:
        last = measured(session, replace(index, ef_search=width, ef_filtered=width), truth, named, answers)
        if last.low >= objective:
            break
    if last is None:
        raise ValueError(f"an index is searched at most {WIDTHS[-1]} wide")
    return last


def measured(
    session: Session, index: Index, truth: Truth, named: tuple[str, Filter], answers: Sequence[Array] | None = None
) -> Recall:
    """Asks every query and compares.

    Args:
        session: A connection that searches.
        index: What is searched, and how widely.
        truth: The exact side.
        named: The filter's name, and the filter.
        answers: Of each query the exact inner products, falling; None: they are computed.
    """
    import numpy as np

    name, wanted = named
    nearest = _answers(truth, wanted) if answers is None else answers
    passing = int(wanted.mask(truth.items).sum())
    shares = np.ones(len(truth.queries))
    for place, (query, products) in enumerate(zip(truth.queries, nearest, strict=True)):
        if len(products):
            rows = session.nearest(index, Asked(query, truth.k, wanted, passing=passing))
            # the database and NumPy add up in another order
            slack = 1e-5 * max(1.0, abs(float(products[0])))
            hits = sum(product >= products[-1] - slack for _, product in rows)
            shares[place] = min(hits, len(products)) / len(products)
    mean, low, high = mean_interval(shares)
    width = index.ef_filtered if wanted else index.ef_search
    return Recall(name, width, mean, low, high, len(shares), passing)


def mean_interval(values: Sequence[float] | Array) -> tuple[float, float, float]:
    """The mean of independent values and its 95 % interval; zeros where there is none.

    >>> mean_interval([1.0, 1.0])
    (1.0, 1.0, 1.0)
    """
    import numpy as np

    every = np.asarray(values, dtype=np.float64)
    if not len(every):
        return 0.0, 0.0, 0.0
    draws = np.random.Generator(np.random.PCG64(_SEED)).integers(0, len(every), (_RESAMPLES, len(every)))
    low, high = interval([float(one) for one in every[draws].mean(axis=1)])
    return float(every.mean()), low, high


def _answers(truth: Truth, wanted: Filter) -> list[Array]:
    """Of each query the greatest inner products, falling."""
    vectors = truth.vectors[wanted.mask(truth.items)] if wanted else truth.vectors
    return [exact(vectors, query, truth.k)[1] for query in truth.queries]
