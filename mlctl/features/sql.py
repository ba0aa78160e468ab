"""An SQL expression over other features of the project, such as a ratio or a trend.

Use it for what is a function of features. A result that is not finite (a division by zero) is missing. Not for events:
put the condition into the aggregate's `where`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mlctl.features import FeatureOptions, Form


class Options(FeatureOptions):
    """Options of an expression."""

    form: ClassVar[Form] = "expression"

    kind: Literal["sql"] = Field(default="sql", description="sql")
    sql: str = Field(max_length=2000, description="SQL expression; its columns are features of this project")


EXAMPLE = {"kind": "sql", "sql": "spend_30d / nullif(spend_90d, 0)"}
