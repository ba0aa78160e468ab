"""What a source asks of a database, in one read-only transaction: types, count, rows.

`_sql_postgres` and `_sql_sqlite` say how each of them is asked; nothing here knows a dialect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources import Window
    from mlctl.sources._sql_options import SqlOptions


class Asking(ABC):
    """An open read-only transaction, and what a source asks in it.

    Attributes:
        where: The place for messages; it has no password.
        asked: The table, or the query in brackets, as it stands behind FROM.
        kinds: Each column, and its type in the database's own word.
    """

    where: str
    asked: str
    kinds: Mapping[str, str]

    @abstractmethod
    def table(self, query: str) -> pl.DataFrame:
        """What a query gives. Grain: one row of the answer. Time: as the database has it."""

    @abstractmethod
    def rows(self, condition: str, names: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows that fulfil a condition, all or some columns, each in its exact type.

        Grain: one row of what is asked. Time: as the database has it.

        Raises:
            DataError: A value has no exact type here.
        """

    @abstractmethod
    def at_least(self, name: str, value: object, zone: str | None) -> str | None:
        """A condition that holds at least where a column is a value or more, or None where none can be written.

        Args:
            name: The column.
            value: A value of it as `rows` gives it; a moment where it is a time.
            zone: The zone of times that carry none.
        """

    @abstractmethod
    def inside(self, options: SqlOptions, window: Window) -> str:
        """A condition that holds at least for every row of the window."""

    def count(self, condition: str) -> int:
        """How many rows fulfil a condition."""
        return int(self.table(f"SELECT count(*) AS n FROM {self.asked} WHERE {condition}").item())


def quoted(name: str) -> str:
    """A name as SQL writes it: `a"b` is `"a""b"`."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def text_literal(text: str) -> str:
    """A text as SQL writes it: `it's` is `'it''s'`."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def asked_of(options: SqlOptions) -> str:
    """The table, or the query in brackets, as it stands behind FROM."""
    if options.table is not None:
        return ".".join(quoted(part) for part in options.table.split("."))
    # the line end closes a comment at the query's end
    return f"({options.query}\n) AS asked"


def whole(arrow: Any) -> Any:
    """An Arrow table as a driver gives it, once every value is known to be one.

    Drivers hand on bytes that are no UTF-8 as text; whoever reads such a text later fails, or crashes.

    Raises:
        pyarrow.ArrowException: A text is no UTF-8.
    """
    arrow.validate(full=True)
    return arrow
