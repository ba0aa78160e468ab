"""What a table tells about itself: types, keys, times, units, persons, kind of data. Every guess says its evidence.

One pass over a collected table. Nothing here is certain: a profile is the draft that people correct.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, Literal

from mlctl.drafts import guesses

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["text", "integer", "number", "boolean", "time", "date", "other"]

FEW_VALUES: Final = 20
_FREE_TEXT_CHARACTERS: Final = 40
_CODE_CHARACTERS: Final = 3
_SAMPLE: Final = 5000
_SAME_VALUES_MOST: Final = 1000
_QUANTILES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)

# `paid` and `valid` end in `id` too
_KEY_NAME: Final = (
    r"(^|_)(id|key|uuid|guid|nr|no)$|number$|^row$"
    r"|(user|customer|client|member|account|person|household|order|item|product|article|movie|store|session|device)id$"
)
_EPOCH: Final = "%s"
_ISO: Final = "iso"
_TIME_FORMATS: Final = {
    r"^[12][0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$": "%Y%m%d",
    r"^[0-9]{9,10}$": _EPOCH,
}


@dataclass(frozen=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: Its name.
        kind: The type of its values; `other` is nested, binary or a duration.
        dtype: That type as Polars names it.
        rows: Rows of the table.
        missing: Rows without a value.
        blanks: Rows whose text is empty or white space.
        unfit: Rows whose number is NaN or infinite.
        values: Different values.
        examples: The most frequent ones as text; none of a column that may be about a person.
        least: The smallest value as text, or None; so `most`.
        most: The largest value as text, or None.
        quantiles: Of numbers, the values below which 1, 25, 50, 75 and 99 % lie.
        sorted: Whether it rises or falls from row to row, as the rows were read.
        hours: Of times that have a time of day, rows at each of its 24 hours as written.
        unit: A guess of the unit, or None.
        personal: What it may say about a person, or None.
        time_format: The format of a text or number that stands for a time, or None.
        has_zone: Whether the times of a time column carry a zone.
        evidence: Why each guess was made, for people.
    """

    name: str
    kind: Kind
    dtype: str
    rows: int
    missing: int
    blanks: int
    unfit: int
    values: int
    examples: tuple[str, ...]
    least: str | None
    most: str | None
    quantiles: tuple[float, ...]
    sorted: Literal["rising", "falling"] | None
    hours: tuple[int, ...]
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
        """Whether its name is that of a key, and its type one that keys have."""
        return self.kind in ("text", "integer") and re.search(_KEY_NAME, snake(self.name)) is not None

    @property
    def is_money(self) -> bool:
        """Whether it seems to be an amount of money."""
        return self.unit in ("eur", "usd", "gbp", "cents") or any("money" in line for line in self.evidence)

    @property
    def is_code(self) -> bool:
        """Whether its values are few and short, so that somebody must say what they mean."""
        short = self.kind == "integer" or all(len(example) <= _CODE_CHARACTERS for example in self.examples)
        few = 2 < self.values <= FEW_VALUES and self.rows > FEW_VALUES * self.values
        return few and short and self.kind in ("integer", "text") and self.unit is None and not self.is_money

    @property
    def is_free_text(self) -> bool:
        """Whether its values are sentences, and so many that they are no categories."""
        return self.values > FEW_VALUES and any("free text" in line for line in self.evidence)


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
        same: Pairs of columns that say the same: `equal` values, or `one to one`.
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
    same: tuple[tuple[str, str, str], ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile of a column.

        Raises:
            KeyError: There is none of that name.
        """
        return {column.name: column for column in self.columns}[name]

    def record(self) -> dict[str, Any]:
        """The profile as JSON-ready data."""
        return asdict(self)


def profile(name: str, table: pl.DataFrame) -> TableProfile:
    """The profile of a collected table, its rows in the order in which they were read."""
    columns = tuple(_column(table[column]) for column in table.columns)
    duplicates = int(table.height - table.unique().height) if table.width else 0
    key = _key(table, columns, duplicates)
    time = _time(columns)
    entity = _entity(columns, key)
    kind, evidence = _kind_of_data(columns, key, time, entity, table.height)
    grain = (
        f"one row for each {' and '.join(key)}" if key else "no key-like column or pair of them tells the rows apart"
    )
    evidence = (grain, *evidence)
    if duplicates:
        evidence = (*evidence, f"{duplicates:,} rows repeat an earlier one in every column")
    same = tuple(_same(table, columns))
    return TableProfile(name, table.height, duplicates, columns, key, time, entity, kind, evidence, same)


def snake(text: str) -> str:
    """A column's name in lower case with underscores.

    >>> snake("customerID"), snake("capital-gain")
    ('customer_id', 'capital_gain')
    """
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()).strip("_")


def _column(values: pl.Series) -> ColumnProfile:
    import polars as pl

    there = values.drop_nulls()
    kind = _kind(values.dtype)
    if values.dtype.is_float():
        there = there.filter(there.is_finite())
    name = snake(values.name)
    # what is nested or binary has no text of its own
    texts = there.cast(pl.String, strict=False).drop_nulls() if kind != "other" else pl.Series(dtype=pl.String)
    sample = texts.head(_SAMPLE)
    time_format = _time_format(name, kind, texts)
    unit, person = guesses.unit(name, there), guesses.personal(name, sample)
    blanks = int((texts.str.strip_chars() == "").sum()) if kind == "text" else 0
    hours = _hours(there, kind, time_format)
    order = _order(there, kind)
    told = [_told_of_time(kind, time_format, hours), *_told_of_text(kind, sample), unit and unit.why]
    told += [person and person.why, order and f"{order} from row to row", f"{blanks:,} blank" if blanks else None]
    unfit = len(values) - values.null_count() - len(there)
    told.append(f"{unfit:,} NaN or infinite" if unfit else None)
    ordered = kind in ("integer", "number", "time", "date") and len(there) > 0 and person is None
    return ColumnProfile(
        name=values.name,
        kind=kind,
        dtype=str(values.dtype),
        rows=len(values),
        missing=values.null_count(),
        blanks=blanks,
        unfit=unfit,
        values=texts.n_unique() if kind != "other" else len(there),
        examples=() if person else _frequent(texts),
        least=str(there.min()) if ordered else None,
        most=str(there.max()) if ordered else None,
        quantiles=_quantiles(there) if ordered and kind in ("integer", "number") else (),
        sorted=order,
        hours=hours,
        unit=unit.word if unit else None,
        personal=person.word if person else None,
        time_format=time_format,
        has_zone=getattr(values.dtype, "time_zone", None) is not None or time_format == _EPOCH or _has_offset(sample),
        evidence=tuple(line for line in told if line),
    )


def _kind(dtype: pl.DataType) -> Kind:
    import polars as pl

    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Date:
        return "date"
    if isinstance(dtype, pl.Datetime):
        return "time"
    return "text" if isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null) else "other"


def _frequent(texts: pl.Series) -> tuple[str, ...]:
    import polars as pl

    # equally frequent ones stand in the order of the alphabet: the same input gives the same draft
    counts = (
        texts.alias("text").value_counts(name="rows").sort(pl.col("rows"), pl.col("text"), descending=[True, False])
    )
    return tuple(counts["text"].head(3).to_list())


def _quantiles(there: pl.Series) -> tuple[float, ...]:
    return tuple(float(there.quantile(share) or 0.0) for share in _QUANTILES)


def _order(there: pl.Series, kind: Kind) -> Literal["rising", "falling"] | None:
    if kind not in ("integer", "number", "time", "date") or len(there) < 3 or there.n_unique() < 3:
        return None
    if there.is_sorted():
        return "rising"
    return "falling" if there.is_sorted(descending=True) else None


def _hours(there: pl.Series, kind: Kind, time_format: str | None) -> tuple[int, ...]:
    """Rows at each hour of the day as written; empty for days without a time of day."""
    import polars as pl

    if not len(there):
        return ()
    if kind == "time":
        hours = there.dt.hour()
    elif time_format == _EPOCH:
        hours = pl.select(pl.from_epoch(there.cast(pl.Int64), time_unit="s").dt.hour()).to_series()
    elif time_format == _ISO and there.str.len_chars().max() != len("2026-11-01"):
        hours = there.str.slice(11, 2).cast(pl.Int8, strict=False)
    else:
        return ()
    counts = dict(hours.drop_nulls().alias("hour").value_counts(name="rows").iter_rows())
    return tuple(int(counts.get(hour, 0)) for hour in range(24))


def _time_format(name: str, kind: Kind, texts: pl.Series) -> str | None:
    """The format of texts and numbers that stand for times; ISO 8601 is `iso`."""
    if not texts.len() or kind not in ("text", "integer"):
        return None
    for pattern, form in _TIME_FORMATS.items():
        if re.search(r"date|day|time|_at$|^ts$", name) and texts.str.contains(pattern).all():
            return form
    if (
        kind == "text"
        and texts.str.contains(r"^[12][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9].*)?$").all()
    ):
        return _ISO
    return None


def _has_offset(sample: pl.Series) -> bool:
    return len(sample) > 0 and bool(sample.str.contains(r"^.{10}[T ].*(?:[Zz]|[+-][0-9]{2}:?[0-9]{0,2})$").all())


def _told_of_time(kind: Kind, time_format: str | None, hours: tuple[int, ...]) -> str | None:
    told = {_EPOCH: "every value reads as seconds since 1970", _ISO: "every value is an ISO 8601 time", None: ""}
    text = told.get(time_format, f"every value reads as a day by {time_format}")
    if hours and hours[0] == sum(hours):
        text = f"{text}; at midnight only: days without a time of day".removeprefix("; ")
    elif hours and (zone := guesses.zone(hours)):
        text = f"{text}; {zone}".removeprefix("; ")
    return text or None


def _told_of_text(kind: Kind, sample: pl.Series) -> list[str]:
    if kind != "text" or not sample.len():
        return []
    length = float(sample.str.len_chars().mean() or 0.0)  # type: ignore[arg-type]
    told = [f"free text: {length:.0f} characters on average"] if length >= _FREE_TEXT_CHARACTERS else []
    if sample.str.contains(r"^0[0-9]").any():
        told.append("leading zeros: it is a code and no number")
    return told


def _same(table: pl.DataFrame, columns: Sequence[ColumnProfile]) -> Iterator[tuple[str, str, str]]:
    """Pairs of columns that hold equal values, or values of which each stands for one of the other's."""
    varied = [c for c in columns if c.values > 2 and c.kind != "other"]
    for left, right in combinations(varied, 2):
        if (left.values, left.missing) != (right.values, right.missing):
            continue
        if left.dtype == right.dtype and table[left.name].eq_missing(table[right.name]).all():
            yield left.name, right.name, "equal"
        elif left.values <= min(_SAME_VALUES_MOST, left.rows / 2) and _one_to_one(table, left, right):
            yield left.name, right.name, "one to one"


def _one_to_one(table: pl.DataFrame, left: ColumnProfile, right: ColumnProfile) -> bool:
    return table.select(left.name, right.name).n_unique() == left.values + (left.missing > 0)


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
    return "tabular", ()
