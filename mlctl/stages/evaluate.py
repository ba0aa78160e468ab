"""Judges every rung of the ladder on the frozen test set: metrics with 95 % intervals, paired differences, cohorts.

All models are judged on the same resamples of entities, so a difference between two of them is paired. Without a model
it settles the evaluation (`freeze`): whoever sees the evaluation first knows what a model is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlctl import encoding, slices
from mlctl.decide import COLD_START, LOW_CONFIDENCE
from mlctl.errors import IntegrityError
from mlctl.features import fulfils
from mlctl.files import read_json, sha256_of_file, write_json, write_text, write_with
from mlctl.graphs import runtime
from mlctl.judging.plots import plots
from mlctl.judging.policy import confidence_of
from mlctl.plan import AS_OF, compile_plan
from mlctl.plan.compute import compute
from mlctl.release.beside import Previous
from mlctl.releases import CHAMPION, open_champion
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages._cold import cold_judged
from mlctl.stages._judging import MIN_COHORT_ROWS, judge, judge_some, shown
from mlctl.stages._previous import judged, of_cold, settle, unfair
from mlctl.stages._rows import classes, ladder, part, score_column
from mlctl.stages.features import checked_tables
from mlctl.stages.freeze import freeze
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_MOST_SLICES: Final = 5


def evaluate(places: Places, project: Project) -> Report:
    """Writes `report.json` (everything), `scores.parquet` (test scores), the small metrics file and the plots for DVC.

    Where the release before is the fallback, its files too.

    Raises:
        ConfigError: The release before cannot be the fallback.
        DataError: A cohort's condition cannot be computed.
        IntegrityError: The test set or a model is missing, or not the one that was recorded.
    """
    if not (places.model / "report.json").is_file():
        return freeze(places, project)
    rows, columns = part(places, "test")
    trained = read_json(places.model / "report.json")
    scores = _scores(places, project, rows, columns, trained)
    champion = _champion(places, project, rows, trained["adopted"])
    if champion.scores is not None:
        scores[CHAMPION] = champion.scores
    own = trained["adopted"]
    cohorts = {
        name: {"condition": condition, **judge_some(project, rows, scores, member, own)}
        for name, condition, member in _groups(project, rows, scores[own])
    }
    previous, before = settle(places, project, own)
    cohorts |= judged(places, project, previous, (rows, scores[own]), trained)
    cohorts |= _cold(places, project, trained, previous)
    report = {
        "format_version": "1.0",
        "task": project.label.task,
        "classes": trained["classes"],
        "model": own,
        "test_set": {"sha256": sha256_of_file(places.features / "test.parquet"), "rows": rows.height},
        "everybody": judge(project, rows, scores, own),
        "cohorts": cohorts,
        "slices": _slices(project, rows, columns, scores, own),
        "ladder": trained["ladder"],
        "champion": {"release": champion.release, "not_measured": champion.why, "itself": champion.itself},
        "previous": None if previous is None else previous.release,
    }
    _write(places, project, rows, scores, report)
    lines = (*_cohort_lines(project, report), *([before] if before else []))
    return Report("evaluate", _line(project, report), report, details=lines)


def _scores(
    places: Places, project: Project, rows: pl.DataFrame, columns: list[str], trained: Mapping[str, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """Scores of each test row by each rung, from its ONNX graph; of rows that teach too, as they were held out."""
    again = f"mlctl run projects/{places.name}"
    if project.split.judges_what_teaches():
        return _held_out(places, project, trained, again)
    scores = {}
    for name in ladder(project):
        path = places.model / f"{name}.onnx"
        found = sha256_of_file(path)
        recorded = trained["models"].get(name, {}).get("sha256", "nothing")
        if found != recorded:
            raise IntegrityError.damaged(str(path), recorded, found, again)
        learnt = encoding.read(places.model / f"{name}.encoding.json", again)
        matrix = encoding.encode(learnt, rows.select(columns))
        scores[name] = runtime.score_onnx(path.read_bytes(), matrix).astype("float64")
    return scores


def _held_out(
    places: Places, project: Project, trained: Mapping[str, Any], again: str
) -> dict[str, np.ndarray[Any, Any]]:
    import polars as pl

    path = places.model / "held_out.parquet"
    recorded, found = trained["held_out"]["sha256"], sha256_of_file(path)
    if found != recorded:
        raise IntegrityError.damaged(str(path), str(recorded), found, again)
    scored = pl.read_parquet(path)
    return {name: scored[name].to_numpy() for name in ladder(project)}


class _Champion(NamedTuple):
    """The champion's scores of the test rows, or why there are none."""

    release: str
    scores: np.ndarray[Any, Any] | None
    why: str | None
    itself: bool = False


def _champion(places: Places, project: Project, rows: pl.DataFrame, own: str) -> _Champion:
    """The champion on the very same rows, with features computed by its own plan.

    Only a split by time is fair to both: any other may hold rows that taught the champion. A model that is the
    champion's own is not held against itself.
    """
    found = open_champion(places)
    if found is None:
        return _Champion("", None, "no release was promoted yet")
    learnt = encoding.Encoding.model_validate(read_json(places.model / f"{own}.encoding.json"))
    if found.onnx == (places.model / f"{own}.onnx").read_bytes() and found.encoding == learnt:
        return _Champion(found.id, None, "it is the champion itself", itself=True)
    if project.split.kind != "time":
        return _Champion(found.id, None, f"split.kind {project.split.kind} may hold rows that taught the champion")
    theirs, ours = found.project, project
    same = (theirs.label, theirs.entity, found.manifest["classes"]) == (
        ours.label,
        ours.entity,
        list(classes(places)),
    )
    if not same:
        return _Champion(found.id, None, "the champion foretells another label")
    if theirs.features == ours.features and theirs.sources == ours.sources:
        return _Champion(found.id, found.score(rows), None)
    _, tables = checked_tables(places, project)
    plan = compile_plan(theirs, {name: table.columns for name, table in tables.items()})
    return _Champion(found.id, found.score(compute(plan, tables, rows.select(ours.entity.key, AS_OF))), None)


def _groups(project: Project, rows: pl.DataFrame, score: np.ndarray[Any, Any]) -> list[tuple[str, str, pl.Series]]:
    """Name, condition and members: the declared cohorts, and the rows that the model is least sure of."""
    import numpy as np
    import polars as pl

    found = [(name, text, fulfils(rows, text, f"cohorts.{name}")) for name, text in project.cohorts.items()]
    if project.label.task == "regression":
        return found
    confidence = confidence_of(score)
    limit = float(np.quantile(confidence, 0.1))
    told = f"the least sure tenth: confidence up to {limit:.3f}"
    return [*found, (LOW_CONFIDENCE, told, pl.Series(confidence <= limit))]


def _slices(
    project: Project, rows: pl.DataFrame, columns: list[str], scores: Mapping[str, np.ndarray[Any, Any]], own: str
) -> dict[str, Any]:
    """Groups that nobody named and that the model serves worse than it expects itself, the surest first."""
    truth = rows["label"].to_numpy()
    loss = (truth - scores[own]) ** 2 if project.label.task == "regression" else slices.surprise(truth, scores[own])
    columns = [name for name in columns if name not in project.encoding.texts]
    found = slices.find(rows, columns, loss, MIN_COHORT_ROWS, _MOST_SLICES)
    return {
        f"weak_{place}": {
            "condition": weak.condition,
            "p_value": weak.p_value,
            "effect": weak.effect,
            **judge_some(project, rows, scores, fulfils(rows, weak.condition, "slices"), own),
        }
        for place, weak in enumerate(found, 1)
    }


def _cold(places: Places, project: Project, trained: Mapping[str, Any], previous: Previous | None) -> dict[str, Any]:
    """Who has too little evidence, judged by the score that they get.

    It is their own model's, what became of such in the past, or, where the release before decides, that one's.
    """
    import polars as pl

    if project.decide.evidence is None:
        return {}
    rows, theirs = cold_judged(places, project, trained)
    by = "a model of its own" if (trained.get("cold") or {}).get("adopted") else "the prior"
    member = pl.Series([True], dtype=pl.Boolean).new_from_index(0, rows.height)
    if previous is not None:
        by += f" or release {previous.release}"
    condition = f"{project.decide.evidence} < {project.decide.min_evidence:g}: decided without the model, by {by}"
    if previous is not None and (why := unfair(project)) is not None:
        told = {"rows": rows.height, "positive_share": None, "not_measured": why}
        return {COLD_START: {"condition": condition, **told}}
    if previous is not None and rows.height:
        theirs = of_cold(places, project, previous, rows, theirs)
    scores = {trained["adopted"]: theirs}
    return {COLD_START: {"condition": condition, **judge_some(project, rows, scores, member, trained["adopted"])}}


def _write(
    places: Places,
    project: Project,
    rows: pl.DataFrame,
    scores: Mapping[str, np.ndarray[Any, Any]],
    report: Mapping[str, Any],
) -> None:
    write_json(places.evaluation / "report.json", report)
    scored = rows.select(project.entity.key, AS_OF, "label").with_columns(
        [score_column(name, values) for name, values in scores.items()]
    )
    write_with(
        places.evaluation / "scores.parquet", lambda temporary: scored.write_parquet(temporary, compression="zstd")
    )
    models, own = report["everybody"]["models"], report["model"]
    first = next(iter(project.metrics))
    small = {
        "rows": report["test_set"]["rows"],
        "model": own,
        **{name: values["value"] for name, values in models[own].items()},
        "others": {model: found[first]["value"] for model, found in models.items() if model != own},
    }
    write_json(places.metrics / "evaluation.json", small)
    importance = read_json(places.model / "report.json")["models"].get(own, {}).get("importance", {})
    threshold = read_json(places.model / "policy.json")["threshold"]
    drawn = plots(project.label.task, rows["label"].to_numpy(), scores[own], importance, threshold)
    for file, text in drawn.items():
        write_text(places.plots / file, text)


def _cohort_lines(project: Project, report: Mapping[str, Any]) -> tuple[str, ...]:
    """A line a cohort: the first metric and its interval, or why it was not measured."""
    name, lines = next(iter(project.metrics)), []
    for cohort, found in report["cohorts"].items():
        measured = found["models"][report["model"]][name] if "models" in found else {}
        told = found.get("not_measured") or shown(measured)
        lines.append(f"cohort {cohort}: {name} {told} on {found['rows']:,} rows")
    for found in report["slices"].values():
        told = found.get("not_measured") or shown(found["models"][report["model"]][name])
        lines.append(f"weak: {found['condition']}: {name} {told} on {found['rows']:,} rows")
    return tuple(lines)


def _line(project: Project, report: Mapping[str, Any]) -> str:
    models, own = report["everybody"]["models"], report["model"]
    name = next(iter(project.metrics))
    others = [f"{model} {_value(found[name])}" for model, found in models.items() if model != own]
    rows = f"{report['test_set']['rows']:,} rows that no model has seen"
    return f"{own}: {name} {shown(models[own][name])} on {rows}; beside it: {', '.join(others) or 'nothing'}"


def _value(measured: Mapping[str, Any]) -> str:
    return "not defined" if measured["value"] is None else f"{measured['value']:.3f}"
