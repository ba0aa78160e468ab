"""What is said of CSV files, but for their kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mlctl.sources._files import FileOptions

Type = Literal["text", "integer", "number", "boolean", "time"]


class CsvOptions(FileOptions):
    """What is said of CSV files, but for their kind."""

    delimiter: str = Field(default=",", pattern=r"^[^\r\n]$", description="the one character between two values")
    quote: str | None = Field(
        default='"', pattern=r"^[^\r\n]$", description="the character around values; null: quotes are plain characters"
    )
    encoding: str = Field(default="utf-8", description="such as utf-8, latin-1, cp1252 or utf-16")
    skip: int = Field(default=0, ge=0, le=10_000, description="lines of titles before the header")
    header: bool | None = Field(
        default=None, description="whether the first record names the columns; they are said together with names"
    )
    names: tuple[str, ...] = Field(default=(), description="names of all columns, instead of those of the header")
    decimal: Literal[".", ","] = Field(default=".", description="the character before the fraction of a number")
    thousands: str | None = Field(
        default=None, pattern=r"^[.,' _\u00a0\u202f]$", description="the character between groups of three digits"
    )
    missing: tuple[str, ...] = Field(
        default=("",), description="values that mean missing, such as NA; blanks do not count"
    )
    absent: Literal["refuse", "missing"] = Field(
        default="refuse", description="a column that some files do not have: refuse them, or missing in their rows"
    )
    types: dict[str, Type] = Field(
        default_factory=dict, description="types of columns; others are found out; time obeys time_zone and time_format"
    )

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> CsvOptions:
        if self.header is False and not self.names:
            raise ValueError("`header: false` needs the `names` of the columns")
        if self.header is None and self.names:
            # a guess would lose a row, or make one of a header
            raise ValueError("`names` need `header`: false where the first record is a row, true where it is none")
        if len(set(self.names)) != len(self.names) or not all(name.strip() for name in self.names):
            raise ValueError("`names` must all be there, each once")
        if self.quote == self.delimiter or self.decimal == self.thousands:
            raise ValueError("`quote` and `delimiter`, `decimal` and `thousands` must be different characters")
        return self
