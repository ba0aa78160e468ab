"""Trains the project's model and every simpler rung of its ladder on the same rows, and exports each to ONNX.

An export that does not answer as the training library does is refused here, where the native model still exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, kinds, runtime
from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of, sha256_of_file, write_bytes, write_json
from mlctl.models import TrainingTable
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.workspace import Places

if TYPE_CHECKING:
    import polars as pl

PARITY_LIMIT: Final = 1e-5
"""Largest allowed difference of a probability between ONNX and the training library."""
PARITY_ROWS: Final = 4000


def train(places: Places, project: Project) -> Report:
    """Writes one `NAME.onnx` a rung, `encoding.json` and `report.json`.

    Raises:
        DataError: The label does not vary, or a feature is of a type that no model takes.
        IntegrityError: The features are missing or changed, or an export is not equal to its model.
    """
    rows, columns = part(places, "train")
    learnt = encoding.learn(rows.select(columns))
    table = TrainingTable(
        encoding.encode(learnt, rows.select(columns)), rows["label"].cast(_float32()).to_numpy(), learnt.columns()
    )
    report: dict[str, Any] = {
        "prior": float(table.labels.mean(dtype="float64")),
        "rows": rows.height,
        "columns": list(learnt.columns()),
        "models": {},
    }
    write_json(places.model / "encoding.json", learnt.model_dump(mode="json"))
    for name, options in ladder(project).items():
        fitted = kinds.load("models", options.kind).fit(options, table)
        parity = runtime.parity(fitted, table.matrix[:PARITY_ROWS], options.seed)
        if not parity <= PARITY_LIMIT:
            why = f"ONNX and {name} differ by up to {parity:.2g}, allowed is {PARITY_LIMIT:g}"
            raise IntegrityError.refused(
                f"the export of {name}", why, "report this model and its options as a defect of the export"
            )
        write_bytes(places.model / f"{name}.onnx", fitted.onnx)
        report["models"][name] = {
            "parity": float(parity),
            "bytes": len(fitted.onnx),
            "sha256": sha256_of(fitted.onnx),
            "importance": dict(
                sorted(zip(table.columns, map(float, fitted.importance), strict=True), key=lambda item: -item[1])
            ),
        }
    write_json(places.model / "report.json", report)
    worst = max(model["parity"] for model in report["models"].values())
    shape = f"{rows.height:,} rows x {len(learnt.columns())} columns"
    return Report("train", f"{', '.join(report['models'])} on {shape}, ONNX equal to native within {worst:.1g}", report)


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


def _float32() -> Any:
    import polars as pl

    return pl.Float32
