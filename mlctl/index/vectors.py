"""What is indexed: items with their columns, the hash of what each vector is made from, and who made the vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError, listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

MOST_DIMENSIONS: Final = {"vector": 2000, "halfvec": 4000}
"""What pgvector can build an HNSW index of."""

_SQL: Final = {"String": "text", "Boolean": "boolean", "Date": "date", "Datetime": "timestamptz"}
OWN: Final = ("vector", "content", "embedded_at", "stamp")
"""Columns of the table that no item may have."""


@dataclass(frozen=True)
class Stamp:
    """Who made vectors. Vectors of two stamps are never in one index.

    Attributes:
        model: The model, by name and content.
        preprocessing: What was done to an item before the model saw it, by content.
        dimension: Numbers in a vector.
    """

    model: str
    preprocessing: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.model}/{self.preprocessing}/{self.dimension}"

    def record(self) -> dict[str, Any]:
        """The stamp as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Catalogue:
    """What is to be indexed.

    Attributes:
        items: Grain: one item. Columns: its id as text, then what filters may name.
        contents: Of each item the hash of what its vector is made from.
        stamp: Who makes the vectors.
        embed: Positions of items to their vectors: float32 (positions, dimension).
    """

    items: pl.DataFrame
    contents: Sequence[str]
    stamp: Stamp
    embed: Callable[[Sequence[int]], Array]

    @property
    def key(self) -> str:
        """Name of the column with the ids."""
        return self.items.columns[0]

    @property
    def columns(self) -> Mapping[str, str]:
        """By column that filters may name, its type in SQL."""
        return {name: sql_type(dtype) for name, dtype in list(self.items.schema.items())[1:]}


def sql_type(dtype: Any) -> str:
    """The type that a column has in PostgreSQL.

    >>> import polars as pl
    >>> sql_type(pl.Int32()), sql_type(pl.Float64()), sql_type(pl.Datetime("us", "UTC"))
    ('bigint', 'double precision', 'timestamptz')
    """
    name = str(dtype).partition("(")[0]
    if name in ("Categorical", "Enum", "Null"):
        return "text"
    if name.startswith(("Int", "UInt")):
        return "bigint"
    return _SQL.get(name, "double precision")


def check_catalogue(catalogue: Catalogue, storage: str) -> None:
    """Refuses items that cannot be told apart or stored.

    Raises:
        DataError: There is no item, an id is missing or doubled, a column has a name that the index needs, or the
            vectors are longer than an index can hold.
    """
    import polars as pl

    ids = catalogue.items[catalogue.key]
    found = []
    if ids.len() == 0:
        raise DataError.no_rows("the catalogue", "there is no item to index", "look at the items of the snapshot")
    if empty := ids.null_count():
        found.append(f"{empty} items have no id")
    if doubled := ids.len() - ids.n_unique():
        names = ids.filter(ids.is_duplicated()).unique(maintain_order=True)
        found.append(f"{doubled} items stand there more than once: {listed(names, 5)}")
    if taken := [name for name in catalogue.items.columns if name in OWN]:
        found.append(f"columns have a name that the index itself needs: {listed(taken)}")
    for name, dtype in catalogue.items.schema.items():
        if dtype == pl.String and (bad := int(catalogue.items[name].str.contains("\0", literal=True).sum())):
            found.append(f"column {name!r} has {bad} texts with a NUL character, which PostgreSQL cannot store")
    if catalogue.stamp.dimension > MOST_DIMENSIONS[storage]:
        most = MOST_DIMENSIONS[storage]
        found.append(f"vectors of {catalogue.stamp.dimension} numbers; an index of {storage} holds at most {most}")
    if found:
        raise DataError.bad_vectors(found)


def usable(ids: Sequence[str], vectors: Array, stamp: Stamp) -> Array:
    """Which vectors can be searched for: bool (items,); one of zeros has no direction, and is nobody's neighbour.

    Raises:
        DataError: The vectors have another dimension than their stamp, or hold NaN or infinity.
    """
    import numpy as np

    if vectors.ndim != 2 or vectors.shape != (len(ids), stamp.dimension):
        why = f"{len(ids)} vectors of {stamp.dimension} numbers were promised ({stamp}), {vectors.shape} came"
        raise DataError.bad_vectors([why])
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        names = listed([ids[int(at)] for at in np.flatnonzero(broken)], 5)
        raise DataError.bad_vectors([f"{int(broken.sum())} vectors hold NaN or infinity: {names}"])
    some: Array = (vectors != 0).any(axis=1)
    return some
