"""Trains every rung of the ladder on the same rows, exports each to ONNX, and says which one earned its place.

An export that does not answer as the training library does is refused here, where the native model still exists. The
rungs are compared, and the policy of decisions is set, on training rows held out from the models that score them:
whoever looks at the test to choose has no test left. Nothing is trained before the evaluation sets are frozen.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of, sha256_of_file, write_bytes, write_json, write_with
from mlctl.judging import calibration, fitting, splits
from mlctl.judging.ladder import Rung, adopted, climb, lines
from mlctl.judging.policy import choose
from mlctl.metrics import measuring
from mlctl.models import Fitted, TrainingTable
from mlctl.plan import AS_OF
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages._cold import MIN_COLD_ROWS, train_cold
from mlctl.stages._ground import Ground
from mlctl.stages._learning import learning_curve
from mlctl.stages._rows import classes, encoding_of, held_out, ladder, part, proved, score_column, table
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def train(places: Places, project: Project) -> Report:
    """Writes for each rung `NAME.onnx` and `NAME.encoding.json`, `held_out.parquet`, `policy.json` and `report.json`.

    Raises:
        DataError: The label does not vary, or a feature is of a type that no model takes.
        IntegrityError: The evaluation sets are not frozen or changed since, or an export is not equal to its model.
    """
    settled(places)
    rows, columns = part(places, "train")
    known, rungs = classes(places), ladder(project)
    models, shape = {}, (0, 0)
    for name, options in rungs.items():
        learnt = encoding_of(project, options, rows.select(columns), known)
        learnt.write(places.model / f"{name}.encoding.json")
        seen = table(project, learnt, rows, columns, known)
        fitted = fitting.fit(options, seen)
        write_bytes(places.model / f"{name}.onnx", fitted.onnx)
        models[name] = _about(name, options, fitted, seen)
        shape = max(shape, (rows.height, len(seen.columns)))
    judged, scores = held_out(project, rungs, rows, columns, known)
    unseen = rows.filter(judged)
    steps = _climb(project, unseen, scores)
    chosen = project.model.kind if project.model.adopt == "always" else adopted(steps)
    ground = Ground(project, rows, columns, known, tuple(splits.parts(project, rows)), next(iter(project.metrics)))
    last = ground.parts[-1][1][judged]
    floor = scores["constant"][last] if "constant" in scores else None
    learning = learning_curve(ground, rungs[chosen], scores[chosen][last], floor)
    cold, cold_line = train_cold(places, project, known)
    policy = choose(project.decide, project.label.task, unseen["label"].to_numpy(), scores[chosen])
    write_json(places.model / "policy.json", policy.record())
    report: dict[str, Any] = {
        "prior": _prior(places, project, rows, known),
        "rows": rows.height,
        "columns": columns,
        "classes": list(known),
        "models": models,
        "held_out": _write_held_out(places, project, unseen, scores),
        "ladder": {"metric": next(iter(project.metrics)), "rungs": [step.record() for step in steps]},
        "adopted": chosen,
        "cold": cold,
        "learning": None if learning is None else learning.record(),
    }
    write_json(places.model / "report.json", report)
    worst = max(model["parity"] for model in models.values())
    line = f"{', '.join(models)} on {shape[0]:,} rows x {shape[1]} columns, ONNX equal to native within {worst:.1g}"
    bent = [calibration.line(models[chosen]["calibration"])] if "calibration" in models[chosen] else []
    more = [*([] if learning is None else [f"learning: {learning.says}"]), *([cold_line] if cold_line else [])]
    return Report(
        "train", line, report, details=(*_ladder_lines(project, steps, chosen), *bent, *more, *policy.lines())
    )


def settled(places: Places) -> None:
    """Makes sure that nothing is learnt before it is settled what judges it.

    Raises:
        IntegrityError: The evaluation sets are not frozen, or are other ones.
    """
    again = f"mlctl freeze projects/{places.name}"
    path = places.frozen / "report.json"
    if not path.is_file():
        why = "there is no frozen evaluation set: whoever trains first has nothing to hold the model against"
        raise IntegrityError.refused(f"the training of projects/{places.name}", why, again)
    frozen, made = read_json(path, again), read_json(places.features / "report.json", again)
    if not frozen["sets"]:
        raise IntegrityError.refused(f"the training of projects/{places.name}", "the rows leak", again)
    for name in ("train", "test"):
        if frozen["sets"][name]["sha256"] != made[name]["sha256"]:
            why = f"the {name} rows are not the ones that were frozen"
            raise IntegrityError.refused(f"the training of projects/{places.name}", why, again)


def _climb(project: Project, rows: pl.DataFrame, scores: dict[str, np.ndarray[Any, Any]]) -> list[Rung]:
    truth = rows["label"].to_numpy().astype("float64")
    metric = measuring(next(iter(project.metrics.values())))
    return climb(truth, scores, metric, splits.entity_codes(project, rows))


def _ladder_lines(project: Project, steps: list[Rung], chosen: str) -> tuple[str, ...]:
    """What each rung bought, and which one is taken."""
    told = lines(steps, next(iter(project.metrics)), "rows held out", digits=3)
    if project.model.adopt == "always" and chosen != adopted(steps):
        return (*told, f"{chosen} is released all the same: model.adopt is always")
    return told


def _prior(places: Places, project: Project, rows: pl.DataFrame, known: tuple[str, ...]) -> float | list[float]:
    """The score of who has too little evidence: what became of such in the past, or of all where such are few.

    Binary: the share of label 1. Several classes: the share of each. A number: the mean.
    """
    import numpy as np

    few = read_json(places.features / "report.json")["cold"]["train"]["rows"] < MIN_COLD_ROWS
    source = rows
    if not few:
        cold, _ = part(places, "cold")
        source = cold.filter(cold["part"] == "train")
    labels = source["label"].to_numpy().astype("float64")
    if project.label.task == "multiclass":
        counts = np.bincount(labels.astype(np.int64), minlength=len(known))
        return [float(share) for share in counts / counts.sum()]
    return float(labels.mean(dtype="float64"))


def _about(name: str, options: Any, fitted: Fitted, seen: TrainingTable) -> dict[str, Any]:
    """A rung's record, once its export has proved to answer as the native model does."""
    parity = proved(options, fitted, seen)
    shares = zip(seen.columns, map(float, fitted.importance), strict=True)
    bent = {} if fitted.calibrated is None else {"calibration": dict(fitted.calibrated)}
    return {
        **bent,
        "parity": float(parity),
        "bytes": len(fitted.onnx),
        "sha256": sha256_of(fitted.onnx),
        "importance": dict(sorted(shares, key=lambda item: -item[1])),
    }


def _write_held_out(
    places: Places, project: Project, rows: pl.DataFrame, scores: dict[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    """Writes the judged rows with one column a rung; of several classes a column is a list of probabilities."""
    told = rows.select(project.entity.key, AS_OF, "label", *([splits.FOLD] if splits.FOLD in rows.columns else []))
    scored = told.with_columns([score_column(name, values) for name, values in scores.items()])
    path = places.model / "held_out.parquet"
    write_with(path, partial(scored.write_parquet, compression="zstd"))
    return {"sha256": sha256_of_file(path), "rows": scored.height}
