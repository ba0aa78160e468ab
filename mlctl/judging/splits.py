"""Which rows teach and which judge. No row judges a model that has seen it, and no outcome of the test teaches.

Over time, the whole horizon of the label lies between what teaches and what judges. Every draw depends on the sorted
keys and the seed alone. Rows that judge what they teach (`folds`, `backtest`) carry their part in the column `fold`.

Bergmeir and Benítez, "On the use of cross-validation for time series predictor evaluation", Information Sciences 191
(2012), for the expanding window of a backtest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mlctl.errors import ConfigError, DataError, Fault, listed
from mlctl.plan import AS_OF
from mlctl.spec import Project, Split
from mlctl.times import duration, moment_text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FOLD: Final = "fold"
"""The part in which a row judges; -1 where it only teaches."""
INNER_FOLDS: Final = 3
"""Parts of the training rows, to compare rungs, calibrate and set thresholds without a look at the test."""

Part = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
"""Masks (rows,): who teaches, who judges."""


def moments(project: Project, as_of: datetime) -> tuple[list[datetime], list[datetime]]:
    """The moments of the rows that only teach, and of those that judge (with folds: the one moment of all), sorted.

    Raises:
        DataError: A test moment's outcome is not known yet at the snapshot's moment.
    """
    split, every = project.split, duration(project.split.every)
    horizon = duration(project.label.horizon) if project.label.horizon else timedelta()
    if not split.over_time():
        return [as_of - horizon], [as_of - horizon]
    counted = split.windows if split.kind == "backtest" else 1
    test = sorted(split.test or [as_of - horizon - step * every for step in range(counted)])
    last = min(test) - horizon
    train = sorted(split.train or [last - step * every for step in range(split.moments)])
    if max(test) + horizon > as_of:
        ends = f"the snapshot ends at {moment_text(as_of)}"
        why = f"the outcome of {moment_text(max(test))} is known {project.label.horizon} later, {ends}"
        raise DataError.no_rows(
            "the test", why, "take an earlier split.test, or a later snapshot: mlctl ingest --as-of MOMENT"
        )
    return train, test


def divide(project: Project, train: pl.DataFrame, test: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that teach and those that judge.

    Args:
        project: Its `split:`.
        train: Rows at the moments that teach.
        test: Rows at the moments that judge; the same rows where there is one moment for both.

    Returns:
        Both parts; where rows judge what they teach, all rows with their fold, and those of them that judge.

    Raises:
        ConfigError: `split.by` names no feature.
    """
    import polars as pl

    split = project.split
    if split.kind == "time":
        return train, test
    if split.kind == "backtest":
        order = test[AS_OF].rank("dense").cast(pl.Int64) - 1
        folded = test.with_columns(order.alias(FOLD))
        every = pl.concat([train.with_columns(pl.lit(-1, pl.Int64).alias(FOLD)), folded])
        return every.unique([project.entity.key, AS_OF], keep="last", maintain_order=True), folded
    drawn = _drawn(train.height, split.seed)
    if split.kind == "folds":
        within = _rank_within(drawn, _alike(project, train["label"])) % split.folds
        folded = train.with_columns(within.alias(FOLD))
        return folded, folded
    judges = _judges(project, train, drawn)
    return train.filter(~judges), train.filter(judges)


def parts(project: Project, rows: pl.DataFrame) -> list[Part]:
    """Who teaches and who judges, once for each part in which rows judge.

    Rows with folds are divided as they say; others into parts of whole entities (`INNER_FOLDS`).
    """
    import numpy as np

    if FOLD in rows.columns:
        fold = rows[FOLD].to_numpy()
        return list(_by_fold(project, rows, fold))
    entities = entity_codes(project, rows)
    place = np.argsort(_drawn(int(entities.max(initial=-1)) + 1, project.split.seed).to_numpy())
    inner = place[entities] % INNER_FOLDS
    return [(inner != part, inner == part) for part in range(INNER_FOLDS)]


def entity_codes(project: Project, rows: pl.DataFrame) -> np.ndarray[Any, Any]:
    """A number for each entity, in the order of the keys: int64 array (rows,)."""
    codes: np.ndarray[Any, Any] = rows[project.entity.key].rank("dense").to_numpy().astype("int64") - 1
    return codes


def _by_fold(project: Project, rows: pl.DataFrame, fold: np.ndarray[Any, Any]) -> Iterator[Part]:
    import numpy as np

    horizon = duration(project.label.horizon) if project.label.horizon else timedelta()
    for number in sorted(set(fold.tolist()) - {-1}):
        judges = fold == number
        if project.split.kind == "backtest":
            begins = rows.filter(judges)[AS_OF].min()
            yield (rows[AS_OF] + horizon <= begins).to_numpy(), judges
        else:
            yield np.logical_not(judges), judges


def _alike(project: Project, label: pl.Series) -> pl.Series:
    """What is spread evenly over the parts: each outcome, or each tenth of the foretold numbers."""
    if project.label.task != "regression":
        return label
    return (label.rank("ordinal") * 10 - 1) // max(len(label), 1)


def _judges(project: Project, rows: pl.DataFrame, drawn: pl.Series) -> pl.Series:
    """Mask: the share of rows that judges."""
    import polars as pl

    split = project.split
    if split.kind == "stratified":
        alike = _alike(project, rows["label"])
        wanted = rows.select((split.test_share * pl.len().over(alike)).round()).to_series()
        return _rank_within(drawn, alike) < wanted
    if split.kind == "group":
        return _whole_groups(split, rows)
    return drawn < round(split.test_share * rows.height)


def _whole_groups(split: Split, rows: pl.DataFrame) -> pl.Series:
    """Groups in a drawn order, until their rows are the share that judges; rows without a group are one group each."""
    import numpy as np
    import polars as pl

    if split.by not in rows.columns:
        hint = f"features: {listed(rows.columns, 12)}"
        raise ConfigError.of_project("split", [Fault("split.by", f"there is no feature {split.by!r}", hint=hint)])
    named = pl.concat_str(pl.lit("="), pl.col(split.by).cast(pl.String))
    own = pl.concat_str(pl.lit("#"), pl.int_range(pl.len()).cast(pl.String))
    group = rows.select(pl.coalesce(named, own)).to_series()
    codes = group.rank("dense").to_numpy().astype(np.int64) - 1
    sizes = np.bincount(codes)
    order = np.argsort(_drawn(len(sizes), split.seed).to_numpy())
    before = np.concatenate(([0], np.cumsum(sizes[order])[:-1]))
    chosen = order[before < split.test_share * rows.height]
    return pl.Series(np.isin(codes, chosen))


def _rank_within(drawn: pl.Series, label: pl.Series) -> pl.Series:
    """Each row's place among the rows of its outcome, in the drawn order, from 0."""
    import polars as pl

    table = pl.DataFrame({"drawn": drawn, "label": label})
    return table.select(pl.col("drawn").rank("ordinal").over("label").cast(pl.Int64) - 1).to_series()


def _drawn(rows: int, seed: int) -> pl.Series:
    """Each row's place in a random order."""
    import numpy as np
    import polars as pl

    return pl.Series("drawn", np.argsort(np.random.Generator(np.random.PCG64(seed)).permutation(rows)))
