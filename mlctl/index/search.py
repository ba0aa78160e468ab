"""The nearest items of a vector by inner product: by SQL through the graph, and exactly in NumPy.

pgvector looks at `hnsw.ef_search` candidates and filters them afterwards; an iterative scan goes on looking until
there are enough, and gives up after `hnsw.max_scan_tuples`. Where a filter leaves few items, every one of them is
compared instead, which is exact and as quick. So is whoever asks when fewer than `k` came back: `k` items are found
whenever there are `k`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl.index.filters import Filter

if TYPE_CHECKING:
    import numpy as np
    from psycopg import sql

    from mlctl.database.views import Connection

    Array = np.ndarray[Any, Any]

ITERATIVE: Final = "relaxed_order"
COMPARED: Final = 1000
"""So few items are always compared one by one."""

_NEAREST: Final = """
SELECT item, -distance FROM (
    SELECT item, vector <#> %(vector)s AS distance FROM {table} WHERE {condition}
    ORDER BY vector <#> %(vector)s LIMIT {k}
) AS nearest ORDER BY distance, item
"""

# no index orders by a sum, so every row that passes is compared
_COMPARED: Final = """
SELECT item, -(vector <#> %(vector)s) FROM {table} WHERE {condition}
ORDER BY (vector <#> %(vector)s) + 0, item LIMIT {k}
"""

_SEEN: Final = " AND item <> ALL(%(seen)s)"


@dataclass(frozen=True)
class Index:
    """What a search needs to know of a generation.

    Attributes:
        table: Name of its table in the schema `mlctl`.
        storage: `vector` or `halfvec`.
        dimension: Numbers in a vector.
        columns: By column that filters may name, its type in SQL.
        ef_search: How many candidates are looked at without a filter.
        ef_filtered: And with one.
        compare_below: A filter that leaves at most so many items has every one of them compared.
    """

    table: str
    storage: str
    dimension: int
    columns: Mapping[str, str]
    ef_search: int
    ef_filtered: int
    compare_below: int = COMPARED
    _statements: dict[Any, bytes] = field(default_factory=dict, repr=False, compare=False)

    def statement(self, connection: Connection, k: int, wanted: Filter, seen: bool, all_rows: bool) -> bytes:
        """The query, put together once for each shape of a request."""
        known = (k, wanted.shape, seen, all_rows)
        found = self._statements.get(known)
        if found is None:
            from psycopg import sql

            condition: sql.Composable = wanted.condition()
            if seen:
                condition += sql.SQL(_SEEN)
            text = sql.SQL(_COMPARED if all_rows else _NEAREST).format(
                table=sql.Identifier("mlctl", self.table), condition=condition, k=sql.Literal(k)
            )
            found = self._statements[known] = text.as_bytes(connection)
        return found


@dataclass(frozen=True)
class Asked:
    """One search.

    Attributes:
        vector: float32 (dimension,).
        k: How many items are wanted.
        wanted: What they must hold.
        seen: Items that are left out.
        passing: How many items hold `wanted`, where that is known.
    """

    vector: Array
    k: int
    wanted: Filter = field(default_factory=Filter)
    seen: Sequence[str] = ()
    passing: int | None = None


class Session:
    """A connection that searches, and remembers how widely it looks."""

    def __init__(self, connection: Connection) -> None:
        from pgvector.psycopg import register_vector

        register_vector(connection)
        self.connection = connection
        self._ef = 0
        connection.execute("SELECT set_config('hnsw.iterative_scan', %s, false)", (ITERATIVE,))

    def look(self, ef_search: int) -> None:
        """Looks at so many candidates from now on."""
        if ef_search != self._ef:
            self.connection.execute("SELECT set_config('hnsw.ef_search', %s, false)", (str(ef_search),))
            self._ef = ef_search

    def nearest(self, index: Index, asked: Asked) -> list[tuple[str, float]]:
        """Items with their inner products, the greatest first, and of equal ones by id; fewer only where no more are.

        Raises:
            psycopg.Error: The database refuses or went away.
        """
        if asked.wanted and asked.passing is not None and asked.passing <= index.compare_below:
            return self._rows(index, asked, all_rows=True)
        self.look(index.ef_filtered if asked.wanted else index.ef_search)
        rows = self._rows(index, asked, all_rows=False)
        return rows if len(rows) == asked.k else self._rows(index, asked, all_rows=True)

    def _rows(self, index: Index, asked: Asked, all_rows: bool) -> list[tuple[str, float]]:
        from pgvector import HalfVector, Vector

        vector = Vector(asked.vector) if index.storage == "vector" else HalfVector(asked.vector)
        values: dict[str, Any] = {"vector": vector, **asked.wanted.values}
        if asked.seen:
            values["seen"] = list(asked.seen)
        text = index.statement(self.connection, asked.k, asked.wanted, bool(asked.seen), all_rows)
        return self.connection.execute(text, values, prepare=True, binary=True).fetchall()


def exact(vectors: Array, query: Array, k: int, allowed: Array | None = None) -> tuple[Array, Array]:
    """Positions and inner products of the nearest vectors, the greatest first, and of equal ones the first.

    Args:
        vectors: float32 (items, dimension).
        query: float32 (dimension,).
        k: How many at most.
        allowed: bool (items,): which may be found; None for all.

    >>> import numpy as np
    >>> exact(np.array([[1, 0], [0, 1], [1, 1]], np.float32), np.array([1.0, 0.5], np.float32), 2)[0].tolist()
    [2, 0]
    """
    import numpy as np

    places = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    scores = (vectors if allowed is None else vectors[places]) @ query
    if k < len(places):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        near = np.flatnonzero(scores >= least)
        places, scores = places[near], scores[near]
    order = np.lexsort((places, -scores))[:k]
    return places[order], scores[order]
