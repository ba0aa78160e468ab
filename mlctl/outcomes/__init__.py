"""Predictions and what became of them: each prediction with its label, as far as it is known by a moment.

The label is the project's own label plan, computed from the snapshot's tables as they were known: rows with an event
or knowledge time at or after `known_until` are not seen. An aggregate of the future is known once its whole horizon
has passed, never earlier: positives that show themselves early would otherwise count before the negatives can. A
looked-up label is known when its row is, and later corrections count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mlctl.plan import AS_OF, Plan, compile_plan
from mlctl.plan.compute import outcomes
from mlctl.spec import Project
from mlctl.times import duration

if TYPE_CHECKING:
    import polars as pl

LABEL: Final = "label"
KNOWN_AT: Final = "known_at"


def joined(
    project: Project, predictions: pl.DataFrame, tables: Mapping[str, pl.DataFrame], known_until: datetime
) -> pl.DataFrame:
    """Predictions with `label` and `known_at`; both null where the outcome is not known yet, or nobody tells it.

    A binary label is 1.0 or 0.0, one of several classes its name, a number as it is. `known_at` is the moment from
    which the label could be used.

    Args:
        project: Whose label plan holds: the release's own project, or the present one.
        predictions: Grain: one row per prediction: the entity's key and `as_of` (the moment that it is about), and any
            others, such as score, decision, variant and release, which stay as they are.
        tables: The checked tables by source.
        known_until: Labels that were not known strictly before it are null.

    Raises:
        DataError: A table lacks what the label reads.
    """
    import polars as pl

    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    source = project.label.source
    seen = {**tables, source: _known(plan, tables[source], source, known_until)}
    spine = predictions.select(pl.col(project.entity.key).cast(pl.String), pl.col(AS_OF).cast(pl.Datetime("us", "UTC")))
    if project.label.horizon is None:
        told = _looked_up(project, plan, seen, spine, known_until)
    else:
        told = _of_the_future(project, plan, seen, spine, known_until)
    return predictions.drop(LABEL, KNOWN_AT, strict=False).with_columns(told)


def _known(plan: Plan, table: pl.DataFrame, source: str, known_until: datetime) -> pl.DataFrame:
    """The rows of a table that were known before a moment."""
    import polars as pl

    place = plan.places[source]
    for time in filter(None, (place.time, place.known)):
        table = table.filter((pl.col(time) < known_until).fill_null(time == place.known))
    return table


def _of_the_future(
    project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame, known_until: datetime
) -> list[pl.Series]:
    """Labels of predictions whose whole horizon has passed, and when they were known: when the last row came."""
    import polars as pl

    horizon = duration(project.label.horizon or "")
    label = outcomes(project.label, plan, tables, spine)
    known = spine.select(_last_known(project, plan, tables[project.label.source], spine, horizon)).to_series()
    ripe = known <= known_until
    return [
        pl.select(pl.when(ripe).then(label)).to_series().alias(LABEL),
        pl.select(pl.when(ripe & label.is_not_null()).then(known)).to_series().alias(KNOWN_AT),
    ]


def _last_known(
    project: Project, plan: Plan, table: pl.DataFrame, spine: pl.DataFrame, horizon: timedelta
) -> pl.Series | pl.Expr:
    """[predictions] when the outcome was known: the horizon's end, or when the last row inside it came."""
    import polars as pl

    place, key, end = plan.places[project.label.source], project.entity.key, pl.col(AS_OF) + horizon
    if place.known is None or place.time is None:
        return end.alias(KNOWN_AT)
    rows = spine.with_row_index("/row").with_columns((pl.col(AS_OF) + horizon).alias("/end"))
    came = table.select(
        pl.col(key).cast(pl.String), pl.col(place.time).alias("/time"), pl.col(place.known).alias("/came")
    )
    inside = rows.join(came, on=key, how="inner").filter(
        (pl.col("/time") >= pl.col(AS_OF)) & (pl.col("/time") < pl.col("/end"))
    )
    last = inside.group_by("/row").agg(pl.col("/came").max())
    found = rows.join(last, on="/row", how="left", maintain_order="left")
    return (
        found.select(pl.max_horizontal("/end", pl.col("/came").cast(pl.Datetime("us", "UTC"))))
        .to_series()
        .alias(KNOWN_AT)
    )


def _looked_up(
    project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], spine: pl.DataFrame, known_until: datetime
) -> list[pl.Series]:
    """What the table says by now, and when it first said anything."""
    import polars as pl

    place, key = plan.places[project.label.source], project.entity.key
    now = spine.with_columns(pl.lit(known_until).cast(pl.Datetime("us", "UTC")).alias(AS_OF))
    label = outcomes(project.label, plan, tables, now)
    when = place.known or place.time
    table = tables[project.label.source].select(
        pl.col(key).cast(pl.String),
        (pl.lit(None) if when is None else pl.col(when)).cast(pl.Datetime("us", "UTC")).alias("/came"),
    )
    first = table.group_by(key).agg(pl.col("/came").min())
    came = (
        spine.join(first, on=key, how="left", maintain_order="left")
        .select(pl.max_horizontal("/came", AS_OF))
        .to_series()
    )
    return [label.alias(LABEL), pl.select(pl.when(label.is_not_null()).then(came)).to_series().alias(KNOWN_AT)]
