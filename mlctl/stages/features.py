"""Makes the tables that teach and judge: features at past moments, and what happened afterwards.

With `split.kind: time` the test moment is the last one whose outcome is known, and between the last training moment and
the test lies the whole horizon of the label: no training outcome is taken from the time that judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlctl import snapshot
from mlctl.compute import compute, outcomes, population
from mlctl.decide import cold
from mlctl.errors import DataError, IntegrityError
from mlctl.files import read_json, sha256_of_file, write_json, write_with
from mlctl.plan import AS_OF, Plan, compile_plan
from mlctl.spec import Project
from mlctl.stages import FOLD, Report
from mlctl.times import duration, moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


def features(places: Places, project: Project) -> Report:
    """Writes `train.parquet` and `test.parquet` (key, as_of, features, label) and freezes the test set by its hash.

    Raises:
        DataError: A part is empty, its label does not vary, or a moment's outcome lies beyond the data.
        IntegrityError: The checked tables are missing.
    """
    as_of, tables = checked_tables(places, project)
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    train_moments, test_moments = moments(project, as_of)
    train, left_out = _rows(project, plan, tables, train_moments)
    test = _rows(project, plan, tables, test_moments)[0] if project.split.kind == "time" else train
    if project.split.kind == "random":
        train, test = _random_parts(project, train)
    if project.split.kind == "folds":
        train = test = _in_folds(project, train)
    data: dict[str, Any] = {"columns": plan.names, "cold": _cold_told(left_out)}
    for name, part, when in (("train", train, train_moments), ("test", test, test_moments)):
        data[name] = _write_part(places, name, part, when)
    data["frozen"] = data["test"]["sha256"]
    write_json(places.features / "report.json", data)
    shown = [
        f"{name} {data[name]['rows']:,} rows ({data[name]['positive_share']:.1%} positive)"
        for name in ("train", "test")
    ]
    line = f"{len(plan.names)} features, {shown[0]} at {_when(train_moments)}; {shown[1]} at {_when(test_moments)}"
    aside = f"{left_out.height:,} training rows have too little evidence: the model is not asked about such"
    return Report("features", line, data, details=(aside,) if left_out.height else ())


def checked_tables(places: Places, project: Project) -> tuple[datetime, dict[str, pl.DataFrame]]:
    """The snapshot's moment and the checked tables.

    Raises:
        IntegrityError: They are missing, or of another snapshot than the one in place.
    """
    import polars as pl

    again = f"mlctl run projects/{places.name}"
    taken = snapshot.read(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data / snapshot.MANIFEST), again)
    report = read_json(places.checked / "report.json", again)
    if report["dataset"] != taken.version:
        raise IntegrityError.refused(str(places.checked), "it was checked from another snapshot", again)
    tables = {}
    for name in project.sources:
        path = places.checked / f"{name}.parquet"
        if not path.is_file():
            raise IntegrityError.missing(str(path), again)
        tables[name] = pl.read_parquet(path)
    return taken.as_of, tables


def moments(project: Project, as_of: datetime) -> tuple[list[datetime], list[datetime]]:
    """The training and the test moments, sorted.

    Raises:
        DataError: A test moment's outcome is not known yet at the snapshot's moment.
    """
    split = project.split
    if split.kind != "time":
        moment = as_of - duration(project.label.horizon) if project.label.horizon else as_of
        return [moment], [moment]
    horizon = duration(project.label.horizon or "0d")
    test = sorted(split.test) if split.test else [as_of - horizon]
    last = min(test) - horizon
    train = (
        sorted(split.train)
        if split.train
        else sorted(last - step * duration(split.every) for step in range(split.moments))
    )
    if max(test) + horizon > as_of:
        ends = f"the snapshot ends at {moment_text(as_of)}"
        why = f"the outcome of {moment_text(max(test))} is known {project.label.horizon} later, {ends}"
        raise DataError.no_rows(
            "the test", why, "take an earlier split.test, or a later snapshot: mlctl ingest --as-of MOMENT"
        )
    return train, test


def _rows(
    project: Project, plan: Plan, tables: Mapping[str, pl.DataFrame], when: list[datetime]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features and label of everybody at each moment whose outcome is told: whom the model is asked about, and others.

    Who has too little evidence is decided without the model, and so neither teaches nor judges it.
    """
    import polars as pl

    spine = pl.concat([population(plan, tables, moment) for moment in when])
    rows = compute(plan, tables, spine)
    labelled = rows.with_columns(outcomes(project.label, plan, tables, spine).alias("label"))
    told = labelled.filter(pl.col("label").is_not_null())
    is_cold = cold(project.decide, told)
    return told.filter(~is_cold), told.filter(is_cold)


def _cold_told(rows: pl.DataFrame) -> dict[str, Any]:
    """How many training rows have too little evidence, and the share of label 1 among them."""
    return {"rows": rows.height, "positive_share": _share(rows) if rows.height else None}


def _random_parts(project: Project, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A share of the entities judges, the others teach; the draw depends on the sorted keys and the seed alone."""
    import numpy as np
    import polars as pl

    order = np.random.Generator(np.random.PCG64(project.split.seed)).permutation(rows.height)
    judges = pl.Series(np.isin(np.arange(rows.height), order[: round(project.split.test_share * rows.height)]))
    return rows.filter(~judges), rows.filter(judges)


def _in_folds(project: Project, rows: pl.DataFrame) -> pl.DataFrame:
    """Every row with its fold, each outcome spread evenly; the draw depends on the sorted keys and the seed alone."""
    import numpy as np
    import polars as pl

    order = np.random.Generator(np.random.PCG64(project.split.seed)).permutation(rows.height)
    drawn = rows.with_columns(pl.Series("drawn", np.argsort(order)))
    within = pl.col("drawn").rank("ordinal").over("label").cast(pl.Int64) - 1
    return drawn.with_columns((within % project.split.folds).alias(FOLD)).drop("drawn")


def _write_part(places: Places, name: str, part: pl.DataFrame, when: list[datetime]) -> dict[str, Any]:
    if part.height == 0:
        why = f"nobody is known before {_when(when)}"
        raise DataError.no_rows(f"the {name} part", why, "look at entity:, split: and the as_of of the snapshot")
    share = _share(part)
    if share in (0.0, 1.0):
        raise DataError.no_variation(f"the {name} part", int(share), part.height)
    path = places.features / f"{name}.parquet"
    write_with(path, lambda temporary: part.write_parquet(temporary, compression="zstd"))
    moments_told = sorted({moment_text(value) for value in part[AS_OF].unique()})
    return {"rows": part.height, "positive_share": share, "as_of": moments_told, "sha256": sha256_of_file(path)}


def _share(rows: pl.DataFrame) -> float:
    return float(rows["label"].to_numpy().mean())


def _when(when: list[datetime]) -> str:
    if len(when) == 1:
        return moment_text(when[0])
    return f"{len(when)} moments from {moment_text(when[0])} to {moment_text(when[-1])}"
