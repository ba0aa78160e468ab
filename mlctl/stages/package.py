"""Seals what passed the gate into a release: model, features, encoding and policy in one hashed folder.

The release is opened again at once, so nothing leaves this stage that would not open later.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlctl import encoding, lineage, snapshot
from mlctl.config import section_digest
from mlctl.errors import IntegrityError
from mlctl.files import canonical_json, read_json, sha256_of_file
from mlctl.gates import waivers
from mlctl.release import BASELINE, Release, golden_rows, open_release, seal
from mlctl.release.beside import COLD_FILES, PREVIOUS_FILES, Graph, Previous, open_previous
from mlctl.spec import AROUND, Project
from mlctl.stages import Report
from mlctl.stages._baseline import baseline
from mlctl.stages._rows import part
from mlctl.workspace import Places


def package(places: Places, project: Project) -> Report:
    """Writes the release folder.

    Raises:
        IntegrityError: The gate did not pass this very evaluation, or an artefact is missing or damaged.
    """
    again = f"mlctl run projects/{places.name}"
    gate = read_json(places.metrics / "gate.json", again)
    evaluation = read_json(places.evaluation / "report.json", again)
    if not gate["passed"] or gate["evaluation"] != sha256_of_file(places.evaluation / "report.json"):
        raise IntegrityError.refused(
            "the model", "the gate did not pass this evaluation", f"mlctl gate projects/{places.name}"
        )
    trained = read_json(places.model / "report.json", again)
    onnx = (places.model / f"{evaluation['model']}.onnx").read_bytes()
    learnt = encoding.read(places.model / f"{evaluation['model']}.encoding.json", again)
    cold, previous, others = _others(places, project, trained, evaluation)
    signature = _signature(project, trained, list(learnt.columns()))
    about = {**_about(places, project, trained, evaluation), "signature": signature}
    release = Release("", about, project, learnt, onnx, cold, previous)
    contents: dict[str, bytes | str] = {
        **others,
        **{name: path.read_bytes() for name, path in learnt.files().items()},
        "model.onnx": onnx,
        "project.json": canonical_json({key: value for key, value in project.mapping().items() if key not in AROUND}),
        "encoding.json": (places.model / f"{evaluation['model']}.encoding.json").read_text(encoding="utf-8"),
        "golden.json": _golden(places, release),
        "card.md": _card(project, evaluation, gate),
    }
    contents[BASELINE] = baseline(places, release, trained, evaluation)
    identity = seal(places.release, contents, about)
    opened = open_release(places.release, again)
    rows = len(read_json(places.release / "golden.json")["scores"])
    size = sum(path.stat().st_size for path in places.release.iterdir())
    line = f"release {identity} sealed ({size / 1024:.0f} KiB) and opened again, {rows} golden rows answered as sealed"
    return Report("package", line, {"release": opened.id, "bytes": size, "lineage": about["lineage"]})


def digests(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder by its name, sorted."""
    return {path.name: sha256_of_file(path) for path in sorted(folder.iterdir()) if path.is_file()}


def made(places: Places) -> tuple[Path, ...]:
    """The folders of what the stages before this one made, in their order."""
    return (places.checked, places.features, places.frozen, places.model, places.evaluation)


def _others(
    places: Places, project: Project, trained: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> tuple[Graph | None, Previous | None, dict[str, bytes]]:
    """The model of the cold, the release before, and the files of both."""
    again = f"mlctl run projects/{places.name}"
    cold = previous = None
    files: dict[str, Path] = {}
    if (trained.get("cold") or {}).get("adopted"):
        files |= {name: places.model / name for name in COLD_FILES}
        cold = Graph(encoding.read(files[COLD_FILES[1]], again), files[COLD_FILES[0]].read_bytes())
        files |= cold.encoding.files()
    if evaluation["previous"] is not None:
        files |= {name: places.evaluation / name for name in PREVIOUS_FILES}
        previous = open_previous(places.evaluation, project.decide, again)
        files |= previous.graph.encoding.files()
    return cold, previous, {name: path.read_bytes() for name, path in files.items()}


def _golden(places: Places, release: Release) -> str:
    """Test rows and the scores that the sealed graphs give them."""
    rows, columns = part(places, "test")
    features = rows.select(columns)
    scores = {"scores": release.score(features)}
    if release.cold is not None:
        scores["cold_scores"] = release.cold.score(features)
    if release.previous is not None:
        scores["previous_scores"] = release.previous.graph.score(features)
    return golden_rows(features, scores)


def _about(
    places: Places, project: Project, trained: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> dict[str, Any]:
    taken = snapshot.read(places)
    sections = ["entity", "sources", "checks", "features", "label", "split", "encoding", "model"]
    policy = read_json(places.model / "policy.json")
    made_from = lineage.of_project(places.name, taken.version if taken else "", section_digest(project, sections))
    stages = {f"{folder.name}/{name}": found for folder in made(places) for name, found in digests(folder).items()}
    return {
        "project": places.name,
        "lineage": made_from,
        "stages": stages,
        "model": evaluation["model"],
        "champion": evaluation["champion"]["release"],
        "task": project.label.task,
        "classes": trained["classes"],
        "prior": trained["prior"],
        "decide": {key: policy[key] for key in ("threshold", "min_confidence", "set_level", "how")},
        "evaluation": {
            "rows": evaluation["test_set"]["rows"],
            "test_set": evaluation["test_set"]["sha256"],
            "mean_score": evaluation["everybody"]["mean_score"],
            **_unit(project, evaluation),
        },
    }


def _unit(project: Project, evaluation: Mapping[str, Any]) -> dict[str, float]:
    """How far foretold numbers lie apart, the unit in which their mean may shift; probabilities need none."""
    if project.label.task != "regression":
        return {}
    return {"deviation_of_score": evaluation["everybody"]["deviation_of_score"]}


def _signature(project: Project, trained: Mapping[str, Any], columns: list[str]) -> dict[str, Any]:
    """What the graph takes and gives, for whoever serves it elsewhere."""
    classes = [len(trained["classes"])] if project.label.task == "multiclass" else []
    return {
        "input": ["features", "float32", [None, len(columns)]],
        "output": ["score", "float32", [None, *classes]],
        "columns": columns,
    }


def _card(project: Project, evaluation: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """The model card: what it decides, for whom, how well, also where it is weak, and which refusals were waived."""
    lines = [f"# {project.name}", "", project.about, "", f"Owner: {project.owner or 'nobody is named'}", ""]
    lines += [
        "| group | rows | positive share | " + " | ".join(project.metrics) + " |",
        "|---|---|---|" + "---|" * len(project.metrics),
    ]
    for name, found in {"everybody": evaluation["everybody"], **evaluation["cohorts"]}.items():
        values = found["models"][evaluation["model"]] if "models" in found else {}
        cells = [_cell(values.get(metric)) for metric in project.metrics]
        share = "" if found["positive_share"] is None else f"{found['positive_share']:.1%}"
        lines.append(f"| {name} | {found['rows']:,} | {share} | " + " | ".join(cells) + " |")
    lines += waivers.card_lines(gate)
    return "\n".join(lines) + "\n"


def _cell(measured: Mapping[str, Any] | None) -> str:
    if not measured or measured["value"] is None:
        return "not measured"
    return (
        f"{measured['value']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"
        if measured["low"] is not None
        else f"{measured['value']:.3f}"
    )
