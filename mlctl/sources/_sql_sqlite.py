"""SQLite by ADBC, opened read-only; its types belong to values, so the types of all values are counted first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from mlctl.errors import DataError, ExternalError, first_line
from mlctl.sources._sql_asking import Asking, asked_of, quoted, text_literal, whole

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources import Window
    from mlctl.sources._sql_options import SqlOptions

_KINDS: Final = ("integer", "real", "text", "blob")
_EXACT: Final = 2**53  # whole numbers up to here are exact as a float
_AWAY: Final = ("locked", "busy", "disk I/O", "unable to open", "failed to open")


class Sqlite(Asking):
    """An open transaction of SQLite."""

    def __init__(self, options: SqlOptions, path: Path, cursor: Any) -> None:
        self._options, self._cursor = options, cursor
        self.where, self.asked = str(path), asked_of(options)
        names = self._arrow(f"SELECT * FROM {self.asked} LIMIT 0", 1).schema.names
        if len(set(names)) < len(names):
            raise DataError.bad_query(options.name, self.where, "two columns have the same name")
        self._total, self.kinds = self._kinds(names)

    def table(self, query: str) -> pl.DataFrame:
        """What a query gives. Grain: one row of the answer. Time: none, SQLite has no times."""
        import polars as pl

        # the driver takes a column's type from the first batch alone: there is to be one
        table = pl.from_arrow(self._arrow(query, self._total + 1))
        return table if isinstance(table, pl.DataFrame) else table.to_frame()

    def rows(self, condition: str, names: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows that fulfil a condition. Grain: one row of what is asked. Time: none, SQLite has no times."""
        import polars as pl

        kinds = {name: self.kinds[name] for name in names or self.kinds}
        written = {"integer": "CAST({} AS INTEGER)", "real": "CAST({} AS REAL)", "text": "{}", "blob": "{}"}
        made = [f"{written[kind].format(quoted(name))} AS {quoted(name)}" for name, kind in kinds.items()]
        table = self.table(f"SELECT {', '.join(made)} FROM {self.asked} WHERE {condition}")
        types: dict[str, Any] = {"integer": pl.Int64, "real": pl.Float64, "text": pl.String, "blob": pl.Binary}
        return table.cast({name: types[kind] for name, kind in kinds.items()})

    def at_least(self, name: str, value: object, zone: str | None) -> str | None:
        """A condition that holds where a column is a value or more; None for a moment, of which SQLite has none."""
        kind, column = self.kinds[name], quoted(name)
        if isinstance(value, str) and kind == "text":
            return f"{column} COLLATE BINARY >= {text_literal(value)}"
        if isinstance(value, int | float) and kind in ("integer", "real"):
            return f"{column} >= {value!r}"
        return None

    def inside(self, options: SqlOptions, window: Window) -> str:
        """Every row: which of them are in the window is decided on the UTC line."""
        return "1"

    def _kinds(self, names: list[str]) -> tuple[int, dict[str, str]]:
        """How many rows there are, and the one kind that holds every value of each column."""
        parts = ["count(*)"]
        for name in names:
            column = quoted(name)
            parts += [f"sum(typeof({column}) = '{kind}')" for kind in _KINDS]
            parts.append(f"sum(typeof({column}) = 'integer' AND ({column} > {_EXACT} OR {column} < -{_EXACT}))")
        answer = self._arrow(f"SELECT {', '.join(parts)} FROM {self.asked}", 1)
        total, *counts = [int(column[0].as_py() or 0) for column in answer.columns]
        width = len(_KINDS) + 1
        return total, {
            name: self._kind(name, dict(zip((*_KINDS, "large"), counts[at : at + width], strict=True)))
            for name, at in zip(names, range(0, len(counts), width), strict=True)
        }

    def _kind(self, name: str, counts: dict[str, int]) -> str:
        large = counts.pop("large")
        found = {kind: count for kind, count in counts.items() if count}
        if len(found) <= 1:
            return next(iter(found), "text")
        if set(found) == {"integer", "real"} and not large:
            return "real"
        if set(found) == {"integer", "real"}:
            why = f"column {name}: {large} whole numbers beside fractions are too large for a float"
            raise DataError.bad_query(self._options.name, self.where, f"{why}; cast it in a query")
        rare = min(found, key=lambda kind: found[kind])
        query = f"SELECT {quoted(name)} AS example FROM {self.asked} WHERE typeof({quoted(name)}) = '{rare}' LIMIT 1"
        example = self._arrow(query, 1).column(0)[0].as_py()
        held = " and ".join(f"{count:,} of type {kind}" for kind, count in found.items())
        why = f"column {name} holds values of several types ({held}), such as {example!r}; cast it in a query"
        raise DataError.bad_query(self._options.name, self.where, why)

    def _arrow(self, query: str, batch: int) -> Any:
        import adbc_driver_manager
        import pyarrow as pa

        try:
            self._cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(max(batch, 1))})
            self._cursor.execute(query)
            return whole(self._cursor.fetch_arrow_table())
        except (adbc_driver_manager.Error, OSError, pa.ArrowException) as error:
            why = first_line(error)
            if any(word in why for word in _AWAY):
                raise ExternalError.database(self.where, why) from error
            raise DataError.bad_query(self._options.name, self.where, why) from error


@contextmanager
def sqlite(options: SqlOptions, dsn: str) -> Iterator[Sqlite]:
    """An open transaction of the SQLite file that a dsn names.

    Raises:
        DataError: The file is missing or is no database, or it does not have what is asked.
        ExternalError: The file cannot be opened.
    """
    import adbc_driver_manager
    import adbc_driver_sqlite.dbapi as driver

    path = Path(dsn.removeprefix("sqlite:").removeprefix("///"))
    if not path.is_file():
        raise DataError.missing_file(options.name, str(path), "dsn")
    try:
        connection = driver.connect(f"file:{quote(str(path.absolute()))}?mode=ro")
    except adbc_driver_manager.Error as error:
        raise ExternalError.database(str(path), first_line(error)) from error
    with closing(connection), closing(connection.cursor()) as cursor:
        yield Sqlite(options, path, cursor)
