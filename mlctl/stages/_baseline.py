"""What monitors will hold days against: sketches of rows that the model did not learn from, and what days were like.

Where features hang on time, the rows are everybody at the last days before the snapshot's end, scored as a batch would.
Where rows are divided otherwise, they are the rows that judge, with the scores that judged them; if the entity's own
table has a time, each day's entities are a day.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl import sketches
from mlctl.plan import Plan, compile_plan
from mlctl.plan.compute import compute, population
from mlctl.release import Release
from mlctl.sketches.sheet import scored_rows
from mlctl.sketches.shelf import day_of
from mlctl.spec import Project
from mlctl.stages._rows import part
from mlctl.stages.features import checked_tables
from mlctl.times import duration
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

_FEWEST_ROWS: Final = 30


def baseline(places: Places, release: Release, trained: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """The baseline of a release that is about to be sealed, as the text of its file.

    Raises:
        IntegrityError: An artefact is missing or damaged.
        DataError: A feature of an earlier day cannot be computed.
    """
    project = release.project
    as_of, tables = checked_tables(places, project)
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    own = evaluation["model"]
    learnt = sketches.Learnt(
        importance=_importance(trained["models"].get(own, {}).get("importance", {}), plan.names),
        texts=tuple(sorted(project.encoding.texts)),
        cohorts=project.cohorts,
        evaluation=_promised(project, evaluation["everybody"]["models"][own]),
        bins=project.baseline.bins,
        categories=project.baseline.categories,
    )
    days = _days_before(release, plan, tables, as_of) if project.split.over_time() else {}
    if days:
        import polars as pl

        return sketches.learn(pl.concat(days.values()), days, learnt).text()
    rows = _judged(places, release, own)
    return sketches.learn(rows.drop("/day"), _days_of(rows), learnt).text()


def _promised(project: Project, measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By metric what the evaluation found, how it is measured again, and its place among the metrics."""
    return {
        name: {
            **{key: measured[name][key] for key in ("value", "low", "high")},
            "options": options.model_dump(mode="json"),
            "place": place,
        }
        for place, (name, options) in enumerate(project.metrics.items())
        if name in measured
    }


def _days_before(
    release: Release, plan: Plan, tables: Mapping[str, pl.DataFrame], as_of: datetime
) -> dict[date, pl.DataFrame]:
    """Everybody's features and what is decided about them, at each of the last days before the snapshot's end."""
    asked, found = release.project.baseline, {}
    for step in range(asked.days):
        moment = as_of - step * duration(asked.every)
        spine = population(plan, tables, moment)
        if spine.height > asked.sample:
            spine = spine.filter(_chosen(spine[plan.entity.key], asked.sample / spine.height))
        if spine.height < _FEWEST_ROWS:
            break
        features = compute(plan, tables, spine).select(plan.names)
        found[day_of(moment)] = scored_rows(features, _decided(release, features))
    return dict(sorted(found.items()))


def _chosen(keys: pl.Series, share: float) -> pl.Series:
    """Which keys belong to a share of all, the same ones at any moment at which the share is the same."""
    import polars as pl

    limit = int(share * 2**32)
    return pl.Series([zlib.crc32(str(key).encode()) < limit for key in keys])


def _decided(release: Release, features: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    decided = release.decide(features).select("score", "decision", "reason")
    return decided.with_columns(pl.lit("champion").alias("variant"))


def _judged(places: Places, release: Release, own: str) -> pl.DataFrame:
    """The rows that judge, with the scores that judged them, and the day of each in `/day`; null where it has none."""
    import polars as pl

    rows, columns = part(places, "test")
    scores = pl.read_parquet(places.evaluation / "scores.parquet")[own].to_numpy()
    features = rows.select(columns)
    decided = release.decider()(features, scores).select("score", "decision", "reason")
    day = _day_of(places, release.project, rows)
    return scored_rows(features, decided.with_columns(pl.lit("champion").alias("variant"), day.alias("/day")))


def _day_of(places: Places, project: Project, rows: pl.DataFrame) -> pl.Series:
    """The day on which each row's entity came, by the entity's own table."""
    import polars as pl

    source = project.entity.source
    time = None if source is None else project.sources[source].time_column()
    if source is None or time is None:
        return pl.Series("/day", [None], dtype=pl.Date).new_from_index(0, rows.height)
    key = project.entity.key
    table = checked_tables(places, project)[1][source]
    came = table.group_by(pl.col(key).cast(pl.String)).agg(pl.col(time).min().dt.date().alias("/day"))
    asked = rows.select(pl.col(key).cast(pl.String))
    return asked.join(came, on=key, how="left", maintain_order="left")["/day"]


def _days_of(rows: pl.DataFrame) -> dict[date, pl.DataFrame]:
    """The rows of each day that has enough of them."""
    import polars as pl

    parts = rows.filter(pl.col("/day").is_not_null()).partition_by("/day", as_dict=True, include_key=False)
    return {day: some for (day,), some in sorted(parts.items()) if some.height >= _FEWEST_ROWS}


def _importance(by_column: Mapping[str, float], features: list[str]) -> dict[str, float]:
    """The importance of features, from that of the columns that they become; shares of 1, six digits."""
    found = dict.fromkeys(features, 0.0)
    for column, share in by_column.items():
        feature = column if column in found else column.partition("=")[0]
        if feature in found:
            found[feature] += abs(float(share))
    total = sum(found.values())
    return {name: round(share / total, 6) for name, share in found.items()} if total else {}
