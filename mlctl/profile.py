"""What a table tells about itself: types, keys, times, units, persons, kind of data. Every guess says its evidence.

One pass over a collected table. Nothing here is certain: a profile is the draft that people correct.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["text", "integer", "number", "boolean", "time", "date"]

FEW_VALUES: Final = 20
_FREE_TEXT_CHARACTERS: Final = 40
_SAMPLE: Final = 5000
_SHARE: Final = 0.98
_JOIN_SHARE: Final = 0.5

_PERSONAL_NAMES: Final = {
    "email": r"e_?mail",
    "phone": r"phone|mobile|fax",
    "name": r"(first|last|sur|family|given|full)_?name|^name$",
    "address": r"address|street|zip|postcode|postal",
    "birth date": r"birth|^dob$",
    "ip address": r"^ip$|ip_addr",
    "identity number": r"ssn|passport|national_id|tax_id",
}
_PERSONAL_VALUES: Final = {
    "email": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "iban": r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$",
    "ip address": r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$",
    "phone": r"^\+[0-9][0-9 ()/-]{6,}$",
}
_UNITS: Final = {
    "eur": r"(^|_)eur(o|os)?($|_)",
    "usd": r"(^|_)(usd|dollars?)($|_)",
    "percent": r"percent|pct",
    "s": r"(^|_)(s|sec|secs|seconds)$",
    "ms": r"(^|_)(ms|millis|milliseconds)$",
    "days": r"(^|_)days?$",
    "months": r"(^|_)(months?|tenure)$",
    "years": r"^age$|(^|_)years?$",
    "kg": r"(^|_)kg$",
}
_MONEY: Final = r"amount|price|cost|value|charge|salary|revenue|disc(ount)?$|sales"
_KEY_NAME: Final = r"(^|[a-z_])id$|_key$|uuid|number$|^row$"
_EPOCH: Final = "%s"
_TIME_FORMATS: Final = {
    r"^[12][0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$": "%Y%m%d",
    r"^[0-9]{9,10}$": _EPOCH,
}


@dataclass(frozen=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: Its name.
        kind: The type of its values.
        rows: Rows of the table.
        missing: Rows without a value.
        values: Different values.
        examples: Some of them, as text.
        least: The smallest value as text, or None.
        most: The largest value as text, or None.
        unit: A guess of the unit, or None.
        personal: What it may say about a person, or None.
        time_format: The format of a text or number that stands for a time, or None.
        has_zone: Whether the times of a time column carry a zone.
        evidence: Why each guess was made, for people.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    values: int
    examples: tuple[str, ...]
    least: str | None
    most: str | None
    unit: str | None
    personal: str | None
    time_format: str | None
    has_zone: bool
    evidence: tuple[str, ...]

    @property
    def is_time(self) -> bool:
        """Whether its values are moments or days."""
        return self.kind in ("time", "date") or self.time_format is not None

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.missing == 0 and self.values == self.rows and self.rows > 0

    @property
    def is_constant(self) -> bool:
        """Whether it never says anything."""
        return self.values <= 1

    @property
    def names_a_key(self) -> bool:
        """Whether its name is that of a key."""
        return re.search(_KEY_NAME, snake(self.name)) is not None

    @property
    def is_money(self) -> bool:
        """Whether it seems to be an amount of money."""
        return self.unit in ("eur", "usd") or any("money" in line for line in self.evidence)

    @property
    def is_free_text(self) -> bool:
        """Whether its values are sentences."""
        return self.kind == "text" and any("free text" in line for line in self.evidence)


@dataclass(frozen=True)
class TableProfile:
    """One table.

    Attributes:
        name: The source's name.
        rows: Rows.
        duplicates: Rows that repeat an earlier one in every column.
        columns: Its columns.
        key: The columns that identify a row, the fewest that do; empty when none do.
        time: The column of the event time, or None.
        entity: The column of whom the rows are about, or None.
        kind: tabular (a row an entity), event (rows over time), interaction (who met what, when) or text.
        evidence: Why, for people.
    """

    name: str
    rows: int
    duplicates: int
    columns: tuple[ColumnProfile, ...]
    key: tuple[str, ...]
    time: str | None
    entity: str | None
    kind: Literal["tabular", "event", "interaction", "text"]
    evidence: tuple[str, ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile of a column.

        Raises:
            KeyError: There is none of that name.
        """
        return {column.name: column for column in self.columns}[name]

    def record(self) -> dict[str, Any]:
        """The profile as JSON-ready data."""
        return asdict(self)


@dataclass(frozen=True)
class Join:
    """Two columns of two tables that hold the same things.

    Attributes:
        left: `table.column` of the many.
        right: `table.column` whose values are unique.
        left_share: Share of the left's values that the right knows.
        right_share: Share of the right's values that the left has.
        form: `n:1` or `1:1`.
    """

    left: str
    right: str
    left_share: float
    right_share: float
    form: str


def profile(name: str, table: pl.DataFrame) -> TableProfile:
    """The profile of a collected table."""
    columns = tuple(_column(table[column]) for column in table.columns)
    duplicates = int(table.height - table.unique().height)
    key = _key(table, columns, duplicates)
    time = _time(columns)
    entity = _entity(columns, key)
    kind, evidence = _kind_of_data(columns, key, time, entity, table.height)
    if duplicates:
        evidence = (*evidence, f"{duplicates:,} rows repeat an earlier one in every column")
    return TableProfile(name, table.height, duplicates, columns, key, time, entity, kind, evidence)


def joins(tables: Mapping[str, pl.DataFrame], profiles: Sequence[TableProfile]) -> list[Join]:
    """Columns of different tables that seem to hold the same things, best first."""
    found = []
    unique = [(p, column) for p in profiles for column in p.columns if column.is_unique and not column.is_time]
    for target, key in unique:
        ours = tables[target.name][key.name].cast(_text()).unique()
        for other in profiles:
            if other.name == target.name:
                continue
            for column in other.columns:
                if column.is_time or column.kind != key.kind or column.values < 2:
                    continue
                if snake(column.name) not in (snake(key.name), f"{target.name.removesuffix('s')}_{snake(key.name)}"):
                    continue
                theirs = tables[other.name][column.name].drop_nulls().cast(_text()).unique()
                shared = len(theirs) - len(theirs.filter(~theirs.is_in(ours.to_list())))
                share = shared / max(len(theirs), 1)
                if max(share, shared / len(ours)) >= _JOIN_SHARE:
                    form = "1:1" if column.is_unique else "n:1"
                    left, right = f"{other.name}.{column.name}", f"{target.name}.{key.name}"
                    found.append(Join(left, right, round(share, 3), round(shared / len(ours), 3), form))
    return sorted(found, key=lambda join: (-join.left_share, join.left, join.right))


def snake(text: str) -> str:
    """A column's name in lower case with underscores.

    >>> snake("customerID"), snake("capital-gain")
    ('customer_id', 'capital_gain')
    """
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()).strip("_")


def _text() -> Any:
    import polars as pl

    return pl.String


def _column(values: pl.Series) -> ColumnProfile:
    import polars as pl

    there = values.drop_nulls()
    dtype = values.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        there = there.cast(pl.String)
    kind: Kind = "text"
    if dtype == pl.Boolean:
        kind = "boolean"
    elif dtype.is_integer():
        kind = "integer"
    elif dtype.is_numeric():
        kind = "number"
    elif dtype == pl.Date:
        kind = "date"
    elif isinstance(dtype, pl.Datetime):
        kind = "time"
    sample = there.head(_SAMPLE).cast(pl.String, strict=False).drop_nulls()
    evidence: list[str] = []
    time_format = _time_format(values.name, kind, sample, evidence)
    ordered = kind in ("integer", "number", "time", "date") and len(there) > 0
    frequent = (
        there.value_counts(sort=True).head(3)[there.name].to_list() if there.len() and not dtype.is_nested() else []
    )
    if kind == "text" and sample.len() and _mean_length(sample) >= _FREE_TEXT_CHARACTERS:
        evidence.append(f"free text: {_mean_length(sample):.0f} characters on average")
    if kind == "text" and sample.str.contains(r"^0[0-9]").any():
        evidence.append("leading zeros: it is a code and no number")
    return ColumnProfile(
        name=values.name,
        kind=kind,
        rows=len(values),
        missing=values.null_count(),
        values=there.n_unique() if not dtype.is_nested() else len(there),
        examples=tuple(str(value) for value in frequent),
        least=str(there.min()) if ordered else None,
        most=str(there.max()) if ordered else None,
        unit=_unit(values.name, kind, there, evidence),
        personal=_personal(values.name, kind, sample, evidence),
        time_format=time_format,
        has_zone=(isinstance(dtype, pl.Datetime) and dtype.time_zone is not None) or time_format == _EPOCH,
        evidence=tuple(evidence),
    )


def _mean_length(sample: pl.Series) -> float:
    return float(sample.str.len_chars().mean() or 0.0)  # type: ignore[arg-type]


def _time_format(name: str, kind: Kind, sample: pl.Series, evidence: list[str]) -> str | None:
    """The format of texts and numbers that stand for times; ISO 8601 is `iso`."""
    if not sample.len() or kind not in ("text", "integer"):
        return None
    for pattern, form in _TIME_FORMATS.items():
        if sample.str.contains(pattern).all() and re.search(r"date|day|time|_at$|^ts$", snake(name)):
            evidence.append(
                "every value reads as seconds since 1970" if form == _EPOCH else f"every value reads as a day by {form}"
            )
            return form
    if (
        kind == "text"
        and sample.str.contains(r"^[12][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9].*)?$").all()
    ):
        evidence.append("every value is an ISO 8601 time")
        return "iso"
    return None


def _unit(name: str, kind: Kind, there: pl.Series, evidence: list[str]) -> str | None:
    if kind not in ("integer", "number") or not len(there):
        return None
    for unit, pattern in _UNITS.items():
        if re.search(pattern, snake(name)):
            evidence.append(f"unit {unit} by its name")
            return unit
    if re.search(r"share|ratio|rate|prob", snake(name)) and float(there.min()) >= 0 and float(there.max()) <= 1:  # type: ignore[arg-type]
        evidence.append("a share: by its name, and all values lie in 0 to 1")
        return "share"
    if re.search(_MONEY, snake(name)):
        evidence.append("money by its name; which currency?")
    return None


def _personal(name: str, kind: Kind, sample: pl.Series, evidence: list[str]) -> str | None:
    for what, pattern in _PERSONAL_VALUES.items():
        if kind == "text" and sample.len() and float(sample.str.contains(pattern).mean() or 0) >= _SHARE:  # type: ignore[arg-type]
            evidence.append(f"{what}: by its values")
            return what
    for what, pattern in _PERSONAL_NAMES.items():
        # a flag such as `phone_service` names no number
        if re.search(pattern, snake(name)) and sample.n_unique() > FEW_VALUES:
            evidence.append(f"{what}: by its name")
            return what
    return None


def _key(table: pl.DataFrame, columns: Sequence[ColumnProfile], duplicates: int) -> tuple[str, ...]:
    unique = [c for c in columns if c.is_unique and (c.names_a_key or c.kind == "text") and not c.is_free_text]
    if unique:
        return (min(unique, key=lambda c: not c.names_a_key).name,)
    if duplicates or table.height == 0:
        return ()
    likely = [c.name for c in columns if (c.names_a_key or c.is_time) and not c.missing][:6]
    for pair in combinations(likely, 2):
        if table.select(pair).n_unique() == table.height:
            return pair
    return ()


def _time(columns: Sequence[ColumnProfile]) -> str | None:
    times = [column for column in columns if column.is_time]
    if not times:
        return None
    likely = [c for c in times if re.search(r"time|date|_at$|^ts$|stamp", snake(c.name))] or times
    return min(likely, key=lambda column: (column.missing, -column.values)).name


def _entity(columns: Sequence[ColumnProfile], key: tuple[str, ...]) -> str | None:
    """The id with the most of a person or thing about it: of a table of persons its key, of events the repeated one."""
    if len(key) == 1:
        others = [c for c in columns if c.names_a_key and c.name != key[0] and 1 < c.values < c.rows]
        people = [
            c for c in others if re.search(r"customer|user|household|client|member|account|person", snake(c.name))
        ]
        return people[0].name if people else key[0]
    ids = [c for c in columns if c.names_a_key and c.values > 1]
    people = [c for c in ids if re.search(r"customer|user|household|client|member|account|person", snake(c.name))]
    return (people or ids)[0].name if ids else None


def _kind_of_data(
    columns: Sequence[ColumnProfile], key: tuple[str, ...], time: str | None, entity: str | None, rows: int
) -> tuple[Literal["tabular", "event", "interaction", "text"], tuple[str, ...]]:
    by_name = {column.name: column for column in columns}
    free = [column.name for column in columns if column.is_free_text]
    per = rows / by_name[entity].values if entity else 1.0
    if entity and time and per > 1.01:
        things = [c for c in columns if c.names_a_key and c.name != entity and 1 < c.values < rows]
        if things and any(re.search(r"rating|score|stars", snake(c.name)) for c in columns):
            return "interaction", (f"{per:.1f} rows for each {entity}, with {things[0].name} and a rating",)
        return "event", (f"{per:.1f} rows for each {entity}, at {time}",)
    if free and len(columns) <= 4:
        return "text", (f"{free[0]} is free text",)
    why = f"one row for each {entity}" if entity else "no column is a key: each row is one thing"
    return "tabular", (why,)
