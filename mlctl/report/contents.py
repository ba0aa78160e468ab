"""Everything the report tells, as JSON-ready data: the page and the Markdown only show it.

A section that cannot be told is None, and `missing` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import encoding
from mlctl.graphs import runtime
from mlctl.judging import dependence
from mlctl.report import _curves, _rows
from mlctl.report.disk import Disk, read
from mlctl.spec import Project
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

FORMAT: Final = "1.0"
MOST_FEATURES: Final = 20
MOST_TRIED: Final = 6


def contents(places: Places, project: Project) -> dict[str, Any]:
    """The report as data, from what lies on disk.

    Raises:
        IntegrityError: An artefact is there and cannot be read.
    """
    disk = read(places, project)
    scored = disk.scored()
    truth = None if scored is None else _rows.truth(scored)
    scores = {} if scored is None or disk.evaluation is None else _rows.scores(scored, disk.evaluation)
    return {
        "format_version": FORMAT,
        "project": project.name,
        "missing": disk.missing(),
        "decides": _decides(disk),
        "data": _data(disk),
        "ladder": _ladder(disk),
        "learning": (disk.trained or {}).get("learning"),
        "models": _models(disk),
        "curves": None if truth is None else _curves.of(disk, truth, scores),
        "cohorts": _cohorts(disk),
        "slices": _slices(disk),
        "importance": _importance(disk),
        **_asked(disk, scored, truth, scores),
        "gate": _gate(disk),
        "lineage": _lineage(disk),
    }


def _decides(disk: Disk) -> dict[str, Any]:
    project, policy = disk.project, disk.policy or {}
    label = project.label
    names = ("threshold", "min_confidence", "set_level", "how")
    return {
        "about": project.about,
        "owner": project.owner,
        "entity": project.entity.key,
        "task": label.task,
        "label": {
            key: value for key, value in label.model_dump(mode="json", by_alias=True).items() if value is not None
        },
        "classes": list((disk.features or {}).get("classes", ())),
        "above": project.decide.above,
        "below": project.decide.below,
        "fallback": _fallback(disk),
        "evidence": project.decide.evidence,
        **{name: policy.get(name) for name in names},
    }


def _fallback(disk: Disk) -> str:
    """Who decides where the model does not."""
    decide, previous = disk.project.decide, (disk.evaluation or {}).get("previous")
    if decide.fallback_by == "previous" and previous:
        return f"release {previous}, which was live before, and where that is not sure either, {decide.fallback}"
    return "what the rule says" if decide.fallback_by == "rule" else decide.fallback


def _data(disk: Disk) -> dict[str, Any] | None:
    if disk.checked is None and disk.features is None:
        return None
    checked, features = disk.checked or {}, disk.features or {}
    parts = [
        {"part": name, **{key: found.get(key) for key in ("rows", "positive_share", "as_of", "sha256")}}
        for name in ("train", "test")
        if (found := features.get(name))
    ]
    cold = features.get("cold", {})
    parts += [
        {"part": f"cold, {name}", "rows": found["rows"], "positive_share": found.get("positive_share"), "as_of": []}
        for name in ("train", "test")
        if isinstance(found := cold.get(name), dict) and found.get("rows")
    ]
    return {
        "version": checked.get("dataset"),
        "tables": [{"table": name, **counts} for name, counts in checked.get("counts", {}).items()],
        "findings": checked.get("findings", []),
        "parts": parts,
        "features": features.get("columns", []),
        "probes": (disk.frozen or {}).get("probes"),
    }


def _ladder(disk: Disk) -> dict[str, Any] | None:
    found = (disk.evaluation or {}).get("ladder") or (disk.trained or {}).get("ladder")
    if not found:
        return None
    trained = disk.trained or {}
    own = disk.own() or trained.get("adopted")
    bent = trained.get("models", {}).get(own, {}).get("calibration")
    return {"metric": found["metric"], "adopted": own, "calibration": bent, **found}


def _models(disk: Disk) -> dict[str, Any] | None:
    if disk.evaluation is None:
        return None
    everybody = disk.evaluation["everybody"]
    return {
        "own": disk.own(),
        "order": _order(disk, everybody["models"]),
        "rows": everybody["rows"],
        "metrics": [name for name in disk.project.metrics if name in everybody["better"]],
        "better": everybody["better"],
        "measured": everybody["models"],
        "champion": disk.evaluation.get("champion"),
    }


def _order(disk: Disk, models: Iterable[str]) -> list[str]:
    """The adopted model, the champion, then the ladder from its top down."""
    ladder = _ladder(disk) or {"rungs": []}
    first = [str(disk.own()), "champion", *(rung["name"] for rung in reversed(ladder["rungs"]))]
    return sorted(models, key=lambda name: (first.index(name) if name in first else len(first), name))


def _cohorts(disk: Disk) -> list[dict[str, Any]] | None:
    if disk.evaluation is None:
        return None
    return [{"cohort": name, **_group(disk, found)} for name, found in disk.evaluation["cohorts"].items()]


def _slices(disk: Disk) -> list[dict[str, Any]] | None:
    """The weak groups that the evaluation found by itself; None where nobody looked for them."""
    found = (disk.evaluation or {}).get("slices")
    if found is None:
        return None
    return [
        {"slice": name, "effect": line.get("effect"), "p_value": line.get("p_value"), **_group(disk, line)}
        for name, line in found.items()
    ]


def _group(disk: Disk, found: Mapping[str, Any]) -> dict[str, Any]:
    """Who belongs to a group of test rows, how many they are, and how the adopted model does on them."""
    return {
        "condition": found.get("condition", ""),
        "rows": found["rows"],
        "positive_share": found.get("positive_share"),
        "mean_score": found.get("mean_score"),
        "measured": found.get("models", {}).get(str(disk.own())),
        "not_measured": found.get("not_measured"),
    }


def _importance(disk: Disk) -> list[dict[str, Any]] | None:
    """How much of what the adopted model learnt came from which feature; all columns of a category together."""
    own = disk.own() or (disk.trained or {}).get("adopted")
    shares = (disk.trained or {}).get("models", {}).get(own, {}).get("importance")
    if shares is None:
        return None
    of_feature: dict[str, float] = {}
    for column, share in shares.items():
        feature = column.split("=", 1)[0]
        of_feature[feature] = of_feature.get(feature, 0.0) + share
    ordered = sorted(of_feature.items(), key=lambda item: (-item[1], item[0]))
    return [{"feature": feature, "share": share} for feature, share in ordered[:MOST_FEATURES]]


def _asked(
    disk: Disk, scored: pl.DataFrame | None, truth: np.ndarray[Any, Any] | None, scores: dict[str, Any]
) -> dict[str, Any]:
    """What needs the adopted graph: the rows it is most wrong about with their reasons, and partial dependence."""
    score, own = _scorer(disk), disk.own()
    columns = [] if disk.features is None or scored is None else [c for c in disk.features["columns"] if c in scored]
    if scored is None or truth is None or own not in scores or not columns:
        return {"errors": None, "dependence": None}
    wrong = _rows.most_wrong(disk, scored, truth, scores[own])
    told = _rows.told(disk, scored, truth, scores[own], wrong)
    features = scored.select(columns)
    tried = [line["feature"] for line in _importance(disk) or [] if line["share"] > 0]
    # a text has no values to be tried one after the other
    tried = [name for name in tried if name in columns and name not in disk.project.encoding.texts]
    if score is None:
        return {"errors": told, "dependence": None}
    usual = dependence.sampled(features, 4000)
    for line, reasons in zip(told, dependence.reasons(score, features[wrong], usual), strict=True):
        line["reasons"] = reasons
    return {"errors": told, "dependence": dependence.dependence(score, features, tried[:MOST_TRIED])}


def _scorer(disk: Disk) -> dependence.Score | None:
    """The adopted graph, from rows of features."""
    own = disk.own()
    graph, learnt = (disk.places.model / f"{own}.{end}" for end in ("onnx", "encoding.json"))
    if own is None or not graph.is_file() or not learnt.is_file():
        return None
    known = encoding.read(learnt)
    ask = runtime.scorer(graph.read_bytes())
    return lambda rows: ask(encoding.encode(known, rows)).astype("float64")


def _gate(disk: Disk) -> dict[str, Any] | None:
    if disk.gate is None:
        return None
    return {"passed": disk.gate["passed"], "rules": disk.gate["rules"], "waivers": disk.gate.get("waivers", [])}


def _lineage(disk: Disk) -> dict[str, Any] | None:
    if disk.manifest is None:
        return None
    names = ("model", "lineage", "files", "evaluation")
    return {"release": disk.manifest["id"], **{name: disk.manifest.get(name) for name in names}}
