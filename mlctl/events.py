"""The events of one source as arrays, sorted by entity and moment: what features read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import DataError
from mlctl.features import millionths

if TYPE_CHECKING:
    import polars as pl

    from mlctl.features import Array

_HALF_CODES: Final = 1 << 16
_BEGINNING_US: Final = -(2**61)


@dataclass
class Events:
    """One source's events, sorted by entity and then by moment.

    Attributes:
        source: The source's name, for messages.
        entity: [n_events] entity of each event.
        time: [n_events] event time in microseconds since 1970.
        known: [n_events] moment from which the event was known, or None where that is its event time.
        table: The columns that features read. Grain: one event, in the same order.
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

    def number(self, column: str) -> Array:
        """[n_events] a column as float64; NaN where it is missing.

        Raises:
            DataError: The column holds no numbers.
        """
        return self.once(("number", column), lambda: self._number(column))  # type: ignore[no-any-return]

    def whole(self, column: str) -> Array:
        """[n_events] a column in whole millionths as int64; 0 where it is missing.

        Raises:
            DataError: The column holds no numbers, an infinity, or so large ones that their sums are not exact.
        """

        def make() -> Any:
            try:
                return millionths(self.number(column))
            except OverflowError as error:
                raise DataError.too_large(self.source, column, str(error)) from error

        return self.once(("whole", column), make)  # type: ignore[no-any-return]

    def present(self, column: str) -> Array:
        """[n_events] whether a column's value is there: neither missing nor NaN."""

        def make() -> Any:
            values = self.table[column]
            there = values.is_not_null()
            return (there & values.is_not_nan().fill_null(False) if values.dtype.is_float() else there).to_numpy()

        return self.once(("present", column), make)  # type: ignore[no-any-return]

    def codes(self, column: str) -> tuple[Array, int]:
        """[n_events] a number for each different value of a column, from 0, and -1 where it is missing; how many."""

        def make() -> Any:
            ranks = self.table[column].rank("dense").fill_null(0).to_numpy().astype("int64") - 1
            return ranks, int(ranks.max(initial=-1)) + 1

        return self.once(("codes", column), make)  # type: ignore[no-any-return]

    def rank(self, column: str | None = None) -> Array:
        """[n_events] the place of each event in time; among those of one moment, by a column's value or their order."""

        def make() -> Any:
            import numpy as np

            ties = np.arange(len(self)) if column is None else self.codes(column)[0]
            place = np.empty(len(self), dtype=np.int64)
            place[np.lexsort((ties, self.time))] = np.arange(len(self))
            return place

        return self.once(("rank", column), make)  # type: ignore[no-any-return]

    def only(self, chosen: Array) -> Events:
        """The events of a mask."""
        import polars as pl

        known = None if self.known is None else self.known[chosen]
        return Events(self.source, self.entity[chosen], self.time[chosen], known, self.table.filter(pl.Series(chosen)))

    def _number(self, column: str) -> Array:
        import polars as pl

        values = self.table[column]
        if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
            raise DataError.not_numbers(self.source, column, str(values.dtype))
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


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
    import numpy as np
    import polars as pl

    time = pl.lit(_BEGINNING_US) if columns.time is None else pl.col(columns.time).to_physical().cast(pl.Int64)
    entity = pl.col(columns.key).cast(pl.String).cast(pl.Enum(keys), strict=False).to_physical().cast(pl.Int32)
    placed = table.with_columns(entity.alias("/entity"), time.alias("/time"))
    if columns.known is not None:
        known = pl.col(columns.known).to_physical().cast(pl.Int64).fill_null(pl.col("/time"))
        placed = placed.with_columns(known.alias("/known"))
    placed = placed.filter(pl.col("/entity").is_not_null() & pl.col("/time").is_not_null())
    placed = placed[sorted_by_entity(placed["/entity"].to_numpy(), placed["/time"].to_numpy())]
    made = Events(
        source,
        placed["/entity"].to_numpy(),
        placed["/time"].to_numpy(),
        None if columns.known is None else placed["/known"].to_numpy(),
        placed.select(table.columns),
    )
    twice = np.flatnonzero(np.diff(made.entity) == 0)
    if columns.time is None and len(twice):
        why = f"{columns.key} {keys[int(made.entity[twice[0]])]!r} stands in several rows"
        why += " and the source has no time column to order them"
        raise DataError.bad_expression(f"features of {source}", source, why)
    return made


def sorted_by_entity(entity: Array, time: Array) -> Array:
    """The order by entity, then moment, that keeps the order of events of one moment."""
    import numpy as np

    order = np.arange(len(time)) if (np.diff(time) >= 0).all() else np.argsort(time, kind="stable")
    # 16 bits are sorted by counting, several times as fast as a comparison sort
    for shift in (0, 16):
        half = (entity[order] >> shift).astype(np.uint16)
        if shift == 0 or len(entity) == 0 or entity.max() >= _HALF_CODES:
            order = order[np.argsort(half, kind="stable")]
    return order
