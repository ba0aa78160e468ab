"""Settles the evaluation of a recommender before anything learns: the cases by their hash, and popularity's worth."""

from __future__ import annotations

from dataclasses import replace

from mlctl.files import read_json, write_json
from mlctl.recommenders import Learning
from mlctl.recommenders.popularity import fit
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages.recommending._cases import JUDGES
from mlctl.stages.recommending._ground import POPULARITY, cases_of, ground
from mlctl.stages.recommending._judging import in_words, judge, lists_of, shown
from mlctl.workspace import Places


def freeze(places: Places, project: Project) -> Report:
    """Writes `report.json` and the small file `metrics/frozen.json` that git keeps.

    Raises:
        IntegrityError: The tables of the features stage are missing or changed.
    """
    # what an earlier freeze settled does not count: it may have been of other users
    own = replace(ground(places, project), settled=None)
    _, cases = cases_of(places, "test")
    taught = own.before(JUDGES)
    form = fit(own.options(POPULARITY), Learning(taught, own.texts)).form
    lists = {POPULARITY: lists_of(shown(project, form, cases), cases, taught)}
    found = judge(project, lists, cases.user, POPULARITY)
    made = read_json(places.features / "report.json")
    sets = {name: {key: made[name][key] for key in ("rows", "sha256")} for name in ("train", "test")}
    report = {
        "format_version": "1.0",
        "sets": sets,
        "columns": [],
        "model": POPULARITY,
        "window": own.window,
        "everybody": found,
        "probes": {"findings": [], "ran": [], "not_run": []},
    }
    write_json(places.frozen / "report.json", report)
    values = {name: at["value"] for name, at in found["models"][POPULARITY].items()}
    write_json(places.metrics / "frozen.json", {"test_set": sets["test"], POPULARITY: values})
    metric = next(iter(project.metrics))
    told = in_words(found["models"][POPULARITY][metric])
    frozen = f"{len(cases.user):,} cases are frozen ({sets['test']['sha256'][:12]})"
    line = f"{frozen}; without a model: popularity {metric} {told}"
    return Report("freeze", line, report)
