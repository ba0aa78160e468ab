"""The history of features in a plan: the stretches of it that no longer hold, and computing exactly those again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mlctl import config, history
from mlctl.costs import ledger
from mlctl.history import Shelf, backfill
from mlctl.history.backfill import Advance, Done, Request
from mlctl.times import moment
from mlctl.workspace import Places

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_US: Final = 3_600_000_000
_Moments = tuple[int, int, int]
"""Of a stretch: its first moment and its step in microseconds, and how many moments it has."""


@dataclass(frozen=True)
class Stretch:
    """Columns at moments that a history holds, and that what changes makes untrue.

    Attributes:
        start: The first moment.
        end: Moments lie before it.
        every: From one moment to the next.
        columns: The columns to compute again.
        rows: So many rows it has now: one for each entity and moment.
    """

    start: str
    end: str
    every: str
    columns: tuple[str, ...]
    rows: int

    def record(self) -> dict[str, Any]:
        """The stretch as JSON-ready data; `of_record` reads it."""
        return {**asdict(self), "columns": list(self.columns)}

    @classmethod
    def of_record(cls, told: Mapping[str, Any]) -> Stretch:
        """A stretch from its record.

        Raises:
            KeyError, TypeError: It is no such record.
        """
        return cls(told["start"], told["end"], told["every"], tuple(told["columns"]), told["rows"])


@dataclass(frozen=True)
class Stale:
    """What of a history no longer holds.

    Attributes:
        columns: Columns of which a block is no longer true, also those that the project has no more.
        partitions: Partitions of such blocks.
        stretches: What is to be computed again, for the columns that the project still has.
    """

    columns: tuple[str, ...] = ()
    partitions: int = 0
    stretches: tuple[Stretch, ...] = ()

    def values(self) -> int:
        """Numbers to be computed again."""
        return sum(stretch.rows * len(stretch.columns) for stretch in self.stretches)

    def record(self) -> dict[str, Any]:
        """What no longer holds as JSON-ready data."""
        stretches = [stretch.record() for stretch in self.stretches]
        return {"columns": list(self.columns), "partitions": self.partitions, "stretches": stretches}


def stale(places: Places, prints: Mapping[str, str], all_of_it: bool) -> Stale:
    """What of a project's history no longer holds.

    Args:
        places: The project's paths.
        prints: By column that the project has now, the fingerprint of all that its values hang on.
        all_of_it: Whether data or code are others, so that no block holds.

    Raises:
        IntegrityError: The description of the history is damaged.
    """
    shelf = history.stored(places)
    if shelf is None:
        return Stale()
    gone: set[str] = set()
    partitions = 0
    by_moments: dict[_Moments, tuple[set[str], set[str], int]] = {}
    for block, marks in shelf.blocks:
        fresh = {name for name, mark in marks.items() if not all_of_it and prints.get(name) == mark}
        lost = set(block.columns) - fresh
        gone |= lost
        partitions += shelf.partitions * bool(lost)
        when = (block.first_us, block.step_us, block.count)
        held, wanted, rows = by_moments.get(when, (set(), set(), 0))
        by_moments[when] = (held | fresh, wanted | (lost & prints.keys()), rows or _rows(shelf, block.id))
    stretches = [
        _stretch(when, [name for name in prints if name in wanted - held], rows)
        for when, (held, wanted, rows) in sorted(by_moments.items())
        if wanted - held
    ]
    return Stale(tuple(sorted(gone)), partitions, tuple(stretches))


def compute(places: Places, stretches: Sequence[Stretch], now: datetime, advance: Advance) -> list[Done]:
    """Computes stretches of a history again; what is there already is not computed twice.

    Raises:
        MlctlError: As `backfill.run`.
    """
    project = config.read_params(places)
    done = []
    for stretch in stretches:
        request = Request(moment(stretch.start), moment(stretch.end), stretch.every, stretch.columns)
        with ledger.entered(places, "backfill", now) as line:
            done.append(backfill.run(places, project, request, advance))
            line.rows = done[-1].rows
    return done


def _stretch(when: _Moments, columns: Sequence[str], rows: int) -> Stretch:
    first_us, step_us, count = when
    start, step = _EPOCH + timedelta(microseconds=first_us), timedelta(microseconds=step_us)
    # a step is a whole number of hours: it was written as a duration
    return Stretch(
        start.isoformat(), (start + count * step).isoformat(), f"{step_us // _HOUR_US}h", tuple(columns), rows
    )


def _rows(shelf: Shelf, block: str) -> int:
    """The rows of a block, by what its files say of themselves."""
    import pyarrow.parquet as pq

    paths = [shelf.path(block, bucket) for bucket in range(shelf.buckets)]
    return sum(pq.read_metadata(path).num_rows for path in paths if path.is_file())
