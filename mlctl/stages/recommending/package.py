"""Seals the recommender that passed the gate: the same kinds and weights, learnt anew from every event.

What was judged had not learnt from the time that judges. What answers from now on must not miss it: items and trends of
these weeks are what people ask for. The recipe was judged, and is carried out once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import lineage, snapshot
from mlctl.config import section_digest
from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file
from mlctl.gates import waivers
from mlctl.recommend.answering import CONTENT
from mlctl.recommend.blends import Blend
from mlctl.recommend.sealing import contents, open_recommender, seal
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages.package import digests, made
from mlctl.stages.recommending._champion import like
from mlctl.stages.recommending._ground import Ground, cases_of, encoder_of, forms_of, ground, ids_of
from mlctl.stages.recommending._interactions import TEXT, section_of
from mlctl.stages.recommending.evaluate import rung_of
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

GOLDEN: Final = 16


def package(places: Places, project: Project) -> Report:
    """Writes the release folder.

    Raises:
        IntegrityError: The gate did not pass this very evaluation, or an artefact is missing or damaged.
    """
    again = f"mlctl run projects/{places.name}"
    gate = read_json(places.metrics / "gate.json", again)
    evaluation = read_json(places.evaluation / "report.json", again)
    if not gate["passed"] or gate["evaluation"] != sha256_of_file(places.evaluation / "report.json"):
        why = "the gate did not pass this evaluation"
        raise IntegrityError.refused("the model", why, f"mlctl gate projects/{places.name}")
    trained = read_json(places.model / "report.json", again)
    own, section = ground(places, project), section_of(project)
    judged = rung_of(places, trained, evaluation["model"])
    # what texts say is sealed even where it weighs nothing: it finds similar items, and those that are new
    names = [*judged.parts, *([CONTENT] if section.text and CONTENT not in judged.parts else [])]
    fits = own.fits(own.events, names)
    parts = {name: like(judged.parts.get(name), form) for name, form in forms_of(fits).items()}
    model = Blend(parts, judged.weights, judged.states)
    catalogue = own.items.drop(TEXT)
    files = contents(project, model, encoder_of(fits), catalogue, _golden(places, own, section.key))
    about = _about(places, project, evaluation)
    identity = seal(places.release, {**files, "card.md": _card(project, evaluation, gate)}, about)
    opened = open_recommender(places.release, again)
    size = sum(path.stat().st_size for path in places.release.iterdir())
    line = (
        f"release {identity} sealed ({size / 1024:,.0f} KiB), {opened.items.height:,} items, vectors of "
        f"{opened.stamp.dimension} numbers (stamp {opened.stamp.digest[:8]}); its golden histories answered as sealed"
    )
    return Report("package", line, {"release": opened.id, "bytes": size, "lineage": about["lineage"]})


def _golden(places: Places, own: Ground, key: str) -> list[list[str]]:
    """Histories of users who judge, spread from those who had least to those who had most, and an empty one."""
    import numpy as np

    _, asked = cases_of(places, "test")
    order = np.argsort(asked.had, kind="stable")
    picks = sorted({int(order[place]) for place in np.linspace(0, len(order) - 1, min(GOLDEN, len(order))).astype(int)})
    return [[], *ids_of(own.items, key, [asked.histories[pick] for pick in picks])]


def _about(places: Places, project: Project, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    taken = snapshot.read(places)
    sections = ["entity", "sources", "checks", "items", "label", "split", "model"]
    made_from = lineage.of_project(places.name, taken.version if taken else "", section_digest(project, sections))
    return {
        "project": places.name,
        "lineage": made_from,
        "stages": {
            f"{folder.name}/{name}": found for folder in made(places) for name, found in digests(folder).items()
        },
        "model": evaluation["model"],
        "task": project.label.task,
        "classes": [],
        "evaluation": {"rows": evaluation["test_set"]["rows"], "test_set": evaluation["test_set"]["sha256"]},
        "traffic": {
            state: evaluation["cohorts"][state]["traffic_share"] for state, _ in section_of(project).states.begins()
        },
    }


def _card(project: Project, evaluation: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """The model card: what it recommends, how well in each state, beside popularity."""
    lines = [f"# {project.name}", "", project.about, "", f"Owner: {project.owner or 'nobody is named'}", ""]
    lines += ["| group | cases | " + " | ".join(project.metrics) + " |", "|---|---|" + "---|" * len(project.metrics)]
    for name, found in {"everybody": evaluation["everybody"], **evaluation["cohorts"]}.items():
        for model in dict.fromkeys((evaluation["model"], "popularity")):
            values = found["models"][model] if "models" in found else {}
            cells = [_cell(values.get(metric)) for metric in project.metrics]
            lines.append(f"| {name}, {model} | {found['rows']:,} | " + " | ".join(cells) + " |")
    lines += waivers.card_lines(gate)
    return "\n".join(lines) + "\n"


def _cell(measured: Mapping[str, Any] | None) -> str:
    if not measured or measured["value"] is None:
        return "not measured"
    if measured["low"] is None:
        return f"{measured['value']:.4f}"
    return f"{measured['value']:.4f} [{measured['low']:.4f}, {measured['high']:.4f}]"
