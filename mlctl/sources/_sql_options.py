"""What is said of a table in a database, but for its kind."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, model_validator

from mlctl.sources import SourceOptions
from mlctl.spec import holds_password

_LITERALS: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SELECT: Final = re.compile(r"\s*(?:select|with)\b[^;]*\Z", re.IGNORECASE)


class SqlOptions(SourceOptions):
    """What is said of a table in a database, but for its kind."""

    dsn: str = Field(
        repr=False, description="postgresql://... or sqlite:///FILE from the root; secrets by ${oc.env:NAME} only"
    )
    table: str | None = Field(
        default=None,
        pattern=r'^[^".;\s]+(\.[^".;\s]+)?$',
        description="table or view, such as orders or shop.orders",
    )
    query: str | None = Field(default=None, description="one SELECT, instead of a table; it runs read-only")
    decimals: Literal["number", "text"] = Field(
        default="number", description="what a numeric is: a number, refused where a float would change it; or its text"
    )
    watermark: str | None = Field(
        default=None, description="column that every change of a row moves up; later snapshots read from it on"
    )
    timeout_s: int = Field(default=10, ge=1, le=300, description="seconds to wait for a connection")

    @model_validator(mode="after")
    def _one_question(self) -> SqlOptions:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either a `table` or a `query`")
        if self.query is not None and not is_one_select(self.query):
            raise ValueError("`query` must be one SELECT (or WITH ... SELECT) without a semicolon")
        if self.watermark is not None and not self.key:
            raise ValueError("`watermark` needs the `key` by which a changed row takes the place of the old one")
        if holds_password(self.dsn):
            raise ValueError("`dsn` holds a password; put the whole dsn into the environment, `dsn: ${oc.env:NAME}`")
        return self


def is_one_select(query: str) -> bool:
    """Whether a query is one SELECT; what stands in quotes and comments does not matter.

    >>> is_one_select("select ';' as a -- one;"), is_one_select("select 1; drop table a"), is_one_select("delete")
    (True, False, False)
    """
    return _SELECT.match(_LITERALS.sub(" ", query)) is not None
