"""The tables that teach and judge, as the stages behind `features` read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, kinds
from mlctl.encoding import Encoding
from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file
from mlctl.graphs import runtime
from mlctl.judging import fitting, splits
from mlctl.models import Fitted, ModelOptions, TrainingTable
from mlctl.spec import Project
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

PARITY_LIMIT: Final = 1e-5
"""Largest allowed difference between ONNX and the training library: of a probability, or of a number as a share."""
PARITY_ROWS: Final = 4000


def part(places: Places, name: str) -> tuple[pl.DataFrame, list[str]]:
    """The `train`, `test` or `cold` table and its feature columns.

    Raises:
        IntegrityError: It is missing, or not the one that the features stage wrote.
    """
    import polars as pl

    again = f"mlctl run projects/{places.name}"
    report = read_json(places.features / "report.json", again)
    path = places.features / f"{name}.parquet"
    if not path.is_file():
        raise IntegrityError.missing(str(path), again)
    found = sha256_of_file(path)
    if found != report[name]["sha256"]:
        raise IntegrityError.damaged(str(path), report[name]["sha256"], found, again)
    return pl.read_parquet(path), report["columns"]


def classes(places: Places) -> tuple[str, ...]:
    """Names of the label's classes by code; none for a regression."""
    return tuple(read_json(places.features / "report.json", f"mlctl run projects/{places.name}")["classes"])


def ladder(project: Project) -> dict[str, Any]:
    """Typed options of every model to train, from simple to complex; the project's own comes last."""
    own: Any = project.model
    given = {"seed": own.seed, "rule": own.rule}
    rungs = {
        kind: kinds.options("models", {"kind": kind, **{k: v for k, v in given.items() if v is not None}})
        for kind in own.rungs(project.label.task)
    }
    return {**rungs, own.kind: own}


def encoding_of(project: Project, options: ModelOptions, rows: pl.DataFrame, known: Sequence[str]) -> Encoding:
    """What a rung sees of the features: all of them as columns, or what the rule says.

    Args:
        project: Its `encoding:` policy.
        options: The rung.
        rows: The feature columns of the training rows.
        known: Names of the classes.
    """
    if options.kind == "rule":
        return encoding.of_rule(str(options.rule), known if project.label.task == "multiclass" else ())
    return encoding.learn(rows, project.encoding)


def table(
    project: Project, learnt: Encoding, rows: pl.DataFrame, columns: Sequence[str], known: Sequence[str]
) -> TrainingTable:
    """Rows in an encoding, as a model learns from them."""
    matrix = encoding.encode(learnt, rows.select(columns))
    labels = rows["label"].to_numpy().astype("float64")
    groups = splits.entity_codes(project, rows)
    return TrainingTable(matrix, labels, learnt.columns(), project.label.task, tuple(known), groups, learnt.texts())


def scored(
    project: Project, options: Any, taught: pl.DataFrame, asked: pl.DataFrame, named: tuple[list[str], Sequence[str]]
) -> np.ndarray[Any, Any]:
    """Scores of rows by a model, and an encoding, of other rows: float32 (asked rows,) or (asked rows, classes).

    Args:
        project: The project.
        options: The model.
        taught: Rows that teach.
        asked: Rows to be scored.
        named: The feature columns, and names of the classes.

    Raises:
        DataError: The rows cannot be learnt from.
    """
    columns, known = named
    learnt = encoding_of(project, options, taught.select(columns), known)
    fitted = fitting.fit(options, table(project, learnt, taught, columns, known))
    return runtime.score_onnx(fitted.onnx, encoding.encode(learnt, asked.select(columns)))


def proved(options: ModelOptions, fitted: Fitted, seen: TrainingTable) -> float:
    """The largest difference between an export and its native model, on rows of the table and hostile ones.

    Raises:
        IntegrityError: It is more than rounding.
    """
    unit = float(seen.labels.std()) if seen.task == "regression" else 1.0
    found = runtime.parity(fitted, seen.matrix[:PARITY_ROWS], options.seed, unit)
    if not found <= PARITY_LIMIT:
        why = f"ONNX and {options.kind} differ by up to {found:.2g}, allowed is {PARITY_LIMIT:g}"
        next_step = "report this model and its options as a defect of the export"
        raise IntegrityError.refused(f"the export of {options.kind}", why, next_step)
    return float(found)


def score_column(name: str, values: np.ndarray[Any, Any]) -> pl.Series:
    """Scores as a column: float64, or fixed lists of float64 where there are several classes."""
    import polars as pl

    if values.ndim == 1:
        return pl.Series(name, values, dtype=pl.Float64)
    return pl.Series(name, values, dtype=pl.Array(pl.Float64, values.shape[1]))


def held_out(
    project: Project, rungs: dict[str, Any], rows: pl.DataFrame, columns: list[str], known: Sequence[str]
) -> tuple[np.ndarray[Any, Any], dict[str, np.ndarray[Any, Any]]]:
    """Scores of rows by models that did not see them, and encodings that did not either.

    Returns:
        Mask (rows,) of the rows that were judged, and by rung their scores, float64 (judged rows,) or
        (judged rows, classes).

    Raises:
        DataError: A part lacks an outcome, or cannot be learnt from.
    """
    import numpy as np

    width = (len(known),) if project.label.task == "multiclass" else ()
    scores = {name: np.full((rows.height, *width), np.nan) for name in rungs}
    judged = np.zeros(rows.height, dtype=bool)
    for teaches, judges in splits.parts(project, rows):
        taught, asked = rows.filter(teaches), rows.filter(judges)
        for name, options in rungs.items():
            scores[name][judges] = scored(project, options, taught, asked, (columns, known))
        judged |= judges
    return judged, {name: values[judged] for name, values in scores.items()}
