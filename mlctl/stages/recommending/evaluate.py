"""Judges every rung of a recommender on the frozen cases: all items sorted, with intervals, by state of the user.

Beside it stands what a split by lot would have said of the same kind: how much too good it would have looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlctl.errors import IntegrityError
from mlctl.files import read_json, sha256_of_file, write_json, write_text, write_with
from mlctl.judging.plots import plots_of_lists
from mlctl.rankings import Lists
from mlctl.recommend.answering import CONTENT
from mlctl.recommend.blends import Blend
from mlctl.recommend.sealing import read_blend
from mlctl.releases import CHAMPION
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages.recommending._cases import JUDGES, Cases, cases, parts
from mlctl.stages.recommending._champion import champion, like
from mlctl.stages.recommending._ground import POPULARITY, Ground, cases_of, forms_of, ground
from mlctl.stages.recommending._judging import fulfilling, in_words, judge, judge_some, lists_of, shown
from mlctl.stages.recommending.freeze import freeze
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def evaluate(places: Places, project: Project) -> Report:
    """Writes `report.json`, `lists.parquet` (what each case was shown), the small metrics file and the plots for DVC.

    Raises:
        DataError: A cohort's condition cannot be computed.
        IntegrityError: The cases or a model is missing, or not the one that was recorded.
    """
    if not (places.model / "report.json").is_file():
        return freeze(places, project)
    own, (table, asked) = ground(places, project), cases_of(places, "test")
    trained = read_json(places.model / "report.json")
    adopted, taught = trained["adopted"], own.before(JUDGES)
    rungs = {name: rung_of(places, trained, name) for name in trained["models"]}
    before = champion(places, own, rungs, adopted)
    if before.rung is not None:
        rungs[CHAMPION] = before.rung
    lists = {name: lists_of(shown(project, rung, asked), asked, taught) for name, rung in rungs.items()}
    groups = fulfilling(project, table)
    report = {
        "format_version": "1.0",
        "task": project.label.task,
        "classes": [],
        "model": adopted,
        "test_set": {"sha256": sha256_of_file(places.features / "test.parquet"), "rows": table.height},
        "everybody": judge(project, lists, asked.user, adopted),
        "cohorts": {
            name: {
                "condition": project.cohorts[name],
                "traffic_share": float(mask.mean()),
                **judge_some(project, lists, asked.user, mask, adopted),
            }
            for name, mask in groups.items()
        },
        "slices": {},
        "ladder": trained["ladder"],
        "champion": {"release": before.release, "not_measured": before.why or None, "itself": before.itself},
        "by_lot": _by_lot(own, rungs[adopted], adopted),
    }
    _write(places, report, lists)
    for file, text in _drawn(lists[adopted], asked, trained["models"][adopted]["told"]).items():
        write_text(places.plots / file, text)
    return Report("evaluate", _line(project, report), report, details=_lines(project, report))


def rung_of(places: Places, trained: Mapping[str, Any], name: str) -> Blend:
    """A rung as `train` left it.

    Raises:
        IntegrityError: A file of it is missing or changed.
    """
    again = f"mlctl run projects/{places.name}"
    for file, recorded in trained["models"][name]["sha256"].items():
        if (found := sha256_of_file(places.model / file)) != recorded:
            raise IntegrityError.damaged(str(places.model / file), recorded, found, again)
    return read_blend(places.model, read_json(places.model / f"{name}.json", again))


def _by_lot(own: Ground, rung: Blend, name: str) -> dict[str, Any] | None:
    """What a split by lot says of the same kinds and weights; None where the split is not over time."""
    if own.project.split.kind != "time":
        return None
    part = parts(own.project, own.events, "random")
    asked = cases(own.project, own.events, part, JUDGES, over_time=False)
    taught = own.events.only(part < JUDGES)
    if not len(asked.user) or not len(taught.user):
        return None
    forms = forms_of(own.fits(taught, [part for part in rung.parts if part != CONTENT]))
    again_parts = {part: like(form, forms.get(part, form)) for part, form in rung.parts.items()}
    again = Blend(again_parts, rung.weights, rung.states)
    lists = {name: lists_of(shown(own.project, again, asked), asked, taught)}
    if name != POPULARITY:
        lists[POPULARITY] = lists_of(shown(own.project, forms[POPULARITY], asked), asked, taught)
    return judge(own.project, lists, asked.user, name)


def _write(places: Places, report: Mapping[str, Any], lists: Mapping[str, Lists]) -> None:
    import polars as pl

    write_json(places.evaluation / "report.json", report)
    told = pl.DataFrame(
        [pl.Series(name, of.items, dtype=pl.Array(pl.Int32, of.items.shape[1])) for name, of in lists.items()]
    )
    write_with(places.evaluation / "lists.parquet", lambda path: told.write_parquet(path, compression="zstd"))
    models, adopted = report["everybody"]["models"], report["model"]
    first = next(iter(models[adopted]))
    small = {
        "rows": report["test_set"]["rows"],
        "model": adopted,
        **{name: values["value"] for name, values in models[adopted].items()},
        "states": {
            name: found["models"][adopted][first]["value"]
            for name, found in report["cohorts"].items()
            if "models" in found
        },
        "others": {model: found[first]["value"] for model, found in models.items() if model != adopted},
    }
    write_json(places.metrics / "evaluation.json", small)


def _drawn(lists: Lists, asked: Cases, told: Mapping[str, Any]) -> dict[str, str]:
    """The plots for DVC: of a blend also its parts by state."""
    shares = {
        f"{state}: {part}": share for state, mixed in told.get("shares", {}).items() for part, share in mixed.items()
    }
    return plots_of_lists(lists.hits, lists.relevant, asked.had, len(lists.users_of), shares)


def _lines(project: Project, report: Mapping[str, Any]) -> tuple[str, ...]:
    """A line a cohort: the first metric beside popularity's, or why it was not measured; then a split by lot."""
    name, own = next(iter(project.metrics)), report["model"]
    lines = []
    for cohort, found in report["cohorts"].items():
        told = found.get("not_measured") or _beside(found["models"], name, own)
        lines.append(f"{cohort}: {name} {told} on {found['rows']:,} cases, {found['traffic_share']:.1%} of the traffic")
    if report["by_lot"] is not None:
        told = _beside(report["by_lot"]["models"], name, own)
        lines.append(f"a split by lot would have said: {name} {told}")
    return tuple(lines)


def _beside(models: Mapping[str, Any], name: str, own: str) -> str:
    text = in_words(models[own][name])
    if own == POPULARITY:
        return text
    difference = models[POPULARITY][name]["own_minus_this"]
    gain = "" if difference["low"] is None else f", gain [{difference['low']:+.4f}, {difference['high']:+.4f}]"
    return f"{text}, popularity {in_words(models[POPULARITY][name])}{gain}"


def _line(project: Project, report: Mapping[str, Any]) -> str:
    models, own = report["everybody"]["models"], report["model"]
    name = next(iter(project.metrics))
    others = [f"{model} {found[name]['value']:.4f}" for model, found in models.items() if model != own]
    cases_told = f"{report['test_set']['rows']:,} cases that no model has seen"
    return f"{own}: {name} {in_words(models[own][name])} on {cases_told}; beside it: {', '.join(others) or 'nothing'}"
