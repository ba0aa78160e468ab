"""What a table said last about the entity before `as_of`: a plan, a country, an age.

Use it for slowly changing tables (one with a time column gives the row in force at `as_of`) and for plain tables with
one row per entity. Not for events: aggregate those.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mlctl.features import FeatureOptions, Form


class Options(FeatureOptions):
    """Options of a lookup."""

    form: ClassVar[Form] = "lookup"

    kind: Literal["lookup"] = Field(default="lookup", description="lookup")
    source: str = Field(description="source that holds the entity's key")
    column: str | None = Field(
        default=None, description="the column to look up; the feature has the name of its YAML key"
    )
    columns: tuple[str, ...] | Literal["all"] | None = Field(
        default=None,
        description="several columns, or all but key, time and label; each feature has its column's name in snake case",
    )
    exclude: tuple[str, ...] = Field(default=(), description="columns left out of `columns: all`")

    @model_validator(mode="after")
    def _one_way_to_name(self) -> Options:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either `column` or `columns`")
        if self.exclude and self.columns != "all":
            raise ValueError("`exclude` belongs to `columns: all`")
        return self


EXAMPLE = {"kind": "lookup", "source": "customers", "column": "plan"}
