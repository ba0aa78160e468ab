"""The rows of a request, each value of the type that the release was trained on; or what is wrong, by field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import did_you_mean

if TYPE_CHECKING:
    import polars as pl

_WHOLE: Final = ("Int", "UInt")
_LARGEST: Final = 2**53
"""Whole numbers of JSON are exact below it, whoever reads them."""


class _Missing:
    """No value at all."""


class _Never:
    """The type of no value: values of such features are always looked at."""


_MISSING: Final = _Missing()


class Refused(Exception):
    """A request that cannot be answered: the client's fault (4xx), or too much at once (503).

    Attributes:
        status: The HTTP status.
        why: What is wrong, for people.
        field: Where in the request, such as `rows[2].plan`; empty when it is no field's fault.
        retry_after_s: When to come again; None where that does not help.
    """

    def __init__(self, status: int, why: str, field: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(why)
        self.status, self.why, self.field, self.retry_after_s = status, why, field, retry_after_s


@dataclass(frozen=True)
class Inputs:
    """What a row of a request holds.

    Attributes:
        schema: By feature, the Polars type that it has in the release's golden rows, such as `Float64` or `String`.
        key: The entity's key, which a row may name beside the features.
        most_rows: Most rows of a request.
    """

    schema: Mapping[str, str]
    key: str
    most_rows: int

    @cached_property
    def _usual(self) -> dict[str, tuple[type, str]]:
        """By feature the type that its values have when nothing needs to be looked at, and its kind."""
        types = {"String": str, "Boolean": bool, "Float64": float, "Float32": float}
        return {name: (types.get(kind, _Never), kind) for name, kind in self.schema.items()}

    def rows(self, said: Any) -> list[dict[str, Any]]:
        """The rows of a plain JSON body: an object is one row, an array several.

        Raises:
            Refused: 400 when it is neither, 413 when it holds too many rows, 422 when a value is wrong.
        """
        if isinstance(said, dict):
            return [self.row(said, "")]
        if not isinstance(said, list):
            raise Refused(400, f"the body is {_named(said)}; send an object for one row, an array for several")
        self.allow(len(said))
        for place, row in enumerate(said):
            if not isinstance(row, dict):
                raise Refused(422, f"a row is an object of features, not {_named(row)}", f"[{place}]")
        return [self.row(row, f"[{place}].") for place, row in enumerate(said)]

    def allow(self, rows: int) -> None:
        """Lets so many rows pass.

        Raises:
            Refused: There is none, or there are too many.
        """
        if rows == 0:
            raise Refused(422, "there is no row")
        if rows > self.most_rows:
            raise Refused(413, f"there are {rows:,} rows; at most {self.most_rows:,} are answered at once")

    def row(self, said: Mapping[str, Any], where: str) -> dict[str, Any]:
        """One row with every feature in its type.

        Raises:
            Refused: 422: a feature is missing or unknown, or a value has another type.
        """
        for name in said.keys() - self.schema.keys():
            if name != self.key:
                raise self.unknown(name, f"{where}{name}")
        row: dict[str, Any] = {}
        for name, (usual, kind) in self._usual.items():
            value = said.get(name, _MISSING)
            # the parser gives no number that is not finite, and most values are as they should be
            if type(value) is not usual:
                if value is _MISSING:
                    why = "the feature is missing; send null when its value is not known"
                    raise Refused(422, why, f"{where}{name}")
                value = self.value(value, kind, f"{where}{name}")
            row[name] = value
        if self.key in said:
            row[self.key] = self.key_value(said[self.key], f"{where}{self.key}")
        return row

    def value(self, value: Any, kind: str, where: str) -> Any:
        """A value in the type of its feature; None is "not known".

        Raises:
            Refused: 422: it has another type.
        """
        if value is None:
            return None
        read: Callable[[Any, str], Any] = _READ.get(kind, _whole if kind.startswith(_WHOLE) else _number)
        return read(value, where)

    def unknown(self, name: str, where: str) -> Refused:
        """A name that is no feature's, with the nearest that is one."""
        hint = did_you_mean(name, self.schema)
        return Refused(422, f"no such feature{'; ' + hint if hint else ''}", where)

    def table(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """The features of rows that were read. Grain: one row of a request. Time: the request's."""
        import polars as pl

        return pl.DataFrame(
            {name: [row[name] for row in rows] for name in self.schema},
            schema={name: getattr(pl, kind) for name, kind in self.schema.items()},
        )

    def key_text(self, value: Any, where: str) -> str:
        """A key as the store has it.

        Raises:
            Refused: 422: it is neither a text nor a whole number.
        """
        if value is None:
            raise Refused(422, "a key is a text or a whole number, not null", where)
        return str(self.key_value(value, where))

    def key_value(self, value: Any, where: str) -> Any:
        """A key as it was sent.

        Raises:
            Refused: 422: it is neither a text nor a whole number, nor null.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise Refused(422, f"a key is a text or a whole number, not {_named(value)}", where)
        return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(422, f"wanted a number, not {_named(value)}", where)
    if not math.isfinite(value):
        raise Refused(422, "wanted a finite number; send null when it is not known", where)
    return float(value)


def _whole(value: Any, where: str) -> int:
    number = _number(value, where)
    if number != int(number) or abs(number) >= _LARGEST:
        raise Refused(422, f"wanted a whole number below 2**53, not {value!r}", where)
    return int(value)


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise Refused(422, f"wanted true or false, not {_named(value)}", where)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Refused(422, f"wanted a text, not {_named(value)}", where)
    return value


def _nothing(value: Any, where: str) -> None:
    raise Refused(422, f"training knew no value of it; send null, not {_named(value)}", where)


_READ: Final[Mapping[str, Callable[[Any, str], Any]]] = {"String": _text, "Boolean": _truth, "Null": _nothing}


def _named(value: Any) -> str:
    """What a JSON value is, for people."""
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        str: "a text",
        dict: "an object",
        list: "an array",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), type(value).__name__)
