"""The objects of NDJSON files, and tables of them whose types all values have."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl.errors import DataError, first_line
from mlctl.sources._files import FileOptions, Piece, other_format

if TYPE_CHECKING:
    import polars as pl

_WHOLE: Final = 2**63
_EXACT: Final = 2**53  # whole numbers up to here are exact as a float
_BOM: Final = b"\xef\xbb\xbf"


class Objects(NamedTuple):
    """One file's objects.

    Attributes:
        file: The file.
        rows: Its objects, in its order.
        lines: The line of each object, from 1.
        counted: Lines that are not blank.
    """

    file: Piece
    rows: list[dict[str, Any]]
    lines: Sequence[int]
    counted: int


def objects_of(options: FileOptions, file: Piece) -> Objects:
    """One file's objects.

    Raises:
        DataError: A line is no JSON object, or holds what cannot be kept.
    """
    data = file.data().removeprefix(_BOM)
    known = other_format(data)
    if not data or known:
        raise _refused(options, file, f"it is {known}" if known else "it has no bytes")
    rows: list[dict[str, Any]] = []
    lines: array[int] = array("q")
    parts = data.split(b"\n")
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
    )
    for number, part in enumerate(parts, 1):
        if not part.strip():
            continue
        try:
            text = part.decode().strip()
            row = decoder.decode(text)
            if "\\u" in text:
                json.dumps(row, ensure_ascii=False).encode()
        except UnicodeError as error:
            raise _refused(options, file, f"line {number} is not UTF-8: {first_line(error)}") from error
        except json.JSONDecodeError as error:
            last = " (the last line: was the file cut off?)" if number == len(parts) else ""
            why = f"line {number} is no JSON at character {error.pos + 1}: {error.msg.lower()}{last}"
            raise _refused(options, file, why) from error
        except (ValueError, RecursionError) as error:
            raise _refused(options, file, f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise _refused(options, file, f"line {number} is {_word(row)} and no object")
        rows.append(row)
        lines.append(number)
    return Objects(file, rows, lines, sum(1 for part in parts if part.strip()))


def tables_of(options: FileOptions, read: Sequence[Objects]) -> list[pl.DataFrame]:
    """A table of each file; a column has one type in all of them.

    Grain: one object of the file, in its order. Time: as the file has it.

    Raises:
        DataError: A column has values of types that do not go together.
    """
    import polars as pl

    types: dict[str, Any] = {}
    places: dict[str, str] = {}
    # a plain value of a type that its column has had already changes nothing
    seen: set[tuple[str, type, bool]] = set()
    for part in read:
        for row, line in zip(part.rows, part.lines, strict=True):
            for name, value in row.items():
                kind = (name, type(value), type(value) is int and not -_EXACT <= value <= _EXACT)
                if kind in seen:
                    continue
                if not isinstance(value, dict | list):
                    seen.add(kind)
                known = types.get(name, pl.Null())
                merged = _merged(known, _type_of(value))
                if merged is None:
                    why = f"{name} is {_word(value)} on line {line}, and does not go together with {places[name]}"
                    raise _refused(options, part.file, why)
                if merged != known:
                    places[name] = f"{_word(value)} on line {line} of {part.file.name}"
                types[name] = merged
    schema = {name: _final(dtype) for name, dtype in types.items()}
    empty = [name for name, dtype in schema.items() if dtype is None]
    if empty:
        raise _refused(options, read[0].file, f"{empty[0]} holds objects without a single key, which no table can keep")
    return [_table(part, schema) for part in read]


def _table(part: Objects, schema: dict[str, Any]) -> pl.DataFrame:
    import polars as pl

    here = dict.fromkeys(name for row in part.rows for name in row)
    made = [pl.Series(name, [row.get(name) for row in part.rows], dtype=schema[name]) for name in here]
    return pl.DataFrame(made) if made else pl.DataFrame(height=len(part.rows))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} comes twice")
    if "" in made:
        raise ValueError("a key is empty")
    return made


def _whole(text: str) -> int:
    value = int(text) if len(text) < 30 else _WHOLE
    if not -_WHOLE <= value < _WHOLE:
        raise ValueError(f"{text[:40]} does not fit into 64 bits; write it as a text")
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    if value == 0 and re.search(r"[1-9]", re.split("[eE]", text)[0]):
        raise ValueError(f"{text[:40]} is too small for a number")
    # a whole number that was written with a fraction, such as an id that went through a table of floats
    if abs(value) > _EXACT and Decimal(text) != Decimal(repr(value)):
        raise ValueError(f"{text[:40]} has more digits than a number holds; write it as a text")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON; write null")


def _type_of(value: object) -> Any:
    """The type of one value; Int32 stands for a whole number that a float can hold, Unknown for what has no type."""
    import polars as pl

    plain: dict[type, Any] = {type(None): pl.Null(), bool: pl.Boolean(), float: pl.Float64(), str: pl.String()}
    if type(value) in plain:
        return plain[type(value)]
    if isinstance(value, int):
        return pl.Int32() if -_EXACT <= value <= _EXACT else pl.Int64()
    if isinstance(value, dict):
        return pl.Struct({name: _type_of(item) for name, item in value.items()})
    inner: Any = pl.Null()
    for item in value if isinstance(value, list) else ():
        inner = _merged(inner, _type_of(item))
        if inner is None:
            return pl.Unknown()
    return pl.List(inner)


def _merged(one: Any, other: Any) -> Any:
    """The type that both fit into, or None."""
    import polars as pl

    if pl.Unknown() in (one, other):
        return None
    if one == other or pl.Null() in (one, other):
        return other if one == pl.Null() else one
    if pl.Int32() in (one, other) and {one, other} <= {pl.Int32(), pl.Int64(), pl.Float64()}:
        return other if one == pl.Int32() else one
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        inner = _merged(one.inner, other.inner)
        return None if inner is None else pl.List(inner)
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        fields, more = one.to_schema(), other.to_schema()
        merged = {name: _merged(fields.get(name, pl.Null()), more.get(name, pl.Null())) for name in {**fields, **more}}
        return None if None in merged.values() else pl.Struct(merged)
    return None


def _final(dtype: Any) -> Any:
    """The type with whole numbers of 64 bits; None where a struct has no field."""
    import polars as pl

    if dtype == pl.Int32():
        return pl.Int64()
    if dtype == pl.Null():
        return pl.String()
    if isinstance(dtype, pl.List):
        inner = _final(dtype.inner)
        return None if inner is None else pl.List(inner)
    if isinstance(dtype, pl.Struct):
        fields = {name: _final(field) for name, field in dtype.to_schema().items()}
        return None if not fields or None in fields.values() else pl.Struct(fields)
    return dtype


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"a number ({value!r})"
    if isinstance(value, str):
        return f"a text ({value[:40]!r})"
    if isinstance(value, dict):
        return "an object"
    return "null" if value is None else "a list"


def _refused(options: FileOptions, file: Piece, why: str) -> DataError:
    return DataError.not_of_kind(options.name, "ndjson", str(file), why)
