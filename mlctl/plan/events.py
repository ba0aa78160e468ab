"""The events of one source as arrays: what features read. Their order means nothing, so nothing is sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.features import fulfils, millionths

if TYPE_CHECKING:
    import polars as pl

    from mlctl.features import Array

ENTITY: Final = "/entity"
"""Column of a table that holds the place of each row's key among the sorted keys."""
_BEGINNING_US: Final = -(2**61)


@dataclass
class Events:
    """One source's events, in any order.

    Attributes:
        source: The source's name, for messages.
        entity: [n_events] entity of each event.
        time: [n_events] event time in microseconds since 1970.
        known: [n_events] moment from which the event was known, or None where that is its event time.
        table: The columns that features read. Grain: one event, in the order of the arrays.
    """

    source: str
    entity: Array
    time: Array
    known: Array | None
    table: pl.DataFrame
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.entity)

    def once(self, what: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What was made of the events under this name; several features ask for the same."""
        if what not in self.kept:
            self.kept[what] = make()
        return self.kept[what]

    def column(self, name: str) -> pl.Series:
        """[n_events] a column as it is."""
        return self.table[name]

    def holds(self, condition: str, key: str) -> Array:
        """[n_events] whether an SQL condition holds; where a value is missing it does not.

        Raises:
            DataError: The condition cannot be computed; `key` names it.
        """
        return np_array(fulfils(self.table, condition, key))

    def number(self, column: str) -> Array:
        """[n_events] a column as float64; NaN where it is missing.

        Raises:
            DataError: The column holds no numbers.
        """

        def make() -> Array:
            import polars as pl

            values = self.table[column]
            if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
                raise DataError.not_numbers(self.source, column, str(values.dtype))
            return np_array(values.cast(pl.Float64).fill_null(float("nan")))

        return self.once(("number", column), make)  # type: ignore[no-any-return]

    def whole(self, column: str) -> Array:
        """[n_events] a column in whole millionths as int64; 0 where it is missing.

        Raises:
            DataError: The column holds no numbers, an infinity, or so large ones that their sums are not exact.
        """

        def make() -> Array:
            try:
                return millionths(self.number(column))
            except OverflowError as error:
                raise DataError.too_large(self.source, column, str(error)) from error

        return self.once(("whole", column), make)  # type: ignore[no-any-return]

    def present(self, column: str) -> Array:
        """[n_events] whether a column's value is there: neither missing nor NaN."""

        def make() -> Array:
            values = self.table[column]
            there = values.is_not_null()
            if values.dtype.is_float():
                there &= values.is_not_nan().fill_null(False)
            return np_array(there)

        return self.once(("present", column), make)  # type: ignore[no-any-return]

    def codes(self, column: str) -> tuple[Array, int]:
        """[n_events] a number for each different value of a column, from 0, and -1 where it is missing; how many."""

        def make() -> tuple[Array, int]:
            import polars as pl

            values = self.table[column]
            # a dictionary is several times as fast as an order, and which number a value gets does not matter
            if values.dtype == pl.String:
                codes = values.cast(pl.Enum(values.unique().drop_nulls().sort())).to_physical().cast(pl.Int64)
            else:
                codes = values.rank("dense").cast(pl.Int64) - 1
            placed = np_array(codes.fill_null(-1))
            return placed, int(placed.max(initial=-1)) + 1

        return self.once(("codes", column), make)  # type: ignore[no-any-return]

    def rank(self, *columns: str) -> Array:
        """[n_events] the place of each event in time; among those of one moment, by the columns' values."""

        def make() -> Array:
            import numpy as np
            import polars as pl

            names = [f"/{index}" for index in range(len(columns))]
            by = [self.column(column).alias(name) for column, name in zip(columns, names, strict=True)]
            placed = pl.DataFrame([pl.Series("/time", self.time), pl.Series("/at", np.arange(len(self))), *by])
            order = placed.sort("/time", *names, maintain_order=True)["/at"].to_numpy()
            place = np.empty(len(self), dtype=np.int64)
            place[order] = np.arange(len(self))
            return place

        return self.once(("rank", *columns), make)  # type: ignore[no-any-return]

    def only(self, chosen: Array) -> Events:
        """The events of a mask."""
        import polars as pl

        known = None if self.known is None else self.known[chosen]
        return Events(self.source, self.entity[chosen], self.time[chosen], known, self.table.filter(pl.Series(chosen)))


def np_array(values: pl.Series) -> Array:
    """A column as an array."""
    import numpy as np

    return np.asarray(values.to_numpy())


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say entity, event time and knowledge time; a table without time is of all times."""

    key: str
    time: str | None
    known: str | None = None


def events_of(source: str, table: pl.DataFrame, columns: Columns, keys: pl.Series) -> Events:
    """A table's events of some entities.

    Args:
        source: The source's name, for messages.
        table: Grain: one event. Time: `columns.time`; a row without key or time is no event.
        columns: Where entity and times stand.
        keys: Sorted unique keys as text; the place of a key is its entity.

    Raises:
        DataError: A table without time has two rows of one entity.
    """
    import polars as pl

    entity = pl.col(columns.key).cast(pl.String).cast(pl.Enum(keys), strict=False).to_physical().cast(pl.Int32)
    return placed_events(source, table.with_columns(entity.alias(ENTITY)), columns, keys)


def placed_events(source: str, table: pl.DataFrame, columns: Columns, keys: pl.Series) -> Events:
    """As `events_of`, of a table that holds the entity's place in the column `ENTITY`."""
    import numpy as np
    import polars as pl

    times = {"/time": pl.lit(_BEGINNING_US) if columns.time is None else _microseconds(columns.time)}
    if columns.known is not None:
        times["/known"] = _microseconds(columns.known).fill_null(times["/time"])
    placed = table.with_columns(**times)
    if placed[ENTITY].null_count() or placed["/time"].null_count():
        placed = placed.drop_nulls([ENTITY, "/time"])
    entity, known = np_array(placed[ENTITY]), None if columns.known is None else np_array(placed["/known"])
    if columns.time is None and (counts := np.bincount(entity)).max(initial=0) > 1:
        why = f"{columns.key} {keys[int(counts.argmax())]!r} stands in several rows"
        why += " and the source has no time column to order them"
        raise DataError.bad_expression(f"features of {source}", source, why)
    return Events(source, entity, np_array(placed["/time"]), known, placed.drop(ENTITY, *times))


def _microseconds(column: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).cast(pl.Datetime("us", "UTC")).to_physical().cast(pl.Int64)
