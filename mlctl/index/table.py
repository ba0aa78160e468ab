"""One generation as a table of the schema `mlctl`: an item, its columns, its vector, and whose vector that is.

The table itself refuses what must not be mixed: the vector's type holds the dimension, and a check holds the stamp and
refuses vectors without a direction. So nobody else can add a vector of another model to it either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.database import views
from mlctl.files import sha256_of
from mlctl.index.vectors import Catalogue, Stamp

if TYPE_CHECKING:
    import numpy as np
    from psycopg import sql

    from mlctl.database.views import Connection

    Array = np.ndarray[Any, Any]

Storage = Literal["vector", "halfvec"]

_TABLE: Final = """
CREATE TABLE {table} (
    item text PRIMARY KEY,
    content text NOT NULL,
    embedded_at timestamptz NOT NULL,
    vector {storage}({dimension}) NOT NULL CHECK ({norm}(vector) > 0),
    stamp text NOT NULL DEFAULT {stamp} CHECK (stamp = {stamp})
)
"""

# what changed about an item but is not in its vector is taken from the catalogue, the vector from the live generation
_COPY: Final = """
INSERT INTO {table} (item, content, embedded_at, vector{columns})
SELECT wanted.item, wanted.content, old.embedded_at, old.vector{wanted}
FROM wanted JOIN {old} AS old USING (item, content) ON CONFLICT DO NOTHING
"""

_BYTES_A_LINK: Final = 10
_BYTES_AN_ITEM: Final = 200
_LEAST_MEMORY_MB: Final = 64
_FEWEST_WORKERS: Final = 2
_MOST_WORKERS: Final = 7


@dataclass(frozen=True)
class IndexOrder:
    """What is to be indexed where.

    Attributes:
        schema: Schema of the view.
        project: The project; the view is `PROJECT_items`.
        run_id: Hex text that is the same exactly when the index is; its first 12 characters name the table.
        release: The release whose vectors these are.
        stamp: Who made them.
        now: When it is made.
        storage: `vector` (4 bytes a number) or `halfvec` (2).
        m: Links of an item in each layer of the graph.
        ef_construction: How widely links are looked for.
        memory_mb: Most memory that the build may take.
        keep: Generations whose tables are kept, the live one included; at least 1.
        swap_tries: How often the view is asked for, when a reader's open transaction holds it.
        fresh: Whether no vector of an earlier generation is copied.
    """

    schema: str
    project: str
    run_id: str
    release: str
    stamp: Stamp
    now: datetime
    storage: Storage = "vector"
    m: int = 16
    ef_construction: int = 64
    memory_mb: int = 1024
    keep: int = 2
    swap_tries: int = 30
    fresh: bool = False

    @property
    def view(self) -> str:
        """Name of the view, without its schema."""
        return f"{self.project}_items"

    @property
    def table(self) -> str:
        """Name of the table in the schema `mlctl`; another for each schema, within PostgreSQL's 63 bytes."""
        name = f"{self.view}_{self.run_id[:12]}"
        if self.schema == "public" and len(name.encode()) <= views.IDENTIFIER_BYTES - len("_hnsw"):
            return name
        return f"{self.project[:24]}_{sha256_of(f'{self.schema}.{self.project}')[:8]}_items_{self.run_id[:12]}"

    @property
    def graph(self) -> str:
        """Name of the table's HNSW index."""
        return f"{self.table}_hnsw"

    @property
    def quoted_view(self) -> str:
        """Schema and name of the view as SQL writes them."""
        return views.quoted(self.schema, self.view)

    @property
    def quoted_table(self) -> str:
        """Schema and name of the table as SQL writes them."""
        return views.quoted("mlctl", self.table)


def create(connection: Connection, order: IndexOrder, catalogue: Catalogue) -> None:
    """Makes the empty table."""
    from psycopg import sql

    made = sql.SQL(_TABLE).format(
        table=_name(order.table),
        storage=sql.SQL(order.storage),
        dimension=sql.Literal(order.stamp.dimension),
        norm=sql.SQL("vector_norm" if order.storage == "vector" else "l2_norm"),
        stamp=sql.Literal(str(order.stamp)),
    )
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_name(order.table)))
    connection.execute(made)
    for name, kind in catalogue.columns.items():
        added = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
            _name(order.table), sql.Identifier(name), sql.SQL(kind)
        )
        connection.execute(added)


def copy_unchanged(connection: Connection, order: IndexOrder, catalogue: Catalogue, old: str) -> int:
    """Copies the vectors of items whose content is as it was, inside the database; how many those are.

    Args:
        connection: In a transaction.
        order: The new generation.
        catalogue: What it is to hold.
        old: Name of the table of a generation with the same stamp and storage.
    """
    from psycopg import sql

    names = [sql.Identifier(name) for name in catalogue.columns]
    columns = sql.SQL(", ").join([sql.Identifier("item"), sql.Identifier("content"), *names])
    made = sql.SQL("CREATE TEMP TABLE wanted ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    connection.execute(made.format(columns, _name(order.table)))
    rows = zip(catalogue.items[catalogue.key].to_list(), catalogue.contents, *_told(catalogue), strict=True)
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY wanted FROM STDIN (FORMAT binary)")) as copy:
        copy.set_types(["text", "text", *catalogue.columns.values()])
        for row in rows:
            copy.write_row(row)
    copied = sql.SQL(_COPY).format(
        table=_name(order.table),
        columns=sql.SQL("").join(sql.SQL(", {}").format(name) for name in names),
        wanted=sql.SQL("").join(sql.SQL(", wanted.{}").format(name) for name in names),
        old=_name(old),
    )
    return connection.execute(copied).rowcount


def held(connection: Connection, order: IndexOrder) -> set[str]:
    """The items that the table holds."""
    from psycopg import sql

    return {row[0] for row in connection.execute(sql.SQL("SELECT item FROM {}").format(_name(order.table)))}


def load(
    connection: Connection,
    order: IndexOrder,
    catalogue: Catalogue,
    places: Sequence[int],
    vectors: np.ndarray[Any, Any],
) -> None:
    """Adds items with new vectors, in one statement.

    Args:
        connection: The database.
        order: The generation.
        catalogue: What it holds.
        places: Positions of the items in the catalogue.
        vectors: Their vectors, float32 (places, dimension), all usable.
    """
    from pgvector import HalfVector, Vector
    from psycopg import sql

    names = [sql.Identifier(name) for name in ("item", "content", "embedded_at", *catalogue.columns, "vector")]
    into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(_name(order.table), sql.SQL(", ").join(names))
    wrapped = Vector if order.storage == "vector" else HalfVector
    ids, told = catalogue.items[catalogue.key].to_list(), _told(catalogue)
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        copy.set_types(["text", "text", "timestamptz", *catalogue.columns.values(), order.storage])
        for place, vector in zip(places, vectors, strict=True):
            rest = [column[place] for column in told]
            copy.write_row((ids[place], catalogue.contents[place], order.now, *rest, wrapped(vector)))


def build(connection: Connection, order: IndexOrder, rows: int, columns: Mapping[str, str]) -> None:
    """Builds the graph, unless it is there, and an index of each column that filters may name.

    The memory and the processes that it takes are set to what it needs: a graph that does not fit into
    `maintenance_work_mem` is built many times slower.
    """
    from psycopg import sql

    if views.exists(connection, views.quoted("mlctl", order.graph)):
        return
    size = 4 if order.storage == "vector" else 2
    needed = rows * (order.stamp.dimension * size + 2 * order.m * _BYTES_A_LINK + _BYTES_AN_ITEM) * 1.5 / 2**20
    memory = min(max(int(needed), _LEAST_MEMORY_MB), order.memory_mb)
    with connection.transaction():
        for name, kind in columns.items():
            # what a filter leaves is found without looking at every row; a text may be longer than a b-tree can hold
            made = sql.SQL("CREATE INDEX ON {} USING {} ({})").format(
                _name(order.table), sql.SQL("hash" if kind == "text" else "btree"), sql.Identifier(name)
            )
            connection.execute(made)
        connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", (f"{memory}MB",))
        connection.execute("SELECT set_config('max_parallel_maintenance_workers', %s, true)", (str(_workers()),))
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} USING hnsw (vector {}) WITH (m = {}, ef_construction = {})").format(
                sql.Identifier(order.graph),
                _name(order.table),
                sql.SQL(f"{order.storage}_ip_ops"),
                sql.Literal(order.m),
                sql.Literal(order.ef_construction),
            )
        )
    connection.execute(sql.SQL("ANALYZE {}").format(_name(order.table)))


def read_back(connection: Connection, table: str) -> tuple[list[str], Array]:
    """What a generation holds: items, sorted, and float32 (items, dimension)."""
    import numpy as np
    from psycopg import sql

    asked = sql.SQL('SELECT item, vector::real[] FROM {} ORDER BY item COLLATE "C"').format(_name(table))
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(asked).fetchall()
    if not rows:
        return [], np.zeros((0, 0), np.float32)
    return [row[0] for row in rows], np.asarray([row[1] for row in rows], np.float32)


def select(order: IndexOrder, columns: Sequence[str]) -> sql.Composable:
    """What the view shows of the table."""
    from psycopg import sql

    names = [sql.Identifier(name) for name in ("item", *columns, "vector", "stamp", "embedded_at")]
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), _name(order.table))


def _name(table: str) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier("mlctl", table)


def _told(catalogue: Catalogue) -> list[list[Any]]:
    """The values of each column that filters may name."""
    import polars as pl

    casts = {"text": pl.String, "bigint": pl.Int64, "double precision": pl.Float64}
    return [
        catalogue.items[name].cast(casts[kind]).to_list() if kind in casts else catalogue.items[name].to_list()
        for name, kind in catalogue.columns.items()
    ]


def _workers() -> int:
    """Processes that help the one that leads: one a core, and never fewer than PostgreSQL itself would take."""
    import os

    return min(max(len(os.sched_getaffinity(0)), _FEWEST_WORKERS), _MOST_WORKERS)
