"""From files to a draft: sources, a contract that the data fulfils, guesses about columns, and open questions."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.errors import ConfigError, DataError, first_line, listed
from mlctl.profile import FEW_VALUES, Join, TableProfile, joins, profile, snake
from mlctl.sources import Window

if TYPE_CHECKING:
    import polars as pl

_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_KIND_OF_ENDING: Final = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
_DELIMITERS: Final = ",;\t|"
_ENUM_MOST: Final = 12


@dataclass(frozen=True)
class Found:
    """One table that was looked at.

    Attributes:
        source: What stands under `sources:` for it.
        table: Its rows, without a time column placed on the UTC line.
        profile: What it tells about itself.
    """

    source: Mapping[str, Any]
    table: pl.DataFrame
    profile: TableProfile


@dataclass(frozen=True)
class Draft:
    """What discovery makes of several tables: by name, and how they may be joined."""

    tables: Mapping[str, Found]
    joins: tuple[Join, ...]

    def sources(self) -> dict[str, Any]:
        """The section `sources:`."""
        return {name: dict(found.source) for name, found in self.tables.items()}

    def checks(self) -> dict[str, Any]:
        """The section `checks:`: a contract that these very rows fulfil."""
        return {name: _contract(name, found.profile) for name, found in self.tables.items()}

    def questions(self) -> list[str]:
        """What only the owning team can answer."""
        return [question for found in self.tables.values() for question in _questions(found)]

    def record(self) -> dict[str, Any]:
        """The draft as JSON-ready data."""
        return {
            "format_version": "1.0",
            "sources": self.sources(),
            "checks": self.checks(),
            "profiles": {name: found.profile.record() for name, found in self.tables.items()},
            "joins": [vars(join) for join in self.joins],
            "questions": self.questions(),
        }


def discover(paths: Sequence[str], time: str | None = None) -> Draft:
    """Looks at files and folders.

    Args:
        paths: CSV or Parquet files, or folders of them.
        time: The column of the event time, where it is not to be guessed.

    Raises:
        ConfigError: A path has no known ending, or two have one name.
        DataError: A file is absent or cannot be read.
    """
    tables: dict[str, Found] = {}
    for path in paths:
        found = _look_at(path, time)
        name = found.profile.name
        if name in tables:
            raise ConfigError.bad_override(path, f"two tables would be named {name!r}; rename a file")
        tables[name] = found
    linked = joins({n: f.table for n, f in tables.items()}, [found.profile for found in tables.values()])
    return Draft(tables, tuple(linked))


def _look_at(path: str, time: str | None) -> Found:
    name, source = _source(path)
    table = _rows(name, source)
    told = profile(name, table)
    chosen = time if time in table.columns else told.time
    draft = {key: value for key, value in source.items() if key != "name"}
    if told.key:
        draft["key"] = list(told.key)
    if chosen is not None:
        column = told.column(chosen)
        draft["time"] = chosen
        if column.time_format not in (None, "iso"):
            draft["time_format"] = column.time_format
        if not column.has_zone:
            draft["time_zone"] = "UTC"
    codes = [c.name for c in told.columns if c.kind == "integer" and c.names_a_key and c.name != chosen]
    if source["kind"] == "csv" and codes:
        draft["types"] = dict.fromkeys(codes, "text")
    draft["notes"] = _notes(told)
    if not draft["notes"]:
        del draft["notes"]
    return Found(draft, table, told)


def _source(path: str) -> tuple[str, dict[str, Any]]:
    place = Path(path)
    files = (
        sorted(file for file in place.iterdir() if file.suffix.lower() in _KIND_OF_ENDING)
        if place.is_dir()
        else [place]
    )
    name = snake(place.stem) or "table"
    name = name if not name[0].isdigit() else f"_{name}"
    if not files or not files[0].is_file():
        raise DataError.missing_file(name, path)
    kind = _KIND_OF_ENDING.get(files[0].suffix.lower())
    if kind is None:
        why = f"its ending is none of {listed(_KIND_OF_ENDING)}"
        raise ConfigError.bad_override(path, why)
    source: dict[str, Any] = {"kind": kind, "path": path, "name": name}
    if kind == "csv":
        encoding = _encoding(files[0])
        if encoding != "utf-8":
            source["encoding"] = encoding
        delimiter = _delimiter(files[0], encoding)
        if delimiter != ",":
            source["delimiter"] = delimiter
    return name, source


def _encoding(file: Path) -> str:
    data = file.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(file: Path, encoding: str) -> str:
    with file.open(encoding=encoding, errors="replace") as stream:
        lines = [line for line in (stream.readline() for _ in range(5)) if line.strip()]
    if not lines:
        return ","
    return max(_DELIMITERS, key=lambda mark: (min(line.count(mark) for line in lines), mark == ","))


def _rows(name: str, source: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    try:
        options = kinds.options("sources", source)
        return kinds.load("sources", options.kind).scan(options, Window(None, _END)).collect()  # type: ignore[no-any-return]
    except pl.exceptions.PolarsError as error:
        raise DataError.not_of_kind(name, source["kind"], source["path"], first_line(error)) from error


def _notes(told: TableProfile) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    for column in told.columns:
        note: dict[str, Any] = {"unit": column.unit} if column.unit else {}
        if column.personal:
            note["pii"] = True
        if note:
            notes[column.name] = note
    return notes


def _contract(name: str, told: TableProfile) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for column in told.columns:
        text_key = column.kind == "integer" and column.names_a_key
        rule: dict[str, Any] = {"type": "text" if text_key else column.kind}
        if column.is_time or column.kind in ("date", "time"):
            rule = {"type": "time"} if column.name == told.time else {}
        if column.missing == 0:
            rule["nullable"] = False
        if column.kind == "text" and 1 < column.values <= _ENUM_MOST and column.rows > FEW_VALUES * column.values:
            rule["one_of"] = "all"
        if (
            column.kind in ("integer", "number")
            and column.least is not None
            and float(column.least) >= 0
            and not text_key
        ):
            rule["min"] = 0
        if rule:
            columns[column.name] = rule
    return {"kind": "columns", "source": name, "severity": "quarantine", "columns": columns}


def _questions(found: Found) -> list[str]:
    told, asked = found.profile, []
    name = told.name
    if told.time is None:
        asked.append(f"{name}: it has no time. Since when is each row true, and are old rows changed?")
    elif not told.column(told.time).has_zone:
        asked.append(f"{name}.{told.time}: the times carry no zone. In which zone were they written? (UTC is a guess)")
    if told.time is not None:
        asked.append(f"{name}: how long after {told.time} does a row arrive? Which column says when it was loaded?")
    if not told.key:
        asked.append(f"{name}: no column or pair of columns identifies a row. What does?")
    if told.duplicates:
        asked.append(
            f"{name}: {told.duplicates:,} rows repeat others exactly. Are they delivered twice, or two events?"
        )
    for column in told.columns:
        if column.is_constant:
            asked.append(f"{name}.{column.name}: it has one value only. Was it ever another?")
        if column.unit is None and any("currency" in line for line in column.evidence):
            asked.append(f"{name}.{column.name}: in which currency, before or after tax and returns?")
        if column.personal is not None:
            asked.append(
                f"{name}.{column.name}: it may be a person's {column.personal}. May it be used, and how long kept?"
            )
        if (
            column.kind in ("integer", "number")
            and column.least == "0"
            and column.missing == 0
            and column.values > FEW_VALUES
        ):
            asked.append(f"{name}.{column.name}: does 0 mean none, or not known?")
    asked.append(f"{name}: who owns it, how often is it delivered, and when are rows deleted?")
    return asked
