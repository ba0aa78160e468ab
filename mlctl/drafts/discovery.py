"""From files to a draft: sources, a contract that the data fulfils, guesses about columns, and open questions."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.drafts.joins import Join, joins
from mlctl.drafts.profile import FEW_VALUES, ColumnProfile, TableProfile, profile, snake
from mlctl.drafts.questions import questions, questions_of_joins
from mlctl.errors import ConfigError, DataError, first_line, listed
from mlctl.sources import Window, must_not_be_too_wide

if TYPE_CHECKING:
    import polars as pl

_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
_KIND_OF_ENDING: Final = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
}
_DELIMITERS: Final = ",;\t|"
_ENUM_MOST: Final = 12
_BEGINNING_CHARACTERS: Final = 100_000


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
    """What discovery makes of several tables.

    Attributes:
        tables: Each table, by name.
        joins: How they may be joined.
        refused: Files of a folder that could not be read, and why.
    """

    tables: Mapping[str, Found]
    joins: tuple[Join, ...]
    refused: Mapping[str, str]

    def with_entity(self, entity: str, row_key: bool = False) -> Draft:
        """The draft for a project that decides about `entity`: a number that names it is read as the text it is.

        Args:
            entity: The column of whom is decided about.
            row_key: Whether the column is not there and the rows are to be numbered.
        """
        tables = {}
        for name, found in self.tables.items():
            source = dict(found.source)
            numbered = entity in found.table.columns and found.profile.column(entity).kind == "integer"
            if row_key:
                source["row_key"] = entity
            elif source["kind"] == "csv" and numbered:
                source["types"] = {**source.get("types", {}), entity: "text"}
            tables[name] = replace(found, source=source)
        return replace(self, tables=tables)

    def sources(self) -> dict[str, Any]:
        """The section `sources:`."""
        return {name: dict(found.source) for name, found in self.tables.items()}

    def checks(self) -> dict[str, Any]:
        """The section `checks:`: a contract that these very rows fulfil."""
        return {name: _contract(name, found) for name, found in self.tables.items()}

    def questions(self) -> list[str]:
        """What only the owning team can answer."""
        asked = [question for found in self.tables.values() for question in questions(found.profile, found.source)]
        unread = [f"{path}: it cannot be read: {why}. How is it meant?" for path, why in self.refused.items()]
        return asked + questions_of_joins(self.joins) + unread

    def record(self) -> dict[str, Any]:
        """The draft as JSON-ready data."""
        return {
            "format_version": "1.0",
            "sources": self.sources(),
            "checks": self.checks(),
            "profiles": {name: found.profile.record() for name, found in self.tables.items()},
            "joins": [vars(join) for join in self.joins],
            "questions": self.questions(),
            "refused": dict(self.refused),
        }


def discover(paths: Sequence[str], time: str | None = None) -> Draft:
    """Looks at files and folders.

    Args:
        paths: Files of a known kind, folders of them (one table when their columns are the same, else a table a file)
            or URIs.
        time: The column of the event time, where it is not to be guessed.

    Raises:
        ConfigError: A path has no known ending, or two have one name.
        DataError: A file is absent or cannot be read.
        ExternalError: An object store does not answer.
    """
    tables: dict[str, Found] = {}
    refused: dict[str, str] = {}
    for path in paths:
        for found in _look_at_all(path, time, refused):
            name = found.profile.name
            if name in tables:
                raise ConfigError.bad_argument(path, f"two tables would be named {name!r}; rename a file")
            tables[name] = found
    linked = joins({n: f.table for n, f in tables.items()}, [found.profile for found in tables.values()])
    return Draft(tables, tuple(linked), refused)


def _look_at_all(path: str, time: str | None, refused: dict[str, str]) -> list[Found]:
    """The tables of a path: a folder of parts is one, a folder of different tables is several.

    What cannot be read of the latter is written down in `refused`, unless nothing can.
    """
    place = Path(path)
    if not place.is_dir():
        return [_look_at(path, path, time)]
    files = sorted(file for file in place.iterdir() if file.suffix.lower() in _KIND_OF_ENDING)
    if not files:
        raise ConfigError.bad_argument(path, f"the folder holds no file that ends in {listed(_KIND_OF_ENDING, 9)}")
    if len(files) > 1 and len({file.suffix.lower() for file in files}) == 1:
        try:
            return [_look_at(path, str(files[0]), time)]
        except DataError:
            # not parts of one table; whichever of them cannot be read at all says so below
            pass
    found = []
    for file in files:
        try:
            found.append(_look_at(str(file), str(file), time))
        except DataError as error:
            refused[str(file)] = error.why or error.what
            if len(refused) == len(files):
                raise
    return found


def _look_at(path: str, file: str, time: str | None) -> Found:
    """One table at a path, of which `file` is one file."""
    name, source = _source(path, file)
    table = _rows(name, source)
    told = profile(name, table)
    draft = {key: value for key, value in source.items() if key != "name"}
    if told.key:
        draft["key"] = list(told.key)
    placed = _placed(name, source, told, time if time in table.columns else told.time)
    draft |= placed
    codes = [c.name for c in told.columns if c.kind == "integer" and c.names_a_key and c.name != draft.get("time")]
    if source["kind"] == "csv" and codes:
        draft["types"] = dict.fromkeys(codes, "text")
    notes = _notes(told)
    return Found({**draft, **({"notes": notes} if notes else {})}, table, told)


def _placed(name: str, source: Mapping[str, Any], told: TableProfile, time: str | None) -> dict[str, Any]:
    """What says where the times lie on the UTC line; nothing where a value of the column is no time after all."""
    if time is None:
        return {}
    column, placed = told.column(time), {"time": time}
    if column.time_format not in (None, "iso"):
        placed["time_format"] = str(column.time_format)
    if not column.has_zone:
        placed["time_zone"] = "UTC"
    try:
        _rows(name, {**source, **placed})
    except DataError:
        return {}
    return placed


def _source(path: str, file: str) -> tuple[str, dict[str, Any]]:
    """The name and the section of a source at a path; a file of it is opened to see encoding and delimiter."""
    first = Path(file)
    name = snake(Path(path).stem) or "table"
    name = name if not name[0].isdigit() else f"_{name}"
    kind = _KIND_OF_ENDING.get(first.suffix.lower())
    if kind is None:
        raise ConfigError.bad_argument(path, f"its ending is none of {listed(_KIND_OF_ENDING, 9)}")
    source: dict[str, Any] = {"kind": kind, "path": path, "name": name}
    if "://" in path:
        return name, source
    if not first.is_file():
        raise DataError.missing_file(name, path)
    if kind == "csv":
        encoding = _encoding(first)
        if encoding != "utf-8":
            source["encoding"] = encoding
        delimiter = _delimiter(first, encoding)
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
    """The mark that every line of the beginning has most often, outside of quotes."""
    with file.open(encoding=encoding, errors="replace", newline="") as stream:
        beginning = stream.read(_BEGINNING_CHARACTERS)
    # a name in quotes may hold marks and line ends of its own
    lines = [line for line in re.split(r"[\r\n]+", re.sub(r'"[^"]*(?:"|$)', "", beginning)) if line.strip()][:5]
    if not lines:
        return ","
    return max(_DELIMITERS, key=lambda mark: (min(line.count(mark) for line in lines), mark == ","))


def _rows(name: str, source: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    try:
        options = kinds.options("sources", source)
        rows: pl.LazyFrame = kinds.load("sources", options.kind).scan(options, Window(None, _END))
        must_not_be_too_wide(name, source["path"], len(rows.collect_schema()))
        return rows.collect()
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


def _contract(name: str, found: Found) -> dict[str, Any]:
    """A `columns` check that these very rows fulfil."""
    columns = {}
    for column in found.profile.columns:
        text = column.name in found.source.get("types", {})
        rule: dict[str, Any] = {}
        if column.name == found.source.get("time") or column.kind in ("time", "date"):
            rule["type"] = "time"
        elif text or (column.kind != "other" and not column.unfit and not column.dtype.startswith("Decimal")):
            rule["type"] = "text" if text else column.kind
        if column.missing == 0:
            rule["nullable"] = False
        if column.name in found.source.get("key", ()) and column.is_unique:
            rule["unique"] = True
        if not text and column.name != found.source.get("time"):
            rule |= _limits(column, found.table)
        columns[column.name] = rule
    return {"kind": "columns", "source": name, "severity": "quarantine", "columns": columns}


def _limits(column: ColumnProfile, table: pl.DataFrame) -> dict[str, Any]:
    """What values are allowed, where there are few or none is below zero; no value of a person stands in a contract."""
    rare = column.rows > FEW_VALUES * column.values
    if column.kind == "text" and 1 < column.values <= _ENUM_MOST and rare and column.personal is None:
        return {"one_of": sorted(str(value) for value in table[column.name].drop_nulls().unique())}
    if column.kind in ("integer", "number") and column.least is not None and not column.unfit:
        return {"min": 0} if float(column.least) >= 0 else {}
    return {}
