"""Makes the tables that teach and judge: features at past moments, and what happened afterwards.

Over time, the whole horizon of the label lies between the last training moment and the test: no training outcome is
taken from the time that judges. Who is decided without the model is kept apart, and neither teaches nor judges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlctl import snapshot
from mlctl.decide import cold
from mlctl.errors import DataError, IntegrityError
from mlctl.files import read_json, sha256_of_file, write_json, write_with
from mlctl.judging import splits
from mlctl.plan import AS_OF, Plan, compile_plan
from mlctl.plan.compute import compute, outcomes, population
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.times import moment_text
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl


def features(places: Places, project: Project) -> Report:
    """Writes `train.parquet`, `test.parquet` and `cold.parquet` (key, as_of, features, label) and `report.json`.

    Raises:
        DataError: A part is empty, its label does not vary, or a moment's outcome lies beyond the data.
        IntegrityError: The checked tables are missing.
    """
    as_of, tables = checked_tables(places, project)
    plan = compile_plan(project, {name: table.columns for name, table in tables.items()})
    when_train, when_test = splits.moments(project, as_of)
    taught, left_out = _rows(project, plan, tables, when_train)
    judged, never_judged = _rows(project, plan, tables, when_test) if project.split.over_time() else (taught, left_out)
    train, test = splits.divide(project, taught, judged)
    known = _classes(project, train)
    named = {
        "train": _coded(project, known, "the train part", train),
        "test": _coded(project, known, "the test part", test),
        "cold": _coded(project, known, "the cold rows", _cold_rows(left_out, never_judged)),
    }
    data: dict[str, Any] = {"columns": plan.names, "task": project.label.task, "classes": list(known)}
    data["cold"] = _write_cold(places, project, named["cold"], known)
    for name in ("train", "test"):
        data[name] = _write_part(places, project, name, named[name], known)
    data["frozen"] = data["test"]["sha256"]
    write_json(places.features / "report.json", data)
    shown = [f"{name} {data[name]['rows']:,} rows ({_outcome(data[name])})" for name in ("train", "test")]
    line = f"{len(plan.names)} features, {shown[0]} at {_when(train)}; {shown[1]} at {_when(test)}"
    aside = f"{left_out.height:,} training rows have too little evidence: the model is not asked about such"
    return Report("features", line, data, details=(aside,) if left_out.height else ())


def checked_tables(places: Places, project: Project) -> tuple[datetime, dict[str, pl.DataFrame]]:
    """The snapshot's moment and the checked tables.

    Raises:
        IntegrityError: They are missing, or of another snapshot than the one in place.
    """
    import polars as pl

    as_of, files = checked_files(places, project)
    return as_of, {name: pl.read_parquet(path) for name, path in files.items()}


def checked_files(places: Places, project: Project) -> tuple[datetime, dict[str, Path]]:
    """The snapshot's moment and the Parquet files of the checked tables.

    Raises:
        IntegrityError: They are missing, or of another snapshot than the one in place.
    """
    again = f"mlctl run projects/{places.name}"
    taken = snapshot.read(places)
    if taken is None:
        raise IntegrityError.missing(str(places.data / snapshot.MANIFEST), again)
    report = read_json(places.checked / "report.json", again)
    if report["dataset"] != taken.version:
        raise IntegrityError.refused(str(places.checked), "it was checked from another snapshot", again)
    files = {name: places.checked / f"{name}.parquet" for name in project.sources}
    for path in files.values():
        if not path.is_file():
            raise IntegrityError.missing(str(path), again)
    return taken.as_of, files


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


def _cold_rows(taught: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Rows with too little evidence, and in which part they would have been."""
    import polars as pl

    parts = [("train", taught), ("test", judged)]
    return pl.concat([rows.with_columns(pl.lit(name).alias("part")) for name, rows in parts])


def _classes(project: Project, train: pl.DataFrame) -> tuple[str, ...]:
    """Names of the classes by code: those declared, or those of the training rows, sorted."""
    if project.label.task == "regression":
        return ()
    if project.label.task == "binary":
        return ("0", "1")
    if project.label.classes is None:
        return tuple(train["label"].unique().sort())
    other = project.label.other
    return (*project.label.classes, *([other] if other and other not in project.label.classes else []))


def _coded(project: Project, known: Sequence[str], what: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the classes of their labels as codes 0.0 to classes - 1.

    Raises:
        DataError: An outcome is none of the classes.
    """
    import polars as pl

    if project.label.task != "multiclass":
        return rows
    codes = {name: float(code) for code, name in enumerate(known)}
    other = None if project.label.other is None else codes[project.label.other]
    coded = rows["label"].replace_strict(codes, default=other, return_dtype=pl.Float64)
    if unknown := coded.null_count():
        names = rows["label"].filter(coded.is_null()).unique().sort().to_list()
        raise DataError.unknown_classes(names, what, unknown)
    return rows.with_columns(coded.alias("label"))


def _write_cold(places: Places, project: Project, rows: pl.DataFrame, known: Sequence[str]) -> dict[str, Any]:
    path = places.features / "cold.parquet"
    write_with(path, lambda temporary: rows.write_parquet(temporary, compression="zstd"))
    parts = {name: rows.filter(rows["part"] == name) for name in ("train", "test")}
    told = {name: {"rows": part.height, **_labels(project, part, known)} for name, part in parts.items()}
    return {**told, "sha256": sha256_of_file(path)}


def _write_part(
    places: Places, project: Project, name: str, part: pl.DataFrame, known: Sequence[str]
) -> dict[str, Any]:
    if part.height == 0:
        why = "nobody is known at its moments, or no outcome is told"
        raise DataError.no_rows(f"the {name} part", why, "look at entity:, split: and the as_of of the snapshot")
    if part["label"].n_unique() == 1:
        raise DataError.no_variation(f"the {name} part", _named(project, known, part["label"][0]), part.height)
    path = places.features / f"{name}.parquet"
    write_with(path, lambda temporary: part.write_parquet(temporary, compression="zstd"))
    moments_told = sorted({moment_text(value) for value in part[AS_OF].unique()})
    told = _labels(project, part, known)
    return {"rows": part.height, **told, "as_of": moments_told, "sha256": sha256_of_file(path)}


def _labels(project: Project, rows: pl.DataFrame, known: Sequence[str]) -> dict[str, Any]:
    """What the labels are like: the share of label 1, of each class, or mean and deviation."""
    labels = rows["label"].to_numpy()
    if not len(labels):
        return {"positive_share": None}
    if project.label.task == "binary":
        return {"positive_share": float(labels.mean())}
    if project.label.task == "regression":
        return {"mean": float(labels.mean()), "deviation": float(labels.std())}
    return {"class_shares": {name: float((labels == code).mean()) for code, name in enumerate(known)}}


def _named(project: Project, known: Sequence[str], label: float) -> object:
    if project.label.task == "multiclass":
        return known[int(label)]
    return int(label) if project.label.task == "binary" else label


def _outcome(told: Mapping[str, Any]) -> str:
    """What the labels are like, for people."""
    if "positive_share" in told:
        return f"{told['positive_share']:.1%} positive"
    if "mean" in told:
        return f"mean {told['mean']:.4g}, deviation {told['deviation']:.4g}"
    most = max(told["class_shares"], key=told["class_shares"].get)
    return f"{len(told['class_shares'])} classes, most often {most} {told['class_shares'][most]:.1%}"


def _when(rows: pl.DataFrame) -> str:
    when = rows[AS_OF].unique().sort().to_list()
    if len(when) == 1:
        return moment_text(when[0])
    return f"{len(when)} moments from {moment_text(when[0])} to {moment_text(when[-1])}"
