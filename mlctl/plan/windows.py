"""Which rows of a spine see which events, and the states of many windows merged at once.

A *spine* is the rows that are asked for: entities at moments. An event is seen by the rows of its entity from the
moment it is known until it leaves the window, and these rows stand next to each other. So an event is one interval of
rows, and to add a state over every window of every row is to add it where the interval begins, to take it away where it
ends, and to sum up along the rows (a difference array). Maxima and sets of flags are put into a sparse table instead,
each interval as two blocks whose length is a power of two. All states are whole numbers, extremes or flags, so neither
the order of the events nor how a history is cut can change a bit.

The same code runs for one row, for a night's batch and for the whole history, and for events that become known late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlctl.features import Add, Flags, Most, State
from mlctl.plan.events import Events

if TYPE_CHECKING:
    from mlctl.features import Array

_NEVER_US: Final = 2**62


@dataclass(frozen=True)
class Spine:
    """Rows of entities at moments, sorted by both.

    Attributes:
        entities: How many entities there are.
        moments: [n_moments] the moments, where every entity has a row at each; otherwise None.
        told: [n_rows] entity of each row, 0 to `entities` - 1, and [n_rows] its moment in microseconds since 1970; None
            where every entity has a row at each moment.
    """

    entities: int
    moments: Array | None
    told: tuple[Array, Array] | None = None

    @classmethod
    def grid(cls, entities: int, moments: Array) -> Spine:
        """Every entity at every moment."""
        return cls(entities, moments)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.told[0]) if self.told is not None else self.entities * len(self._grid())

    @property
    def as_of(self) -> Array:
        """[n_rows] moment of each row in microseconds since 1970."""
        import numpy as np

        return self.told[1] if self.told is not None else np.tile(self._grid(), self.entities)

    def _grid(self) -> Array:
        if self.moments is None:
            raise ValueError("a spine has moments or rows of its own")
        return self.moments

    def begin(self, entity: Array) -> Array:
        """The first row of each event's entity on a grid; of no meaning elsewhere."""
        import numpy as np

        return entity if self.moments is None else np.multiply(entity, len(self.moments), dtype=np.int64)

    def first_after(self, entity: Array, begin: Array, moment: Array) -> Array:
        """The first row of its entity whose moment lies after the event's; else the first row of the next entity."""
        import numpy as np

        if self.moments is None:
            return self._first_after_in_any_order(entity, moment)
        count = len(self.moments)
        steps = np.diff(self.moments)
        if count > 1 and (steps == steps[0]).all():
            # in place: to fill fresh memory takes longer than to compute what it holds
            place = moment - (self.moments[0] - steps[0])
            np.floor_divide(place, steps[0], out=place)
            np.maximum(place, 0, out=place)
            np.minimum(place, count, out=place)
        else:
            place = np.searchsorted(self.moments, moment, side="right")
        place += begin
        return np.asarray(place)

    def _first_after_in_any_order(self, entity: Array, moment: Array) -> Array:
        import numpy as np

        of, as_of = self.told or (entity[:0], moment[:0])
        rows = len(of)
        is_row = np.repeat(np.array([1, 0], dtype=np.int8), [rows, len(entity)])
        # a row at the very moment of an event does not see it, so it stands before the event
        order = np.lexsort((1 - is_row, np.concatenate([as_of, moment]), np.concatenate([of, entity])))
        before = np.cumsum(is_row[order], dtype=np.int64)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = before
        return place[rows:]


class Windows:
    """The events of a source as intervals of the spine's rows, for every window."""

    def __init__(self, spine: Spine, events: Events) -> None:
        import numpy as np

        self.spine, self.events = spine, events
        start = events.time if events.known is None else np.maximum(events.time, events.known)
        self._begin = spine.begin(events.entity)
        self._first = spine.first_after(events.entity, self._begin, start)
        self._ends: dict[int | None, Array] = {}
        self._entered: dict[int, tuple[Array | None, Array]] = {}
        self._sums: dict[tuple[int, int | None], tuple[Array | None, Array]] = {}

    def only(self, chosen: Array) -> Windows:
        """The same for the events of a mask."""
        part = Windows.__new__(Windows)
        part.spine, part.events = self.spine, self.events.only(chosen)
        part._begin, part._first, part._entered, part._sums = self._begin[chosen], self._first[chosen], {}, {}
        part._ends = {window: end[chosen] for window, end in self._ends.items()}
        return part

    def merge(self, state: State, window_us: int | None) -> Array:
        """[n_rows] the state of each row's window; None is the whole history."""
        if isinstance(state, Add):
            within = window_us if window_us is None or not state.recent else window_us // 2
            return self._added(state.values, within)
        if isinstance(state, Flags):
            return self._spread(state.values, window_us, "bitwise_or", 0)
        if isinstance(state, Most):
            return self._spread(state.values, window_us, "maximum", state.empty)
        return self._different(state.codes, window_us)

    def _end(self, window_us: int | None) -> Array:
        """The first row that does not see an event any more, at least the first that would."""
        import numpy as np

        if window_us not in self._ends:
            time = self.events.time
            far = np.full(len(time), _NEVER_US) if window_us is None else time + window_us
            end = self.spine.first_after(self.events.entity, self._begin, far)
            self._ends[window_us] = np.maximum(end, self._first, out=end)
        return self._ends[window_us]

    def _added(self, values: Array | None, window_us: int | None) -> Array:
        """Several features may ask for the same sums. They may wrap around 64 bits on the way, and end exact."""
        import numpy as np

        # the values are kept beside, since their identity is the key
        key = (id(values), window_us)
        if key not in self._sums:
            rows, end = self.spine.rows, self._end(window_us)
            steps = self._entering(values).copy()
            if values is None:
                steps -= np.bincount(end, minlength=rows + 1)
            else:
                np.subtract.at(steps, end, values)
            total = np.cumsum(steps[:rows], out=steps[:rows])
            total.flags.writeable = False
            self._sums[key] = (values, total)
        return self._sums[key][1]

    def _entering(self, values: Array | None) -> Array:
        """[n_rows + 1] what each row sees that the row before did not."""
        import numpy as np

        if id(values) not in self._entered:
            if values is None:
                steps = np.bincount(self._first, minlength=self.spine.rows + 1)
            else:
                steps = np.zeros(self.spine.rows + 1, dtype=np.int64)
                np.add.at(steps, self._first, values)
            self._entered[id(values)] = (values, steps)
        return self._entered[id(values)][1]

    def _spread(self, values: Array, window_us: int | None, how: str, empty: float) -> Array:
        """Puts each value on its interval as two blocks of 2**level rows, then hands the blocks down level by level."""
        import numpy as np

        join: Any = getattr(np, how)
        rows, first, end = self.spine.rows, self._first, self._end(window_us)
        if window_us is None and self.spine.moments is not None:
            return self._so_far(values, len(self.spine.moments), how, empty)
        length = end - first
        # the largest power of two that fits, by a table since lengths are short; -1 for no row
        level = (np.frexp(np.arange(length.max(initial=0) + 1))[1].astype(np.int8) - 1)[length]
        counts = np.bincount(level + 1, minlength=1)
        table = np.full(rows + 1, empty, dtype=values.dtype)
        most = len(counts) - 2
        for step in range(most, -1, -1):
            if step < most:
                join(table[1 << step :], table[: -(1 << step)].copy(), out=table[1 << step :])
            if not counts[step + 1]:
                continue
            chosen: Any
            if 2 * counts[step + 1] > len(level):
                # where most events are of one level, to pick them out costs more than to give the others no weight
                chosen, put = slice(None), np.where(level == step, values, values.dtype.type(empty))
            else:
                chosen = np.flatnonzero(level == step)
                put = values[chosen]
            join.at(table, first[chosen], put)
            if step:
                join.at(table, end[chosen] - (1 << step), put)
        return table[:rows]

    def _so_far(self, values: Array, moments: int, how: str, empty: float) -> Array:
        """On a grid, what began stays to the entity's last row: it is handed on from row to row."""
        import numpy as np

        join: Any = getattr(np, how)
        seen = self._end(None) > self._first
        first, values = (self._first, values) if seen.all() else (self._first[seen], values[seen])
        table = np.full(self.spine.rows, empty, dtype=values.dtype)
        join.at(table, first, values)
        grid = table.reshape(self.spine.entities, moments)
        return np.asarray(join.accumulate(grid, axis=1, out=grid).reshape(-1))

    def _different(self, codes: Array, window_us: int | None) -> Array:
        """How many codes each row sees: the intervals of one entity's code are joined, so that none counts twice."""
        import numpy as np

        rows = self.spine.rows
        there = np.flatnonzero((codes >= 0) & (self._end(window_us) > self._first))
        first, end = self._first[there], self._end(window_us)[there]
        order = np.lexsort((first, codes[there], self.events.entity[there]))
        first, end = first[order], end[order]
        same = np.zeros(len(order), dtype=bool)
        same[1:] = (np.diff(codes[there][order]) == 0) & (np.diff(self.events.entity[there][order]) == 0)
        # shifted, the rows of a later group lie behind all of an earlier one, and one running maximum serves
        shift = np.cumsum(~same) * (rows + 1)
        covered = np.maximum.accumulate(end + shift) - shift
        begin = first.copy()
        begin[1:] = np.where(same[1:], np.maximum(first[1:], covered[:-1]), first[1:])
        steps = np.bincount(begin[begin < end], minlength=rows + 1) - np.bincount(end[begin < end], minlength=rows + 1)
        return np.cumsum(steps[:rows])
