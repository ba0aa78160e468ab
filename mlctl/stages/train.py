"""Trains the project's model and every simpler rung of its ladder on the same rows, and exports each to ONNX.

An export that does not answer as the training library does is refused here, where the native model still exists. With
`split.kind: folds` the released model learns from all rows, and each row is judged by a model of the other folds.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, kinds, runtime
from mlctl.encoding import Encoding
from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of, sha256_of_file, write_bytes, write_json, write_with
from mlctl.models import Fitted, TrainingTable
from mlctl.spec import Project
from mlctl.stages import FOLD, Report
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

PARITY_LIMIT: Final = 1e-5
"""Largest allowed difference of a probability between ONNX and the training library."""
PARITY_ROWS: Final = 4000
MIN_COLD_ROWS: Final = 50


def train(places: Places, project: Project) -> Report:
    """Writes one `NAME.onnx` a rung, `encoding.json`, `report.json` and, with folds, `held_out.parquet`.

    Raises:
        DataError: The label does not vary, or a feature is of a type that no model takes.
        IntegrityError: The features are missing or changed, or an export is not equal to its model.
    """
    rows, columns = part(places, "train")
    learnt, table = _table(rows, columns)
    write_json(places.model / "encoding.json", learnt.model_dump(mode="json"))
    models = {}
    for name, options in ladder(project).items():
        fitted = _fit(options, table)
        write_bytes(places.model / f"{name}.onnx", fitted.onnx)
        models[name] = _about(name, options, fitted, table)
    prior = _prior(places, table)
    report: dict[str, Any] = {"prior": prior, "rows": rows.height, "columns": list(table.columns), "models": models}
    if FOLD in rows.columns:
        path = places.model / "held_out.parquet"
        write_with(path, partial(_held_out(project, rows, columns).write_parquet, compression="zstd"))
        report["held_out"] = sha256_of_file(path)
    write_json(places.model / "report.json", report)
    worst = max(model["parity"] for model in models.values())
    shape = f"{rows.height:,} rows x {len(table.columns)} columns"
    return Report("train", f"{', '.join(models)} on {shape}, ONNX equal to native within {worst:.1g}", report)


def _prior(places: Places, table: TrainingTable) -> float:
    """The score of who has too little evidence: the share of label 1 among such, or among all where they are few."""
    found = read_json(places.features / "report.json")["cold"]
    if found["rows"] >= MIN_COLD_ROWS:
        return float(found["positive_share"])
    return float(table.labels.mean(dtype="float64"))


def _table(rows: pl.DataFrame, columns: list[str]) -> tuple[Encoding, TrainingTable]:
    """The encoding that rows teach, and the rows in it."""
    learnt = encoding.learn(rows.select(columns))
    labels = rows["label"].to_numpy().astype("float32")
    return learnt, TrainingTable(encoding.encode(learnt, rows.select(columns)), labels, learnt.columns())


def _fit(options: Any, table: TrainingTable) -> Fitted:
    fitted: Fitted = kinds.load("models", options.kind).fit(options, table)
    return fitted


def _about(name: str, options: Any, fitted: Fitted, table: TrainingTable) -> dict[str, Any]:
    """A rung's record, once its export has proved to answer as the native model does."""
    parity = runtime.parity(fitted, table.matrix[:PARITY_ROWS], options.seed)
    if not parity <= PARITY_LIMIT:
        why = f"ONNX and {name} differ by up to {parity:.2g}, allowed is {PARITY_LIMIT:g}"
        next_step = "report this model and its options as a defect of the export"
        raise IntegrityError.refused(f"the export of {name}", why, next_step)
    shares = zip(table.columns, map(float, fitted.importance), strict=True)
    return {
        "parity": float(parity),
        "bytes": len(fitted.onnx),
        "sha256": sha256_of(fitted.onnx),
        "importance": dict(sorted(shares, key=lambda item: -item[1])),
    }


def _held_out(project: Project, rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Every row's score by a model, and an encoding, of the other folds.

    Grain: one row per row of `rows`, in their order; one column a rung.
    """
    import polars as pl

    parts = []
    for fold in sorted(rows[FOLD].unique()):
        learnt, others = _table(rows.filter(pl.col(FOLD) != fold), columns)
        judged = rows.with_row_index("/row").filter(pl.col(FOLD) == fold)
        matrix = encoding.encode(learnt, judged.select(columns))
        scores = {
            name: runtime.score_onnx(_fit(options, others).onnx, matrix).astype("float64")
            for name, options in ladder(project).items()
        }
        parts.append(pl.DataFrame({"/row": judged["/row"], **scores}))
    return pl.concat(parts).sort("/row").drop("/row")


def ladder(project: Project) -> dict[str, Any]:
    """Typed options of every model to train, from simple to complex; the project's own comes last."""
    own: Any = project.model
    rungs = {
        kind: kinds.options("models", {"kind": kind, "seed": own.seed}) for kind in own.rungs() if kind != own.kind
    }
    return {**rungs, own.kind: own}


def part(places: Places, name: str) -> tuple[pl.DataFrame, list[str]]:
    """The `train` or `test` table and its feature columns.

    Raises:
        IntegrityError: It is missing, or not the one that the features stage froze.
    """
    import polars as pl

    again = f"mlctl run projects/{places.name}"
    report = read_json(places.features / "report.json", again)
    path = places.features / f"{name}.parquet"
    found = sha256_of_file(path)
    if found != report[name]["sha256"]:
        raise IntegrityError.damaged(str(path), report[name]["sha256"], found, again)
    return pl.read_parquet(path), report["columns"]
