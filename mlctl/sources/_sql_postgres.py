"""PostgreSQL by ADBC: one REPEATABLE READ, READ ONLY transaction, so that the count and the rows are of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from mlctl.database import conninfo, masked, without_password
from mlctl.errors import DataError, ExternalError
from mlctl.sources._sql_asking import Asking, asked_of, quoted, text_literal, whole

if TYPE_CHECKING:
    import polars as pl

    from mlctl.sources import Window
    from mlctl.sources._sql_options import SqlOptions

_SETTINGS: Final = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'iso_8601'",
    "SET LOCAL extra_float_digits = 1",
)
# types that Arrow has exactly; the others come as their text
_AS_THEY_ARE: Final = (
    *("int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar", "bpchar", "name", "bytea"),
    *("timestamptz", "timestamp", "date"),
)
_CASTS: Final = {"timestamptz": "TIMESTAMPTZ", "timestamp": "TIMESTAMP", "date": "DATE"}
_TIMES: Final = tuple(_CASTS)
_AWAY: Final = ("08", "53", "57", "58", "28")  # classes of SQLSTATE: connection, resources, operator, system, login
_DIGITS: Final = 15  # every decimal of so many digits comes back from a float as it was
# beyond these a float is zero, infinite, or has fewer digits
_SMALLEST: Final = 1e-300
_LARGEST: Final = 1e300
_ZONES: Final = timedelta(days=1)  # farther apart than any two zones


class Postgres(Asking):
    """An open transaction of PostgreSQL."""

    def __init__(self, options: SqlOptions, dsn: str, cursor: Any) -> None:
        self._options, self._dsn, self._cursor = options, dsn, cursor
        self.where, self.asked = masked(dsn), asked_of(options)
        for setting in _SETTINGS:
            self._arrow(setting, fetch=False)
        schema = self._arrow(f"SELECT * FROM {self.asked} LIMIT 0").schema
        self.kinds = {field.name: (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in schema}
        if len(self.kinds) < len(schema):
            raise DataError.bad_query(options.name, self.where, "two columns have the same name")

    def table(self, query: str) -> pl.DataFrame:
        """What a query gives. Grain: one row of the answer. Time: as the database has it."""
        import polars as pl

        table = pl.from_arrow(self._arrow(query))
        return table if isinstance(table, pl.DataFrame) else table.to_frame()

    def rows(self, condition: str, names: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows that fulfil a condition. Grain: one row of what is asked. Time: as the database has it."""
        kinds = {name: self.kinds[name] for name in names or self.kinds}
        self._are_moments(condition, [name for name, kind in kinds.items() if kind in _TIMES])
        made = [
            quoted(name) if kind in _AS_THEY_ARE else f"{quoted(name)}::text AS {quoted(name)}"
            for name, kind in kinds.items()
        ]
        table = self.table(f"SELECT {', '.join(made)} FROM {self.asked} WHERE {condition}")
        if self._options.decimals == "text":
            return table
        return table.with_columns(self._number(table[name]) for name, kind in kinds.items() if kind == "numeric")

    def at_least(self, name: str, value: object, zone: str | None) -> str | None:
        """A condition that holds at least where a column is a value or more, or None where none can be written."""
        kind, column = self.kinds[name], quoted(name)
        if isinstance(value, datetime) and value.tzinfo is not None and kind in ("timestamp", "date"):
            if zone is None:
                return None
            value = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if isinstance(value, datetime) and kind in _TIMES:
            return f"{column} >= {_CASTS[kind]} '{value.isoformat()}'"
        if isinstance(value, date) and kind == "date":
            return f"{column} >= DATE '{value.isoformat()}'"
        if isinstance(value, str) and kind in ("text", "varchar"):
            return f'{column} COLLATE "C" >= {text_literal(value)}'
        if isinstance(value, int) and kind in ("int2", "int4", "int8"):
            return f"{column} >= {value}"
        return None

    def inside(self, options: SqlOptions, window: Window) -> str:
        """A condition that holds at least for every row of the window."""
        name = options.time
        if name is None or self.kinds[name] not in _TIMES:
            return "true"
        column, kind = quoted(name), self.kinds[name]
        # a local time is compared a day farther out; which rows are inside is decided on the UTC line
        beyond, word = (timedelta(), "TIMESTAMPTZ") if kind == "timestamptz" else (_ZONES, "TIMESTAMP")
        ends = [f"{column} < {word} '{_written(window.end + beyond, word)}'"]
        if window.start is not None:
            ends.append(f"{column} >= {word} '{_written(window.start - beyond, word)}'")
        return f"({' AND '.join(ends)} OR {column} IS NULL)"

    def _are_moments(self, condition: str, times: Sequence[str]) -> None:
        """Refuses times that no calendar of Python or of a model's library can hold."""
        if not times:
            return
        counts = []
        for name in times:
            column = quoted(name)
            outside = f"{column} < '0001-01-01' OR {column} >= '10000-01-01'"
            counts.append(f"count(*) FILTER (WHERE NOT isfinite({column}) OR {outside}) AS {column}")
        found = self.table(f"SELECT {', '.join(counts)} FROM {self.asked} WHERE {condition}").row(0, named=True)
        for name, count in found.items():
            if count:
                way_out = f"ask for nullif({name}, 'infinity'), or for the years you mean, in a query"
                why = f"column {name}: {count} values are infinity or not of the years 1 to 9999; {way_out}"
                raise DataError.bad_query(self._options.name, self.where, why)

    def _number(self, texts: pl.Series) -> pl.Series:
        import polars as pl

        digits = texts.str.replace_all(r"[-.]", "").str.strip_chars_start("0").str.strip_chars_end("0").str.len_chars()
        exact = texts.str.contains(r"^-?[0-9.]+$") & (digits <= _DIGITS)
        sizes = texts.cast(pl.Float64, strict=False).abs()
        exact &= (digits == 0) | sizes.is_between(_SMALLEST, _LARGEST)
        wrong = texts.filter(~exact.fill_null(True))
        if len(wrong):
            example = f"{len(wrong)} numbers, such as {wrong[0]}"
            why = f"column {texts.name}: a float would change {example}; set decimals: text"
            raise DataError.bad_query(self._options.name, self.where, why)
        return texts.cast(pl.Float64)

    def _arrow(self, query: str, fetch: bool = True) -> Any:
        import adbc_driver_manager
        import pyarrow as pa

        try:
            self._cursor.execute(query)
            return whole(self._cursor.fetch_arrow_table()) if fetch else None
        except (adbc_driver_manager.Error, OSError, pa.ArrowException) as error:
            why, state = without_password(self._dsn, error), getattr(error, "sqlstate", None)
            if state is None or state.startswith(_AWAY):
                raise ExternalError.database(self.where, why) from None
            raise DataError.bad_query(self._options.name, self.where, why) from None


def _written(moment: datetime, word: str) -> str:
    naive = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{naive}+00" if word == "TIMESTAMPTZ" else naive


@contextmanager
def postgres(options: SqlOptions, dsn: str) -> Iterator[Postgres]:
    """An open transaction of the PostgreSQL that a dsn names; it is rolled back in the end.

    Raises:
        DataError: The database does not have what is asked.
        ExternalError: It does not answer; the message has no password.
    """
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as driver

    try:
        connection = driver.connect(conninfo(dsn, options.timeout_s))
    except adbc_driver_manager.Error as error:
        raise ExternalError.database(masked(dsn), without_password(dsn, error)) from None
    with closing(connection), closing(connection.cursor()) as cursor:
        yield Postgres(options, dsn, cursor)
