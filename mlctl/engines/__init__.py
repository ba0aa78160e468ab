"""An engine is a way to run the same feature plan over partitions of entities.

Whatever the engine, one bucket is computed by `mlctl.history.bucket.compute_bucket`, and so its file has the
same bytes. `each` runs any other work over numbered parts, such as scoring them with a release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import Field

from mlctl.history.bucket import Job, Receipt
from mlctl.kinds import Record

if TYPE_CHECKING:
    import polars as pl


class EngineOptions(Record):
    """What every engine says, whatever its kind."""

    kind: str = Field(description="the engine: mlctl explain engines")
    partition_rows: int = Field(
        default=800_000,
        ge=1,
        description="rows of a partition, about: what is in work at a time; fewer take less memory and more time",
    )


USER: Final = "user"
ITEM: Final = "item"
TIME: Final = "time"
"""The columns of interactions: who, what and when."""


class Engine(Protocol):
    """The functions of an engine kind (the module itself satisfies this)."""

    Options: type[EngineOptions]
    EXAMPLE: dict[str, object]

    def run(self, options: Any, job: Job, pending: Sequence[int]) -> Iterator[Receipt]:
        """Computes buckets and writes their files; one receipt as each is done, in any order.

        Raises:
            DataError: A feature cannot be computed from the data.
            ExternalError: Disk, or what the engine runs on.
        """
        ...

    def each(
        self, options: Any, work: Callable[[int], pl.DataFrame], parts: Sequence[int], columns: Mapping[str, str]
    ) -> Iterator[pl.DataFrame]:
        """The tables that a function makes of numbers, a piece at a time, in any order.

        Args:
            options: The engine's options.
            work: What makes the table of a part; it can be sent elsewhere.
            parts: The numbers.
            columns: Columns of the tables, and the Spark type of each.

        Raises:
            MlctlError: What the function raised.
            ExternalError: What the engine runs on.
        """
        ...

    def together(self, options: Any, events: Path) -> pl.DataFrame:
        """How many users had both of two items.

        Grain: one pair of items that somebody had both of: `one` <= `other` (int32) and `users` (int64); with itself it
        is who had the item. Sorted by both. Time: none.

        Args:
            options: The engine's options.
            events: Parquet with the columns `user` and `item`; an item that a user had twice counts once.

        Raises:
            ExternalError: Disk, or what the engine runs on.
        """
        ...

    def histories(self, options: Any, events: Path, longest: int, before: datetime | None = None) -> pl.DataFrame:
        """What each user had, the latest items of it.

        Grain: one user, sorted: `user` and `history` (item numbers, oldest first; of one moment in their order).

        Args:
            options: The engine's options.
            events: Parquet with the columns `user`, `item` and `time`.
            longest: Most items of a history.
            before: Only events before this moment count; None: all.

        Raises:
            ExternalError: Disk, or what the engine runs on.
        """
        ...
