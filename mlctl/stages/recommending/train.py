"""Learns every rung of a recommender's ladder, and says which one earned its place on users who were held out.

Kinds learn from the events before the rehearsal, and are compared on the users who rehearse; the blend is compared on
each part of them by weights learnt on the others. What is judged later has learnt from everything before the test, by
the same options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlctl import kinds
from mlctl.files import sha256_of_file, write_bytes, write_json
from mlctl.judging.ladder import Rung, adopted, lines
from mlctl.recommend.blends import Blend
from mlctl.recommend.forms import Form
from mlctl.recommend.sealing import described, tables
from mlctl.recommenders import Fitted, Learning, Rehearsal
from mlctl.spec import Project
from mlctl.stages import Report
from mlctl.stages.recommending._cases import JUDGES, REHEARSES, Cases
from mlctl.stages.recommending._ground import BLEND, POPULARITY, Ground, encoder_of, forms_of, ground
from mlctl.stages.recommending._interactions import section_of
from mlctl.stages.recommending._judging import climb, lists_of, shown
from mlctl.stages.train import settled
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FEW_CASES: Final = 3000
MANY_FOLDS: Final = 5


def train(places: Places, project: Project) -> Report:
    """Writes the tables of every kind, `RUNG.json` for each rung, and `report.json`.

    Raises:
        DataError: There is nothing to learn from.
        IntegrityError: The evaluation sets are not frozen or changed since.
    """
    settled(places)
    own = ground(places, project)
    cases = own.rehearsal
    rehearsed = own.fits(own.before(REHEARSES))
    steps = _climb(own, rehearsed, cases)
    chosen = project.model.kind if project.model.adopt == "always" else adopted(steps)
    fits = own.fits(own.before(JUDGES))
    rungs: dict[str, Form] = {**own.rungs(fits)}
    told: dict[str, Any] = {name: dict(fitted.told) for name, fitted in fits.items()}
    if project.model.kind == BLEND:
        blended = _blended(own, rehearsed, fits, cases)
        rungs[BLEND], told[BLEND] = blended.form, dict(blended.told)
    for stale in places.model.glob("*"):
        stale.unlink()
    for name, data in tables(forms_of(fits), encoder_of(fits)).items():
        write_bytes(places.model / name, data if isinstance(data, bytes) else data.encode())
    models = {}
    for name, rung in rungs.items():
        if not isinstance(rung, Blend):
            raise TypeError(f"{name} is no blend")
        write_json(places.model / f"{name}.json", described(rung))
        files = [places.model / f"{name}.json", *(places.model / f"{part}.parquet" for part in rung.parts)]
        models[name] = {
            "sha256": {path.name: sha256_of_file(path) for path in files},
            "bytes": sum(path.stat().st_size for path in files),
            "importance": {},
            "told": told[name],
        }
    metric = next(iter(project.metrics))
    report: dict[str, Any] = {
        "rows": len(own.before(JUDGES).user),
        "columns": [],
        "classes": [],
        "models": models,
        "ladder": {"metric": metric, "rungs": [step.record() for step in steps]},
        "adopted": chosen,
        "cold": None,
        "learning": None,
    }
    write_json(places.model / "report.json", report)
    line = f"{', '.join(rungs)} on {report['rows']:,} events, {len(cases.user):,} rehearsed cases"
    return Report("train", line, report, details=(*_ladder_lines(project, steps, chosen), *_weight_lines(told)))


def _climb(own: Ground, fits: Mapping[str, Fitted], cases: Cases) -> list[Rung]:
    """Every rung, on the users who rehearse; the blend is shown each part of them by weights learnt on the others."""
    import numpy as np

    taught = own.before(REHEARSES)
    items = {name: shown(own.project, rung, cases) for name, rung in own.rungs(fits).items()}
    if own.project.model.kind == BLEND:
        items[BLEND] = np.zeros_like(items[POPULARITY])
        # the fewer there are, the more of them each part's weights must be learnt by
        folds = MANY_FOLDS if len(cases.user) < FEW_CASES else 2
        for fold in range(folds):
            judges = cases.user % folds == fold
            if not judges.any():
                continue
            learnt = _blended(own, fits, fits, cases.only(~judges)).form
            items[BLEND][judges] = shown(own.project, learnt, cases.only(judges))
    lists = {name: lists_of(found, cases, taught) for name, found in items.items()}
    return climb(own.project, lists, cases.user)


def _blended(own: Ground, rehearsed: Mapping[str, Fitted], fits: Mapping[str, Fitted], cases: Cases) -> Fitted:
    """The blend of `fits`, with weights learnt on cases by kinds that had not seen them."""
    section = section_of(own.project)
    rehearsal = Rehearsal(
        cases.histories, cases.relevant, forms_of(rehearsed), section.states.begins(), section.k, cases.user
    )
    learning = Learning(own.events, own.texts, forms_of(fits), rehearsal)
    fitted: Fitted = kinds.load("recommenders", BLEND).fit(own.options(BLEND), learning)
    return fitted


def _ladder_lines(project: Project, steps: list[Rung], chosen: str) -> tuple[str, ...]:
    """What each rung bought, and which one is taken."""
    told = lines(steps, next(iter(project.metrics)), "users held out", digits=4)
    if project.model.adopt == "always" and chosen != adopted(steps):
        return (*told, f"{chosen} is released all the same: model.adopt is always")
    return told


def _weight_lines(told: Mapping[str, Any]) -> tuple[str, ...]:
    """How the blend hands over from state to state."""
    states = told.get(BLEND, {}).get("shares", {})
    lines = []
    for state, mixed in states.items():
        parts = sorted(mixed.items(), key=lambda part: -part[1])
        lines.append(f"{state}: " + " + ".join(f"{share:.0%} {name}" for name, share in parts))
    return tuple(lines)
