"""Judges every rung of the ladder on the frozen test set: metrics with 95 % intervals, paired differences, cohorts.

The interval is a bootstrap over entities; all models are judged on the same resamples, so a difference between two of
them is paired (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding, intervals, kinds, runtime
from mlctl.encoding import Encoding
from mlctl.errors import IntegrityError
from mlctl.features import fulfils
from mlctl.files import read_json, sha256_of_file, write_json, write_text, write_with
from mlctl.plan import AS_OF
from mlctl.spec import Project
from mlctl.stages import FOLD, Report
from mlctl.stages.train import ladder, part
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

RESAMPLES: Final = 500
MIN_COHORT_ROWS: Final = 50
BINS: Final = 10


def evaluate(places: Places, project: Project) -> Report:
    """Writes `report.json` (everything), `scores.parquet` (test scores), the small metrics file and the plots for DVC.

    Raises:
        DataError: A cohort's condition cannot be computed.
        IntegrityError: The test set or a model is missing, or not the one that was recorded.
    """
    rows, columns = part(places, "test")
    scores = _scores(places, project, rows, columns)
    everybody = _judge(project, rows, scores)
    cohorts = {}
    for name, condition in project.cohorts.items():
        member = fulfils(rows, condition, f"cohorts.{name}")
        chosen = rows.filter(member)
        judged = chosen.height >= MIN_COHORT_ROWS and chosen["label"].n_unique() == 2
        kept = {model: values[member.to_numpy()] for model, values in scores.items()}
        cohorts[name] = {"condition": condition, **(_judge(project, chosen, kept) if judged else _unjudged(chosen))}
    report = {
        "format_version": "1.0",
        "model": _own(project),
        "test_set": {"sha256": sha256_of_file(places.features / "test.parquet"), "rows": rows.height},
        "everybody": everybody,
        "cohorts": cohorts,
    }
    _write(places, project, rows, scores, report)
    return Report("evaluate", _line(project, report), report, details=_cohort_lines(project, report))


def _own(project: Project) -> str:
    return str(project.model.kind)


def _scores(
    places: Places, project: Project, rows: pl.DataFrame, columns: list[str]
) -> dict[str, np.ndarray[Any, Any]]:
    """P(label = 1) of each test row by each rung, from its ONNX graph; with folds as the train stage held them out."""
    again = f"mlctl run projects/{places.name}"
    if FOLD in rows.columns:
        return _held_out(places, project, again)
    learnt = Encoding.model_validate(read_json(places.model / "encoding.json", again))
    trained = read_json(places.model / "report.json", again)["models"]
    matrix = encoding.encode(learnt, rows.select(columns))
    scores = {}
    for name in ladder(project):
        path = places.model / f"{name}.onnx"
        found = sha256_of_file(path)
        if name not in trained or found != trained[name]["sha256"]:
            raise IntegrityError.damaged(str(path), trained.get(name, {}).get("sha256", "nothing"), found, again)
        scores[name] = runtime.score_onnx(path.read_bytes(), matrix).astype("float64")
    return scores


def _held_out(places: Places, project: Project, again: str) -> dict[str, np.ndarray[Any, Any]]:
    import polars as pl

    path = places.model / "held_out.parquet"
    recorded, found = read_json(places.model / "report.json", again).get("held_out"), sha256_of_file(path)
    if found != recorded:
        raise IntegrityError.damaged(str(path), str(recorded), found, again)
    table = pl.read_parquet(path)
    return {name: table[name].to_numpy() for name in ladder(project)}


def _judge(project: Project, rows: pl.DataFrame, scores: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Every metric of every model with its interval, and how each simpler model compares with the project's own."""
    import numpy as np

    truth = rows["label"].to_numpy().astype("float64")
    entities = rows[project.entity.key].rank("dense").to_numpy().astype("int64") - 1
    modules = {name: kinds.load("metrics", options.kind) for name, options in project.metrics.items()}
    measures = {name: partial(module.measure, project.metrics[name]) for name, module in modules.items()}
    resampled = intervals.bootstrap(truth, dict(scores), measures, groups=entities, resamples=RESAMPLES, seed=7)
    ones, own = np.ones(len(truth)), _own(project)
    models: dict[str, Any] = {model: {} for model in scores}
    for name, measure in measures.items():
        for model, score in scores.items():
            low, high = intervals.interval(resampled[model][name])
            models[model][name] = _told(value=measure(truth, score, ones), low=low, high=high)
        for model in scores:
            if model != own:
                low, high = intervals.paired(resampled[own][name], resampled[model][name])
                models[model][name]["own_minus_this"] = _told(low=low, high=high)
    return {
        "rows": rows.height,
        "positive_share": float(truth.mean()),
        "mean_score": float(scores[own].mean()),
        "models": models,
        "better": {name: module.BETTER for name, module in modules.items()},
    }


def _unjudged(rows: pl.DataFrame) -> dict[str, Any]:
    share = float(rows["label"].mean()) if rows.height else None  # type: ignore[arg-type]
    why = f"fewer than {MIN_COHORT_ROWS} rows" if rows.height < MIN_COHORT_ROWS else "only one outcome"
    return {"rows": rows.height, "positive_share": share, "not_measured": why}


def _told(**values: float) -> dict[str, float | None]:
    """Numbers for JSON; what is not defined is null, which no gate lets pass."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def _write(
    places: Places,
    project: Project,
    rows: pl.DataFrame,
    scores: Mapping[str, np.ndarray[Any, Any]],
    report: Mapping[str, Any],
) -> None:
    import polars as pl

    write_json(places.evaluation / "report.json", report)
    table = rows.select(project.entity.key, AS_OF, "label").with_columns(
        [pl.Series(name, values) for name, values in scores.items()]
    )
    write_with(
        places.evaluation / "scores.parquet", lambda temporary: table.write_parquet(temporary, compression="zstd")
    )
    models, own = report["everybody"]["models"], report["model"]
    first = next(iter(project.metrics))
    small = {
        "rows": report["test_set"]["rows"],
        **{name: values["value"] for name, values in models[own].items()},
        "below": {model: found[first]["value"] for model, found in models.items() if model != own},
    }
    write_json(places.metrics / "evaluation.json", small)
    write_text(places.plots / "calibration.csv", _calibration(rows["label"].to_numpy(), scores[report["model"]]))


def _calibration(truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any]) -> str:
    """Mean score and share of label 1 in bins of equally many rows, as CSV for `dvc plots`."""
    import numpy as np

    order = np.argsort(score, kind="stable")
    lines = ["mean_score,positive_share,rows"]
    for part_of in np.array_split(order, min(BINS, len(order))):
        lines.append(f"{score[part_of].mean():.6f},{truth[part_of].mean():.6f},{len(part_of)}")
    return "\n".join(lines) + "\n"


def _cohort_lines(project: Project, report: Mapping[str, Any]) -> tuple[str, ...]:
    """A line a cohort: the first metric and its interval, or why it was not measured."""
    name, lines = next(iter(project.metrics)), []
    for cohort, found in report["cohorts"].items():
        measured = found["models"][report["model"]][name] if "models" in found else {}
        told = found.get("not_measured") or _shown(measured)
        lines.append(f"cohort {cohort}: {name} {told} on {found['rows']:,} rows")
    return tuple(lines)


def _shown(measured: Mapping[str, Any]) -> str:
    if measured["value"] is None:
        return "not defined"
    low, high = (measured[end] if measured[end] is not None else math.nan for end in ("low", "high"))
    return f"{measured['value']:.3f} [{low:.3f}, {high:.3f}]"


def _line(project: Project, report: Mapping[str, Any]) -> str:
    models = report["everybody"]["models"]
    name = next(iter(project.metrics))
    simpler = [f"{model} {_value(found[name])}" for model, found in models.items() if model != report["model"]]
    rows = f"{report['test_set']['rows']:,} held-out rows"
    return f"{name} {_shown(models[report['model']][name])} on {rows}; below it: {', '.join(simpler) or 'nothing'}"


def _value(measured: Mapping[str, Any]) -> str:
    return "not defined" if measured["value"] is None else f"{measured['value']:.3f}"
