"""A source is a lazy table over a half-open time window `[start, end)`.

A kind reads; it never repairs, drops or invents a row. Times come out as UTC. What was in the window at the moment of
the snapshot is frozen under `data/` by `mlctl ingest`, so that everything after this seam is reproducible.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pydantic import Field

from mlctl.errors import DataError
from mlctl.kinds import Record
from mlctl.times import Duration

if TYPE_CHECKING:
    import polars as pl


COLUMNS_MOST: Final = 5_000
"""A table of more columns is refused before its values are looked at."""


def must_not_be_too_wide(source: str, where: str, width: int) -> None:
    """Refuses a table by how many columns it has.

    Raises:
        DataError: There are more than `COLUMNS_MOST`.
    """
    if width > COLUMNS_MOST:
        raise DataError.too_wide(source, where, width, COLUMNS_MOST)


class Window(NamedTuple):
    """A half-open stretch of event time; both ends are aware datetimes in UTC.

    Attributes:
        start: The first moment inside, or None for "from the beginning".
        end: The first moment outside; a snapshot's `as_of`.
    """

    start: datetime | None
    end: datetime


class Note(Record):
    """What people know about a column and the data does not tell."""

    about: str = Field(default="", description="what the column means")
    unit: str | None = Field(default=None, description="unit of the values, such as eur, s or kg")
    pii: bool | None = Field(default=None, description="whether it says something about a person; none: nobody looked")
    owner: str | None = Field(default=None, description="who answers for it, where it is not the source's owner")


class SourceOptions(Record):
    """What every source says, whatever its kind."""

    kind: str = Field(description="the source's kind: mlctl explain sources")
    name: str = Field(default="", description="set by mlctl: the source's key in the project")
    key: tuple[str, ...] = Field(default=(), description="columns that identify one row")
    time: str | None = Field(
        default=None, description="column of the event time; a table without one is the same at any moment"
    )
    time_zone: str | None = Field(
        default=None, description="IANA zone of times that carry none, such as Europe/Berlin; required for naive times"
    )
    time_format: str | None = Field(
        default=None, description="strptime format of a text time, such as %Y%m%d; the default is ISO 8601"
    )
    row_key: str | None = Field(
        default=None, description="name of a column that numbers the rows as they are read, for tables without a key"
    )
    knowledge_time: str | None = Field(
        default=None,
        description="column of the moment from which the row was known, where rows arrive after their event time",
    )
    max_age: Duration | None = Field(
        default=None, description="how old the newest row may be, such as 26h; mlctl freshness tells what is older"
    )
    about: str = Field(default="", description="what one row is, for people")
    owner: str = Field(default="", description="who answers for the source")
    notes: dict[str, Note] = Field(default_factory=dict, description="what people know about a column, by column")

    def time_column(self) -> str | None:
        """The column of the event time; kinds that know their tables say it themselves."""
        return self.time


class Taken(NamedTuple):
    """What one read of a source gave.

    Attributes:
        rows: The rows inside the window.
        told: What was counted a second way and agrees, as `12 records counted in 2 files`.
    """

    rows: pl.LazyFrame
    told: str


class Earlier(NamedTuple):
    """The rows of the snapshot before, for kinds whose options name a `watermark`.

    Attributes:
        rows: As they came out then. Grain: one row of the source. Time: `options.time` as Datetime(us, UTC).
        as_of: The end of their window.
    """

    rows: pl.DataFrame
    as_of: datetime


class Source(Protocol):
    """The functions of a source kind (the module itself satisfies this)."""

    Options: type[SourceOptions]
    EXAMPLE: dict[str, object]

    def scan(self, options: SourceOptions, window: Window) -> pl.LazyFrame:
        """The rows whose event time lies in `window` (all rows when the source has no time column).

        Grain: one row of the source, in a stable order. Time: `options.time` as Datetime(us, UTC).

        Raises:
            DataError: Path absent, bytes not of this kind, time column missing or not placeable on the UTC line.
        """
        ...


class Counted(Source, Protocol):
    """A source kind that proves its read: what came out is held against a count made another way."""

    def take(self, options: SourceOptions, window: Window, earlier: Earlier | None = None) -> Taken:
        """The rows of `scan`, and what was counted.

        Args:
            options: The source's options.
            window: The half-open window.
            earlier: The snapshot before; only kinds whose options name a `watermark` look at it.

        Raises:
            DataError: As `scan`; or the rows are not as many as were counted.
            IntegrityError: A file changed while it was read.
            ExternalError: A database or an object store does not answer.
        """
        ...
