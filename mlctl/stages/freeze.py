"""Settles the evaluation before anything is trained: freezes the rows that judge, and scores what needs no training.

What needs no training is the constant and the business rule of today (`model.rule`): a model that does not beat them is
not worth its upkeep. `train` refuses to run on rows other than the ones frozen here.
"""

from __future__ import annotations

from mlctl import probes
from mlctl.errors import DataError
from mlctl.files import read_json, write_json
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages._judging import judge, shown
from mlctl.stages._rows import classes, held_out, ladder, part, scored
from mlctl.workspace import Places


def freeze(places: Places, project: Project) -> Report:
    """Writes `report.json` and the small file `metrics/frozen.json` that git keeps.

    Raises:
        DataError: The rows leak; the report is written all the same. Or the label does not vary.
        IntegrityError: The tables of the features stage are missing or changed.
    """
    rows, columns = part(places, "train")
    judged, _ = part(places, "test")
    known = classes(places)
    probed = probes.run(project, rows, judged, columns)
    rungs = {name: options for name, options in ladder(project).items() if name in ("constant", "rule")}
    rungs = rungs or {"constant": ladder(project)[project.model.kind]}
    if project.split.judges_what_teaches():
        seen, scores = held_out(project, rungs, rows, columns, known)
        judged = rows.filter(seen)
    else:
        named = (columns, known)
        scores = {
            name: scored(project, options, rows, judged, named).astype("float64") for name, options in rungs.items()
        }
    own = list(scores)[-1]
    found = judge(project, judged, scores, own)
    made = read_json(places.features / "report.json")
    sets = {name: {key: made[name][key] for key in ("rows", "sha256")} for name in ("train", "test")}
    leaking = [finding.sentence() for finding in probed.findings if finding.severity == "fail"]
    report = {
        "format_version": "1.0",
        "sets": sets,
        "columns": columns,
        "model": own,
        "everybody": found,
        "probes": probed.record(),
    }
    # what leaks is not frozen: the report tells why, and training stays refused
    write_json(places.frozen / "report.json", {**report, "sets": {}} if leaking else report)
    if leaking:
        raise DataError.leaking(leaking, str(places.frozen / "report.json"))
    values = {
        name: {metric: at["value"] for metric, at in metrics.items()} for name, metrics in found["models"].items()
    }
    write_json(places.metrics / "frozen.json", {"test_set": sets["test"], **values})
    metric = next(iter(project.metrics))
    told = ", ".join(f"{name} {metric} {shown(metrics[metric])}" for name, metrics in found["models"].items())
    line = f"the test set of {judged.height:,} rows is frozen ({sets['test']['sha256'][:12]}); without a model: {told}"
    ran = f"{len(probed.ran)} probes for leaks on {rows.height:,} + {judged.height:,} rows"
    details = [f"{ran}; not run: {', '.join(probed.not_run) or 'none'}"]
    details += [f"{finding.severity}: {finding.sentence()}" for finding in probed.findings]
    return Report("freeze", line, report, details=tuple(details))
