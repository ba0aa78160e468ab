"""Which events of the label's source say that a user had an item: for what is learnt, and for what judges a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlctl.errors import DataError
from mlctl.spec import Project

if TYPE_CHECKING:
    import polars as pl

USER: Final = "user"
TIME: Final = "time"


def events_of(project: Project, item: str, table: pl.DataFrame) -> pl.DataFrame:
    """The events that fulfil `label.where`.

    Grain: one event: `USER` and the item as text, and `TIME`, Datetime(us, UTC).

    Args:
        project: Whose label it is.
        item: The item's key.
        table: The label's source.

    Raises:
        DataError: A column is missing, or `label.where` cannot be computed.
    """
    import polars as pl

    label, time = project.label, str(project.sources[project.label.source].time_column())
    for column in (project.entity.key, item, time):
        if column not in table.columns:
            raise DataError.missing_column(label.source, column, table.columns, "label")
    try:
        rows = table if label.where is None else table.filter(pl.sql_expr(label.where))
    except pl.exceptions.PolarsError as error:
        raise DataError.bad_expression("label.where", str(label.where), str(error).splitlines()[0]) from error
    return rows.select(
        pl.col(project.entity.key).cast(pl.String).alias(USER),
        pl.col(item).cast(pl.String).alias(item),
        pl.col(time).dt.cast_time_unit("us").alias(TIME),
    )
